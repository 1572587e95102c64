//! Lines on their way to standard error: whoever logs does not wait for whoever reads.
//!
//! Invariant: at most [`BYTES_MAX`] wait. What finds no room is counted, and the count is written when there is room again.

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

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// Of the lines that wait, and of those that are being written.
    bytes: usize,
    left_out: u64,
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
        if queue.bytes + line.len() > BYTES_MAX {
            queue.left_out += 1;
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line.to_vec());
        self.more.notify_one();
    }

    /// All that wait, and how many were left out after them.
    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let queue = self.more.wait_while(self.queue(), |queue| queue.lines.is_empty());
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut queue.lines), std::mem::take(&mut queue.left_out))
    }

    fn wrote(&self, bytes: usize) {
        let mut queue = self.queue();
        queue.bytes -= bytes;
        if queue.bytes == 0 {
            self.written.notify_all();
        }
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
        let waited = self.0.written.wait_timeout_while(self.0.queue(), LAST_LINES, |queue| queue.bytes > 0);
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
        let (lines, left_out) = shared.take();
        for line in lines {
            // Where nobody reads any more there is nobody to tell.
            let _read = sink.write_all(&line).is_ok();
            shared.wrote(line.len());
        }
        if left_out > 0 {
            let _read = sink.write_all(gap(left_out, format).as_bytes()).is_ok();
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
        const LINE: &[u8] = &[b'x'; 1_023];
        const COUNT: usize = 3_000;
        // More than a pipe and the queue hold, before anybody reads.
        for _ in 0..COUNT {
            pen.write_all(&[LINE, b"\n"].concat()).unwrap();
        }
        let mut read = BufReader::new(reader).lines().map(Result::unwrap);
        let whole = read.by_ref().take_while(|line| line.as_bytes() == LINE).count();
        assert!((1_000..COUNT).contains(&whole), "{whole}");
        // The gap was said in the place of the first line that is not whole.
        pen.write_all(b"the end\n").unwrap();
        assert_eq!(read.next().as_deref(), Some("the end"));
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
