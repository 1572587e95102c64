//! Lines of a client, in order, each taken once: what it reports is an event that a test waits for.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

/// An event comes within this time, on a slow machine too.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Events {
    lines: Receiver<String>,
    /// For the report: what was passed over or read last.
    seen: Vec<String>,
}

/// Lines that are kept for the report.
const SEEN_MAX: usize = 40;

impl Events {
    /// Reads these streams to their end.
    pub(super) fn of<const N: usize>(streams: [Box<dyn Read + Send>; N]) -> Self {
        let (sender, lines) = channel();
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                lines.map_while(|line| sender.send(line).ok()).for_each(drop);
            });
        }
        Self { lines, seen: Vec::new() }
    }

    /// The next line from which `pick` takes something; others are passed over.
    pub(super) fn next<T>(&mut self, what: &str, pick: impl Fn(&str) -> Option<T>) -> Result<T> {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|error| {
                anyhow!("{what}: not within {DEADLINE:?} ({error}); the last lines were\n{}", self.seen.join("\n"))
            })?;
            let picked = pick(&line);
            self.seen.push(line);
            if self.seen.len() > SEEN_MAX {
                self.seen.remove(0);
            }
            if let Some(picked) = picked {
                return Ok(picked);
            }
        }
    }
}
