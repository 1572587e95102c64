//! What a handler did during one call, in order: the gateway publishes and stores it before the answer leaves.
//!
//! The list is bounded in number and bytes; what goes beyond is counted and reported as [`Effect::Dropped`]. A call without
//! effects allocates nothing.

use uuid::Uuid;

use crate::bindings::tidegate::thing::log::Level as WitLevel;
use crate::limits::{LOG_BYTES_MAX, Limits, NAME_BYTES_MAX};
use crate::plain;
use crate::value::{Fault, Reading, Value, bytes_of, sentence};

/// One thing that a handler did.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An event of the Thing.
    Event {
        /// Its affordance.
        name: String,
        /// Its data.
        data: Value,
    },
    /// A property's reading.
    Reading {
        /// Its affordance.
        name: String,
        /// Value, moment and quality.
        reading: Reading,
        /// For how long it is good, in milliseconds from now.
        valid_for_ms: u64,
    },
    /// How far an action is.
    Progress {
        /// The call that started it.
        action: Uuid,
        /// As the action's own model has it.
        value: Value,
    },
    /// An action ended.
    Done {
        /// The call that started it.
        action: Uuid,
        /// Its output, or why there is none.
        result: Result<Option<Value>, Fault>,
    },
    /// A key of the host-held state was set, or deleted (`None`).
    State {
        /// The key.
        key: String,
        /// Its new value.
        bytes: Option<Vec<u8>>,
    },
    /// A line for the log.
    Log {
        /// Its level.
        level: LogLevel,
        /// At most 4 KiB.
        message: String,
        /// On the Thing's clock, in microseconds.
        at: u64,
    },
    /// More than the limits of one call allow; always at the end of the list.
    Dropped {
        /// What was dropped.
        what: DroppedKind,
        /// How many.
        count: u32,
    },
}

/// Levels of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the handler's author.
    Debug,
    /// Normal, worth a line.
    Info,
    /// Wrong, and dealt with.
    Warn,
    /// Wrong.
    Error,
}

impl From<WitLevel> for LogLevel {
    fn from(level: WitLevel) -> Self {
        match level {
            WitLevel::Trace => Self::Trace,
            WitLevel::Debug => Self::Debug,
            WitLevel::Info => Self::Info,
            WitLevel::Warn => Self::Warn,
            WitLevel::Error => Self::Error,
        }
    }
}

/// Kinds of effects that are counted when they are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DroppedKind {
    /// Log lines.
    Log,
    /// Events.
    Event,
    /// Readings.
    Reading,
    /// Progress of an action.
    Progress,
    /// The end of an action.
    Done,
}

const KINDS: [DroppedKind; 5] =
    [DroppedKind::Log, DroppedKind::Event, DroppedKind::Reading, DroppedKind::Progress, DroppedKind::Done];

/// The effects of the call that runs.
#[derive(Debug, Default)]
pub(crate) struct EffectList {
    effects: Vec<Effect>,
    logs: u32,
    others: u32,
    bytes: usize,
    dropped: [u32; KINDS.len()],
}

impl EffectList {
    /// Adds what a handler emitted, or counts it as dropped.
    pub(crate) fn emit(&mut self, effect: Effect, limits: &Limits) {
        let (kind, name_bytes, bytes) = match &effect {
            Effect::Event { name, data } => (DroppedKind::Event, name.len(), bytes_of(data)),
            Effect::Reading { name, reading, .. } => (DroppedKind::Reading, name.len(), bytes_of(&reading.value)),
            Effect::Progress { value, .. } => (DroppedKind::Progress, 0, bytes_of(value)),
            Effect::Done { result: Ok(value), .. } => (DroppedKind::Done, 0, value.as_ref().map_or(0, bytes_of)),
            Effect::Done { result: Err(fault), .. } => (DroppedKind::Done, 0, sentence(fault).len()),
            Effect::State { .. } | Effect::Log { .. } | Effect::Dropped { .. } => return self.effects.push(effect),
        };
        let bytes = self.bytes.saturating_add(name_bytes).saturating_add(bytes);
        if self.others >= limits.effects_per_call || name_bytes > NAME_BYTES_MAX || bytes > limits.effect_bytes_per_call
        {
            return self.count_dropped(kind);
        }
        self.others += 1;
        self.bytes = bytes;
        self.effects.push(effect);
    }

    /// Adds a log line, made one line and cut to its longest length, or counts it as dropped.
    pub(crate) fn log(&mut self, level: LogLevel, message: String, at: u64, limits: &Limits) {
        if self.logs >= limits.logs_per_call {
            return self.count_dropped(DroppedKind::Log);
        }
        self.logs += 1;
        let message = plain::line(message, LOG_BYTES_MAX);
        self.effects.push(Effect::Log { level, message, at });
    }

    /// Do so many bytes of state changes fit beside the effects of this call?
    pub(crate) fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        self.bytes.saturating_add(bytes) <= limits.effect_bytes_per_call
    }

    /// Adds a state change; their number is bounded by the host calls of a call.
    pub(crate) fn state(&mut self, key: String, bytes: Option<Vec<u8>>) {
        self.bytes = self.bytes.saturating_add(key.len() + bytes.as_ref().map_or(0, Vec::len));
        self.effects.push(Effect::State { key, bytes });
    }

    pub(crate) fn count_dropped(&mut self, kind: DroppedKind) {
        let count = &mut self.dropped[kind as usize];
        *count = count.saturating_add(1);
    }

    /// The effects of the call, which ended by itself or, when `trapped`, lost its state changes.
    pub(crate) fn take(&mut self, trapped: bool) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        if trapped {
            effects.retain(|effect| !matches!(effect, Effect::State { .. }));
        }
        if self.dropped.iter().any(|count| *count > 0) {
            let dropped = KINDS.into_iter().zip(self.dropped).filter(|(_, count)| *count > 0);
            effects.extend(dropped.map(|(what, count)| Effect::Dropped { what, count }));
        }
        *self = Self::default();
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bytes: usize) -> Effect {
        Effect::Event { name: "overheated".into(), data: Value::Text("x".repeat(bytes)) }
    }

    #[test]
    fn what_goes_beyond_a_limit_is_counted() {
        let limits = Limits { effects_per_call: 2, effect_bytes_per_call: 100, logs_per_call: 1, ..Limits::default() };
        let mut list = EffectList::default();
        list.emit(event(10), &limits);
        list.emit(event(90), &limits);
        list.emit(event(10), &limits);
        list.emit(event(10), &limits);
        list.log(LogLevel::Info, "é".repeat(LOG_BYTES_MAX), 1, &limits);
        list.log(LogLevel::Info, "one more".into(), 2, &limits);
        let effects = list.take(false);
        assert_eq!(effects.len(), 5, "{effects:?}");
        assert!(matches!(&effects[2], Effect::Log { message, .. } if message.len() == LOG_BYTES_MAX));
        assert_eq!(effects[3], Effect::Dropped { what: DroppedKind::Log, count: 1 });
        assert_eq!(effects[4], Effect::Dropped { what: DroppedKind::Event, count: 2 });
        assert!(list.take(false).is_empty(), "the next call starts anew");
    }

    #[test]
    fn a_trap_drops_state_changes_and_keeps_log_lines() {
        let mut list = EffectList::default();
        list.log(LogLevel::Error, "last words".into(), 1, &Limits::default());
        list.state("settings/x".into(), Some(vec![1]));
        let effects = list.take(true);
        assert!(matches!(effects.as_slice(), [Effect::Log { .. }]), "{effects:?}");
    }
}
