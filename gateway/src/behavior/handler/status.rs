//! What is known of a Thing's handler: shown by the handler's own Thing, written by the Thing's task.
//!
//! Logs, faults and refusals are bounded rings. Readers take a lock for the time of a copy; the task never waits for them longer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use handler_host::{CallReport, HandlerComponent};
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use super::statistics::Statistics;
use super::version::Version;

/// Log lines that are kept.
const LOG_MAX: usize = 200;
/// Faults that are kept.
const FAULTS_MAX: usize = 20;
/// Refusals that are kept.
const REFUSALS_MAX: usize = 20;
/// Log lines that are kept with a fault.
const LAST_WORDS_MAX: usize = 5;

/// How a handler stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HandlerState {
    /// No instance yet.
    Starting,
    /// It answers.
    Running,
    /// It answers, and is watched since a replacement.
    Canary,
    /// It does not stay up; it is tried again with growing pauses.
    CrashLoop,
    /// The Thing is stopping or off.
    Off,
}

/// One log line of a handler.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LogLine {
    /// UTC.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) time: SystemTime,
    pub(crate) level: &'static str,
    pub(crate) message: String,
}

/// One fault: a call that cost the instance its life, or an answer that broke the model.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fault {
    /// UTC.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) time: SystemTime,
    /// `trap`, `deadline`, `memory`, ...
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    /// The version that failed.
    pub(crate) version: u64,
    /// What it said last.
    pub(crate) log: Vec<LogLine>,
}

/// A component of the handlers folder that did not become a version.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Refusal {
    /// UTC.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) time: SystemTime,
    /// Absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    pub(crate) reason: String,
}

/// How a handler stands: the property `status`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Standing {
    state: HandlerState,
    origin: &'static str,
    #[serde(serialize_with = "rfc3339")]
    since: SystemTime,
}

/// The last known of a handler.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) state: HandlerState,
    pub(crate) origin: &'static str,
    pub(crate) since: SystemTime,
    pub(crate) version: u64,
    pub(crate) component: Option<HandlerComponent>,
    pub(crate) memory_bytes: u64,
    pub(crate) statistics: Statistics,
    pub(crate) log: VecDeque<LogLine>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) refusals: VecDeque<Refusal>,
}

/// Shared between a Thing's task and the Thing of its handler.
#[derive(Debug)]
pub(crate) struct HandlerStatus {
    shown: Mutex<Shown>,
    /// Woken when `state` changes: the gateway's health depends on it.
    changed: Arc<watch::Sender<()>>,
}

impl HandlerStatus {
    pub(crate) fn new(changed: Arc<watch::Sender<()>>) -> Arc<Self> {
        let shown = Shown {
            state: HandlerState::Starting,
            origin: "fresh",
            since: SystemTime::now(),
            version: 0,
            component: None,
            memory_bytes: 0,
            statistics: Statistics::default(),
            log: VecDeque::new(),
            faults: VecDeque::new(),
            refusals: VecDeque::new(),
        };
        Arc::new(Self { shown: Mutex::new(shown), changed })
    }

    /// Looks at it, or changes it, for as long as `work` takes.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Shown) -> T) -> T {
        work(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The handler stands otherwise from now on. Its task tells observers (`Task::stands`).
    pub(crate) fn set_state(&self, state: HandlerState) {
        let changed = self.with(|shown| std::mem::replace(&mut shown.state, state) != state);
        if changed {
            self.changed.send_replace(());
        }
    }

    /// The version that serves, or is about to.
    pub(crate) fn shows(&self, version: &Version) {
        self.with(|shown| {
            shown.version = version.number;
            shown.component = Some(version.component.clone());
        });
    }

    pub(crate) fn state(&self) -> HandlerState {
        self.with(|shown| shown.state)
    }

    /// The property `status`.
    pub(crate) fn standing(&self) -> Standing {
        self.with(|shown| Standing { state: shown.state, origin: shown.origin, since: shown.since })
    }

    /// Counts one call, after which the instance has `memory_bytes` of linear memory.
    pub(crate) fn count(&self, report: &CallReport, fault: bool, memory_bytes: u64) {
        self.with(|shown| {
            shown.memory_bytes = memory_bytes;
            shown.statistics.count(report.elapsed, report.moved_to_background, fault);
        });
    }

    /// Keeps a log line.
    pub(crate) fn log(&self, line: LogLine) {
        self.with(|shown| {
            shown.log.push_back(line);
            if shown.log.len() > LOG_MAX {
                shown.log.pop_front();
            }
        });
    }

    /// Keeps a fault with the handler's last words.
    pub(crate) fn fault(&self, kind: &'static str, detail: &str, version: u64) {
        self.with(|shown| {
            let words = shown.log.len().saturating_sub(LAST_WORDS_MAX);
            let log = shown.log.iter().skip(words).cloned().collect();
            let detail = detail.to_owned();
            shown.faults.push_back(Fault { time: SystemTime::now(), kind, detail, version, log });
            if shown.faults.len() > FAULTS_MAX {
                shown.faults.pop_front();
            }
        });
    }

    /// Keeps that a component was refused.
    pub(crate) fn refused(&self, digest: Option<String>, reason: &str) -> Refusal {
        let refusal = Refusal { time: SystemTime::now(), digest, reason: reason.to_owned() };
        self.with(|shown| {
            shown.refusals.push_back(refusal.clone());
            if shown.refusals.len() > REFUSALS_MAX {
                shown.refusals.pop_front();
            }
        });
        refusal
    }
}

/// RFC 3339 with milliseconds, UTC.
pub(crate) fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&crate::utc::Rfc3339(*time))
}
