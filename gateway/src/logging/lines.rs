//! Lines on their way to standard error: whoever logs does not wait for whoever reads.
//!
//! Invariant: at most [`BYTES_MAX`] wait. What finds no room is counted, and the count is written in its place.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;

/// Bytes of lines that wait to be written.
const BYTES_MAX: usize = 1 << 20;
/// How long the end of the process waits for the last of them.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What waits to be written.
#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// So many lines found no room here.
    Gap(u64),
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Of the lines that wait, and of those that are being written.
    bytes: usize,
    /// The thread has more to do.
    writing: bool,
}

impl Queue {
    fn is_done(&self) -> bool {
        self.entries.is_empty() && !self.writing
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// There is a line.
    more: Condvar,
    /// There is none any more.
    written: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        let has_room = queue.bytes + line.len() <= BYTES_MAX;
        match queue.entries.back_mut() {
            _ if has_room => {
                queue.bytes += line.len();
                queue.entries.push_back(Entry::Line(line.to_vec()));
            }
            Some(Entry::Gap(lines)) => *lines += 1,
            _ => queue.entries.push_back(Entry::Gap(1)),
        }
        self.more.notify_one();
    }

    /// All that waits.
    fn take(&self) -> VecDeque<Entry> {
        let mut queue = self.queue();
        queue.writing = false;
        if queue.is_done() {
            self.written.notify_all();
        }
        let queue = self.more.wait_while(queue, |queue| queue.entries.is_empty());
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.writing = true;
        std::mem::take(&mut queue.entries)
    }

    fn wrote(&self, bytes: usize) {
        self.queue().bytes -= bytes;
    }
}

/// Takes lines for a thread that writes them. When it is dropped the last ones are waited for, for a second.
#[derive(Debug)]
pub(crate) struct Lines(Arc<Shared>);

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine has none left.
    pub(super) fn to(sink: impl Write + Send + 'static, format: LogFormat) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let taking = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&taking, sink, format))?;
        Ok(Self(shared))
    }

    pub(super) fn pen(&self) -> Pen {
        Pen(Arc::clone(&self.0))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let waited = self.0.written.wait_timeout_while(self.0.queue(), LAST_LINES, |queue| !queue.is_done());
        // Who does not read in time does not want them.
        drop(waited);
    }
}

/// What the log writes with. Clones write the same.
#[derive(Debug, Clone)]
pub(super) struct Pen(Arc<Shared>);

impl Write for Pen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Pen {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn write_all(shared: &Shared, mut sink: impl Write, format: LogFormat) {
    loop {
        for entry in shared.take() {
            // Where nobody reads any more there is nobody to tell.
            let _read = match &entry {
                Entry::Line(line) => sink.write_all(line).is_ok(),
                Entry::Gap(lines) => sink.write_all(gap(*lines, format).as_bytes()).is_ok(),
            };
            if let Entry::Line(line) = entry {
                shared.wrote(line.len());
            }
        }
    }
}

fn gap(left_out: u64, format: LogFormat) -> String {
    let message = "lines of this log are missing here: nobody read it for a while";
    match format {
        LogFormat::Text => format!("WARN tidegate::logging: {left_out} {message}\n"),
        LogFormat::Json => {
            let fields = serde_json::json!({ "message": message, "left_out": left_out });
            serde_json::json!({ "level": "WARN", "fields": fields, "target": "tidegate::logging" }).to_string() + "\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    #[test]
    fn who_logs_does_not_wait_for_who_reads() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer, LogFormat::Text).unwrap();
        let mut pen = lines.pen();
        const LINE: [u8; 1_023] = [b'x'; 1_023];
        const COUNT: usize = 3_000;
        // More than a pipe and the queue hold, before anybody reads.
        for _ in 0..COUNT {
            pen.write_all(&[&LINE[..], b"\n"].concat()).unwrap();
        }
        // Whole, or counted: without another line after them.
        let (mut whole, mut left_out) = (0, 0);
        let mut read = BufReader::new(reader).lines().map(Result::unwrap);
        while whole + left_out < COUNT {
            let line = read.next().unwrap();
            match line.strip_prefix("WARN tidegate::logging: ").and_then(|gap| gap.split(' ').next()) {
                Some(count) => left_out += count.parse::<usize>().unwrap(),
                None => whole += usize::from(line.as_bytes() == &LINE[..]),
            }
        }
        assert!(whole + left_out == COUNT && whole > 1_000 && left_out > 0, "{whole} and {left_out}");
    }

    #[test]
    fn a_gap_is_said_in_the_words_of_the_log() {
        assert!(gap(7, LogFormat::Text).starts_with("WARN tidegate::logging: 7 lines of this log are missing"));
        let line: serde_json::Value = serde_json::from_str(&gap(7, LogFormat::Json)).unwrap();
        assert_eq!((&line["level"], &line["fields"]["left_out"]), (&"WARN".into(), &7.into()));
    }

    #[test]
    fn the_end_waits_for_the_last_lines_and_not_for_ever() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer, LogFormat::Text).unwrap();
        lines.pen().write_all(b"stopped\n").unwrap();
        drop(lines);
        assert_eq!(BufReader::new(reader).lines().next().unwrap().unwrap(), "stopped");
        let (_unread, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer, LogFormat::Text).unwrap();
        lines.pen().write_all(&[b'x'; 200_000]).unwrap();
        drop(lines);
    }
}
