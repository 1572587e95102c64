//! `cargo xtask test`: sets up what tests need, runs all of them and repeats the runner's closing lines at the end.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{
    handlers,
    setup::{apt, node, permissions, python},
    step::{self, say},
    workspace,
};

/// Runs `cargo test --workspace`, further arguments passed on.
///
/// # Errors
/// When something cannot be set up or the runner cannot be started; failed tests are the exit code.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    apt::install(&[apt::NPM, apt::MOSQUITTO, apt::MOSQUITTO_CLIENTS, apt::PYTHON_VENV, apt::STRACE])?;
    let node = node::install(&["tests/node"])?;
    let python = python::install()?;
    handlers::build()?;
    step::step("running all tests", || {
        let mut command = workspace::cargo(&["test", "--workspace", "--no-fail-fast"]);
        command.args(arguments).env(node::NODE_VARIABLE, node).env(python::PYTHON_VARIABLE, python);
        let left_out = permissions::denied(&mut command);
        let mut runner = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let output = runner.stdout.take().context("cargo has no output")?;
        let closing = pass_on(BufReader::new(output), io::stdout().lock())?;
        let status = runner.wait()?;
        let total = Counts::sum(&closing);
        say(&closing.join("\n"));
        left_out.iter().for_each(|what| say(what));
        say(&format!("{} passed, {} failed", total.passed, total.failed));
        Ok(if status.success() && total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Copies the runner's output as it comes; returns its closing lines.
fn pass_on(output: impl BufRead, mut console: impl Write) -> Result<Vec<String>> {
    let mut closing = Vec::new();
    for line in output.lines() {
        let line = line?;
        writeln!(console, "{line}")?;
        if line.starts_with("test result: ") {
            closing.push(line);
        }
    }
    Ok(closing)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    fn sum(closing: &[String]) -> Self {
        closing.iter().fold(Self::default(), |total, line| Self {
            passed: total.passed + count(line, "passed"),
            failed: total.failed + count(line, "failed"),
        })
    }
}

/// The number before `word` in `test result: ok. 12 passed; 0 failed; 0 ignored; ..`.
fn count(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split([' ', ';']).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed() {
        let output = "running 2 tests\n\
            test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            noise\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let closing = {
            let mut console = Vec::new();
            let closing = pass_on(output.as_bytes(), &mut console).unwrap();
            assert_eq!(console, output.as_bytes());
            closing
        };
        assert_eq!(closing.len(), 2);
        assert_eq!(Counts::sum(&closing), Counts { passed: 15, failed: 2 });
    }
}
