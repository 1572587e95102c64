//! What a call leaves behind: readings and events go out, state changes go to the store, log lines to the log.
//!
//! Also the reading back of observable properties that their handler does not publish by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use handler_host::{Call, Effect, LogLevel, Reading};

use super::call::{Cause, of_fault};
use super::request::Switching;
use super::status::LogLine;
use super::task::Task;
use crate::exposed_thing::outlet::Answer;
use crate::store::Batch;

/// Longest progress of an action: each running one keeps its last.
const PROGRESS_BYTES_MAX: usize = 16 << 10;

/// Which observable properties a handler publishes by itself; the others are read back.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    published: BTreeSet<String>,
}

impl ReadBack {
    /// Whether the instance has published one of these since it started.
    pub(super) fn has_published(&self, names: &[Arc<str>]) -> bool {
        names.iter().any(|name| self.published.contains(&**name))
    }

    /// Another instance may do otherwise.
    pub(super) fn forget(&mut self) {
        self.published.clear();
    }
}

/// Whether an action came to its end: what it did may have changed properties.
pub(super) fn ends_an_action(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Done { .. }))
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

impl Task {
    /// What has to be committed for a call's state changes.
    pub(super) fn batch_of(&self, changes: Vec<Effect>, cause: Cause) -> Batch {
        let mut batch = Batch::new();
        let mirrored = self.switching == Some(Switching::Version) || (cause == Cause::Write && self.canary.is_some());
        for change in changes {
            if let Effect::State { key, bytes } = change {
                let thing = self.outlet.name();
                if mirrored {
                    batch.put_state_before(thing, &key, bytes.clone());
                }
                batch.put_state(thing, &key, bytes);
            }
        }
        batch
    }

    /// What the world sees of a call, in order. Checking and serializing it is work that the handler makes: it counts as its
    /// own processor time.
    pub(super) fn publish_all(&mut self, effects: Vec<Effect>) {
        let began = Instant::now();
        self.publish_each(effects);
        self.version.capabilities.charge(began.elapsed());
    }

    fn publish_each(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reading { name, reading, valid_for_ms } => {
                    self.publish(&name, reading, Duration::from_millis(valid_for_ms));
                }
                Effect::Event { name, data } => {
                    if let Err(error) = self.outlet.emit(&name, data) {
                        self.refused("event", &name, &error.to_string());
                    }
                }
                Effect::Progress { action, value } => self.progress(action, value),
                Effect::Done { action, result } => self.done(action, result),
                Effect::Log { level, message, .. } => self.log(level, message),
                Effect::Dropped { what, count } => {
                    let more = format!("{count} more of {what:?} in one call than its limit allows; they were dropped");
                    self.log(LogLevel::Warn, more);
                }
                // Committed before.
                Effect::State { .. } => {}
            }
        }
    }

    fn publish(&mut self, name: &str, reading: Reading, good_for: Duration) {
        let answer = self.answer(reading);
        if let Err(error) = self.outlet.publish(name, answer, good_for) {
            self.refused("reading", name, &error.to_string());
        } else if !self.read_back.published.contains(name) {
            self.read_back.published.insert(name.to_owned());
        }
    }

    /// A reading on the Thing's clock as one on the gateway's.
    pub(super) fn answer(&self, reading: Reading) -> Answer {
        Answer { value: reading.value, taken: self.version.clock.instant_of(reading.taken), quality: reading.quality }
    }

    fn progress(&mut self, action: uuid::Uuid, value: handler_host::Value) {
        if handler_host::bytes_of(&value) > PROGRESS_BYTES_MAX {
            let reason = format!("the progress of an action has more than {PROGRESS_BYTES_MAX} bytes");
            return self.refused("progress", "", &reason);
        }
        match crate::exposed_thing::value::output(&format_args!("the progress of an action"), None, value) {
            Ok(checked) => self.outlet.actions.progress(action, checked.json),
            Err(error) => self.refused("progress", "", &error.to_string()),
        }
    }

    fn done(&self, action: uuid::Uuid, result: Result<Option<handler_host::Value>, handler_host::Fault>) {
        let Some(name) = self.outlet.actions.name(action) else { return };
        self.outlet.end_action(&name, action, result.map_err(of_fault));
    }

    fn log(&mut self, level: LogLevel, message: String) {
        if self.may_write(message.len()) {
            self.write_down(level, &message);
        }
        let level = word(level);
        self.status.log(LogLine { time: SystemTime::now(), level, message });
    }

    /// Is there room in the log for so many bytes of this handler's? Says how much was left out before.
    pub(super) fn may_write(&mut self, bytes: usize) -> bool {
        let left_out = self.talk.room(bytes, Instant::now());
        if let Some(left_out) = left_out.filter(|left_out| *left_out > 0) {
            tracing::warn!(thing = %self.outlet.name(), left_out, "the handler has said more than the log takes of it");
        }
        left_out.is_some()
    }

    fn write_down(&self, level: LogLevel, message: &str) {
        let thing = self.outlet.name();
        match level {
            LogLevel::Trace => tracing::trace!(target: "handler", %thing, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "handler", %thing, "{message}"),
            LogLevel::Info => tracing::info!(target: "handler", %thing, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "handler", %thing, "{message}"),
            LogLevel::Error => tracing::error!(target: "handler", %thing, "{message}"),
        }
    }

    /// What a handler sent and its own Thing Model forbids: dropped, and said where its author looks.
    fn refused(&mut self, kind: &str, name: &str, reason: &str) {
        if self.may_write(reason.len()) {
            tracing::warn!(thing = %self.outlet.name(), kind, name, reason, "refused what the handler sent");
        }
        self.status.fault("model", &format!("{kind} `{name}`: {reason}"), self.version.number);
    }

    /// Reads back each observable property that the handler does not publish by itself, and publishes what changed. Good
    /// for no time: a read asks the handler again.
    pub(super) async fn read_back_all(&mut self) {
        let description = self.outlet.description();
        let mut names: Vec<Arc<str>> = description
            .kind
            .properties
            .values()
            .filter(|property| property.observable && !self.read_back.published.contains(&*property.name))
            .map(|property| Arc::clone(&property.name))
            .collect();
        names.sort();
        for name in names {
            let call = Call::gateway(self.version.budgets.read_ms);
            let read = self.call(Cause::Other, |instance| instance.read_property(&name, call)).await;
            if let Ok(reading) = read {
                let answer = self.answer(reading);
                if let Err(error) = self.outlet.publish(&name, answer, Duration::ZERO) {
                    self.refused("reading", &name, &error.to_string());
                }
            }
            if self.instance.is_none() {
                return;
            }
        }
    }
}
