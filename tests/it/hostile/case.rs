//! One case of the corpus: a component, where it strikes, and what is promised to whoever asks.

use serde_json::{Value, json};

use super::written::Guest;

/// The Thing Model that a case has unless it brings its own: nothing is said of the values, so that each one fits.
pub(super) const MODEL: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "Hostile",
    "properties": {"value": {}, "whole": {"type": "integer"}, "quiet": {}},
    "actions": {"go": {"input": {}}, "give": {"synchronous": true, "output": {}}},
    "events": {"storm": {"data": {}}}}"#;

/// What a caller gets: a status and, where it is a problem, its type.
pub(super) type Promise = (u16, &'static str);

pub(super) const OK: Promise = (200, "");
pub(super) const WRITTEN: Promise = (204, "");
pub(super) const BEGUN: Promise = (201, "");
pub(super) const DEADLINE: Promise = (503, "deadline");
pub(super) const OVERLOADED: Promise = (503, "overloaded");
pub(super) const SUSPENDED: Promise = (503, "suspended");
pub(super) const UNAVAILABLE: Promise = (503, "unavailable");
pub(super) const UNKNOWN: Promise = (404, "unknown-invocation");
pub(super) const TRAP: Promise = (500, "handler-trap");
pub(super) const FAILED: Promise = (500, "handler-failed");
pub(super) const WRONG: Promise = (500, "invalid-output");
pub(super) const DENIED: Promise = (500, "denied");
pub(super) const REFUSED: Promise = (400, "invalid-input");
pub(super) const FORBIDDEN: Promise = (403, "forbidden");

/// Where it strikes.
#[derive(Clone, Debug)]
pub(super) enum Strike {
    /// A property is read.
    Read(&'static str),
    /// A property is written.
    Write(&'static str, Value),
    /// An action is invoked.
    Invoke(&'static str, Value),
    /// The action that was invoked last is cancelled.
    Cancel,
    /// The button of the board is pressed, to which the Thing may listen.
    Press,
    /// The handler is left alone until its Thing stands so: `running`, `crash-loop`.
    Stands(&'static str),
    /// The Thing Description is asked for.
    Describe,
    /// What is known of its faults.
    Faults,
}

/// One step: a strike, the promises of which one is to be kept, and words that the answer has to have or must not have.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) strike: Strike,
    pub(super) promises: Vec<Promise>,
    pub(super) says: Vec<&'static str>,
    pub(super) never: Vec<&'static str>,
    pub(super) times: u32,
}

/// One hostile component.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) component: Vec<u8>,
    pub(super) pushed: Vec<Promise>,
    pub(super) refused_with: &'static str,
    pub(super) steps: Vec<Step>,
}

impl Case {
    /// A handler with the corpus's own Thing Model.
    pub(super) fn of(name: &str, guest: Guest) -> Self {
        Self::bytes(name, guest.model(MODEL).component())
    }

    /// Bytes that are pushed as they are. They are taken, unless something else is promised.
    pub(super) fn bytes(name: &str, component: Vec<u8>) -> Self {
        Self { name: name.to_owned(), component, pushed: vec![OK], refused_with: "", steps: Vec::new() }
    }

    /// It is refused when it is pushed, with these words.
    pub(super) fn refused(mut self, words: &'static str) -> Self {
        (self.pushed, self.refused_with) = (vec![REFUSED], words);
        self
    }

    /// It is refused when it is pushed, since it wants what was not granted.
    pub(super) fn forbidden(mut self, words: &'static str) -> Self {
        (self.pushed, self.refused_with) = (vec![FORBIDDEN], words);
        self
    }

    /// It is more than an upload may be.
    pub(super) fn too_large(mut self) -> Self {
        self.pushed = vec![(413, "too-large")];
        self
    }

    /// Strikes; one of the promises is to be kept.
    pub(super) fn strike(mut self, strike: Strike, promises: &[Promise]) -> Self {
        let promises = promises.to_vec();
        self.steps.push(Step { strike, promises, says: Vec::new(), never: Vec::new(), times: 1 });
        self
    }

    pub(super) fn read(self, promises: &[Promise]) -> Self {
        self.strike(Strike::Read("value"), promises)
    }

    pub(super) fn write(self, promises: &[Promise]) -> Self {
        self.strike(Strike::Write("value", json!("x")), promises)
    }

    pub(super) fn invoke(self, promises: &[Promise]) -> Self {
        self.strike(Strike::Invoke("go", json!("x")), promises)
    }

    /// The last strike is repeated; each time the same is promised.
    pub(super) fn times(mut self, times: u32) -> Self {
        self.last(|step| step.times = times);
        self
    }

    /// The answer to the last strike says this.
    pub(super) fn says(mut self, words: &'static str) -> Self {
        self.last(|step| step.says.push(words));
        self
    }

    /// The answer to the last strike never has this in it.
    pub(super) fn never(mut self, words: &'static str) -> Self {
        self.last(|step| step.never.push(words));
        self
    }

    fn last(&mut self, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.last_mut() {
            change(step);
        }
    }
}
