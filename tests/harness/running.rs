//! A program that runs beside a test until it is told to end: what it says is waited for.

use std::{
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{eventually, guard::Guard, lines::Lines};

/// A command on a slow, busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running program, ended with its guard.
#[derive(Debug)]
pub struct Running {
    process: Guard,
    lines: Lines,
}

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = Lines::of(&mut child);
        Ok(Self { process: Guard(child), lines })
    }

    /// Waits until it has said something that contains `text`, in one line.
    ///
    /// # Errors
    /// When it does not within `deadline`, or ends: what it said is in the error.
    pub fn says(&self, text: &str, deadline: Duration) -> Result<String> {
        let line = self.lines.first(deadline, |line| line.contains(text).then(|| line.to_owned()));
        line.with_context(|| format!("`{text}` was not said; output:\n{}", self.lines))
    }

    /// Waits for a line that `pick` takes something from.
    ///
    /// # Errors
    /// When none comes.
    pub fn line<T>(&self, pick: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.lines.first(DEADLINE, pick).with_context(|| format!("output:\n{}", self.lines))
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        self.lines.to_string()
    }

    /// Ctrl-C, and waits for its end.
    ///
    /// # Errors
    /// When it does not end within `deadline`.
    pub fn interrupt(self, deadline: Duration) -> Result<(ExitStatus, String)> {
        let status = Command::new("kill").arg("-INT").arg(self.process.0.id().to_string()).status()?;
        ensure!(status.success(), "it had ended:\n{}", self.lines);
        self.end(deadline)
    }

    /// Waits for its end; with what it said.
    ///
    /// # Errors
    /// When it does not end within `deadline`.
    pub fn end(mut self, deadline: Duration) -> Result<(ExitStatus, String)> {
        let status = eventually("it ends", deadline, || Ok(self.process.0.try_wait()?))
            .with_context(|| format!("output:\n{}", self.lines))?;
        Ok((status, self.lines.to_string()))
    }
}
