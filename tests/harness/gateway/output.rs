//! What a process writes, read by its own threads from start to end, so that it never waits for its reader.

use std::{
    collections::VecDeque,
    fmt,
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    process::Child,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// Lines that are kept for the report of a failed test.
const LINES_MAX: usize = 400;

/// The lines of both streams, as they came.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    address: Option<SocketAddr>,
    streams_ended: u32,
}

impl Lines {
    /// Reads the output of `child` from now on.
    pub(super) fn of(child: &mut Child) -> Self {
        let shared = Arc::<Shared>::default();
        if let Some(stream) = child.stdout.take() {
            follow(stream, Arc::clone(&shared));
        }
        if let Some(stream) = child.stderr.take() {
            follow(stream, Arc::clone(&shared));
        }
        Self { shared }
    }

    /// Waits until a line says `http://ADDRESS`.
    pub(super) fn address(&self, deadline: Duration) -> Result<SocketAddr> {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| state.address.is_none() && state.streams_ended < 2;
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, deadline, waiting).unwrap_or_else(PoisonError::into_inner);
        ensure!(state.address.is_some() || state.streams_ended < 2, "it has ended");
        state.address.with_context(|| format!("silent for {deadline:?}"))
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn follow(stream: impl Read + Send + 'static, shared: Arc<Shared>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.address = state.address.or_else(|| address_in(&line));
            state.lines.push_back(line);
            if state.lines.len() > LINES_MAX {
                state.lines.pop_front();
            }
            shared.changed.notify_all();
        }
        shared.state.lock().unwrap_or_else(PoisonError::into_inner).streams_ended += 1;
        shared.changed.notify_all();
    });
}

/// The first `http://IP:PORT` of a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
