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
    /// What failed, in one sentence; details may follow on further lines.
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
}
