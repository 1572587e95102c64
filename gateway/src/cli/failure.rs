//! How a command fails: an exit code that scripts can rely on, a sentence, its causes and a hint.

use std::{error::Error, fmt, process::ExitCode};

/// The documented ways to end without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed while running.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration has faults.
    Configuration = 3,
    /// The gateway cannot be reached.
    Unreachable = 4,
    /// The gateway has answered, and refused.
    Refused = 5,
    /// There is no such Thing, property, action or event.
    Unknown = 6,
    /// The gateway wants a token, or another one.
    Unauthorized = 7,
    /// Ctrl-C: 128 and the number of SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What failed, in one sentence; details may follow on further lines. Empty: all has been said.
    pub what: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, what: what.to_string(), causes: Vec::new(), hint: None }
    }

    /// An end that is no success, and was told on standard output.
    pub(super) fn told(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Whether there is nothing left to say.
    pub(super) fn is_silent(&self) -> bool {
        self.what.is_empty()
    }

    /// A failure with the chain of causes of `error`.
    pub(super) fn caused(exit: Exit, what: impl fmt::Display, error: &(dyn Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = Some(error);
        // The chain of a well-formed error is short; the limit is for one that refers to itself.
        while let Some(cause) = next.filter(|_| causes.len() < 16) {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self { causes, ..Self::new(exit, what) }
    }

    #[must_use]
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The failure in one sentence, for a row of a table.
    pub(super) fn sentence(&self) -> String {
        match self.causes.last() {
            Some(cause) => format!("{}: {cause}", self.what),
            None => self.what.clone(),
        }
    }
}
