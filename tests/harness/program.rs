//! Programs that run to their end: output of both streams, with a deadline.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{eventually, guard::Guard};

/// Runs `command` with `input` to its end; its output when it ended with 0.
///
/// # Errors
/// When it cannot be started, is not done within `deadline` or failed: its output is in the error.
pub(crate) fn run(command: &mut Command, input: &[u8], deadline: Duration) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut stdin = tempfile::tempfile()?;
    stdin.write_all(input)?;
    stdin.rewind()?;
    // One open file with one offset: neither stream writes over the other.
    let output = tempfile::tempfile()?;
    command.stdin(stdin).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let mut process = spawn(command)?;
    let ended = eventually(&name, deadline, || Ok(process.0.try_wait()?));
    drop(process);
    let text = text(output)?;
    let status = ended.with_context(|| format!("output:\n{text}"))?;
    ensure!(status.success(), "{name} ended with {status}:\n{text}");
    Ok(text)
}

/// Starts a program that the tests' set-up installs.
///
/// # Errors
/// When it is not there.
pub(crate) fn spawn(command: &mut Command) -> Result<Guard> {
    let name = command.get_program().to_string_lossy().into_owned();
    let process = command.spawn().with_context(|| format!("{name} is missing: `cargo xtask test` installs it"))?;
    Ok(Guard(process))
}

fn text(mut output: File) -> Result<String> {
    output.rewind()?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
