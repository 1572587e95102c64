//! The command line as a user has it: the program under test with a gateway in its environment, run to its end or read
//! while it runs.

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{Gateway, Running, gateway};

/// A command line of the program, still to be run.
#[derive(Debug)]
pub struct CommandLine(Command);

/// What it said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl CommandLine {
    /// `tidegate ARGUMENTS..`, with nothing of this test's environment that the command line would read.
    ///
    /// # Errors
    /// When the program is not there.
    pub fn new(arguments: &[&str]) -> Result<Self> {
        let mut command = gateway::program()?;
        let read = ["TIDEGATE_GATEWAY", "TIDEGATE_TOKEN", "TIDEGATE_TOKEN_FILE", "TIDEGATE_CA_FILE", "NO_COLOR"];
        for name in read.iter().chain(&["SSL_CERT_FILE", "SSL_CERT_DIR"]) {
            command.env_remove(name);
        }
        command.args(arguments).stdin(Stdio::null());
        Ok(Self(command))
    }

    /// The same for this gateway.
    #[must_use]
    pub fn of(self, gateway: &Gateway) -> Self {
        self.env("TIDEGATE_GATEWAY", &format!("http://{}", gateway.client().address()))
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or was ended by a signal.
    pub fn run(mut self) -> Result<Said> {
        let Output { status, stdout, stderr } = self.0.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = status.code().with_context(|| format!("{status}: {}", text(&stderr)))?;
        Ok(Said { code, output: text(&stdout), errors: text(&stderr) })
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut self) -> Result<Running> {
        Running::start(&mut self.0)
    }
}

impl Said {
    /// This, when it was a success.
    ///
    /// # Errors
    /// When it was none: what it said is in the error.
    pub fn ok(self) -> Result<Self> {
        self.expect(0)
    }

    /// This, when it ended with `code`; a failure has an `error:` and a `hint:`.
    ///
    /// # Errors
    /// When it did not.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(self.code == code, "expected {code}, got {self:?}");
        Ok(self)
    }

    /// The failure with `code` whose `error:` and `hint:` hold these words.
    ///
    /// # Errors
    /// When it is another one, or has no hint.
    pub fn failed(self, code: i32, error: &str, hint: &str) -> Result<Self> {
        let said = self.expect(code)?;
        let line = |start: &str| said.errors.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        ensure!(line("error: ").contains(error), "no `{error}`: {said:?}");
        ensure!(line("hint: ").contains(hint), "no hint `{hint}`: {said:?}");
        Ok(said)
    }

    /// Standard output as one JSON document.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.output).with_context(|| format!("no JSON: {self:?}"))
    }
}
