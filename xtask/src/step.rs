//! Running a command as a step that is announced, timed, and named when it fails.
//!
//! Everything is said on stderr, so that the output of what a task runs stays as it is.

use std::{
    io::Write as _,
    process::{Command, ExitStatus},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

/// Tells the person at the console. A closed console is no reason to stop.
pub(crate) fn say(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{}", line.trim_end()));
}

/// Announces `what`, does it and says how long it took.
///
/// # Errors
/// The error of `work`, with `what` in front.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("==> {what}"));
    let started = Instant::now();
    let result = work().with_context(|| format!("{what}: failed"))?;
    say(&format!("    {what}: {:.1} s", started.elapsed().as_secs_f64()));
    Ok(result)
}

/// Runs a command to its end as a step.
///
/// # Errors
/// When it cannot be started or does not end with 0.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    step(what, || {
        let status = status(command)?;
        if !status.success() {
            bail!("`{}` ended with {status}", shown(command));
        }
        Ok(())
    })
}

/// Runs a command to its end, output as it comes.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start `{}`", shown(command)))
}

/// The first line that a command prints, or `None` when it does not exist or fails.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
