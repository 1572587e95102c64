//! The log: lines for people or for programs on standard error, and the last ones for the Thing `gateway`.
//!
//! Set up once, by the program. What is logged carries the Thing's name as the field `thing`.

mod lines;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, registry};

pub(crate) use lines::Lines;

use crate::config::{Log, LogFormat};
use crate::utc::Rfc3339;

/// Entries that are kept.
const ENTRIES_MAX: usize = 200;
/// Longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// One entry of the log.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LogEntry {
    time: String,
    level: &'static str,
    target: String,
    message: String,
}

/// The last entries of the log. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct LogRing {
    entries: Arc<Mutex<VecDeque<LogEntry>>>,
}

impl LogRing {
    /// The kept entries, the newest last.
    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<S: Subscriber> Layer<S> for LogRing {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let entry = LogEntry {
            time: Rfc3339(SystemTime::now()).to_string(),
            level: word(*metadata.level()),
            target: metadata.target().to_owned(),
            message: text.0,
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_back(entry);
        if entries.len() > ENTRIES_MAX {
            entries.pop_front();
        }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

/// An event's message and fields on one line, cut to its longest length.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _written = if field.name() == "message" {
            write!(self.0, "{separator}{value:?}")
        } else {
            write!(self.0, "{separator}{}={value:?}", field.name())
        };
        self.0.truncate(self.0.floor_char_boundary(MESSAGE_BYTES_MAX));
    }
}

/// Starts the log for this process, until what it answers is dropped. A second call keeps the first's settings and answers a
/// ring of its own.
///
/// # Errors
/// When the machine has no thread left.
pub(crate) fn start(log: Log) -> std::io::Result<(LogRing, Lines)> {
    let (ring, sink) = (LogRing::default(), Lines::to(std::io::stderr(), log.format)?);
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new(log.level.as_str()));
    let lines = match log.format {
        LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(sink.pen()).boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(sink.pen()).boxed(),
    };
    let subscriber = registry().with(filter).with(ring.clone()).with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("the log was started before");
    }
    Ok((ring, sink))
}
