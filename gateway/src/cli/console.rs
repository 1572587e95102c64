//! What the commands print: outcomes to standard output, failures and progress to standard error.
//!
//! A reader that goes away (`| head`) ends a command quietly.

use std::{
    fmt,
    io::{self, Write as _},
    ops::ControlFlow,
};

use serde_json::Value;

use super::{
    Exit, Failure,
    terminal::{Screen, Tone, plain_json, plain_lines},
};

/// Prints `text` and a line end to standard output. A reader that went away is no failure.
pub(super) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// The same for one of many lines, sent at once; `Break` when nobody reads any more.
pub(super) fn print_on(text: impl fmt::Display) -> Result<ControlFlow<()>, Failure> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(unwritable(&error)),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::caused(Exit::Failed, "cannot write to standard output", error).with_hint("is there room where it goes to?")
}

/// Bytes as they are, for files that a shell reads.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

/// The `--json` of a command: one document on several lines.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(plain_json(&format!("{value:#}")))
}

/// Says something on the side, to standard error.
pub(super) fn note(text: impl fmt::Display) {
    // Without standard error there is nobody left to tell.
    drop(writeln!(io::stderr().lock(), "{}", plain_lines(&text.to_string())));
}

/// Prints a failure to standard error: `error:`, its causes, `hint:`.
pub fn report(failure: &Failure) {
    if failure.is_silent() {
        return;
    }
    // With standard error gone there is nobody left to tell; the exit code still says it.
    drop(io::stderr().lock().write_all(text_of(failure, Screen::error()).as_bytes()));
}

pub(super) fn text_of(failure: &Failure, screen: Screen) -> String {
    let mut text = format!("{} {}\n", screen.paint(Tone::Bad, "error:"), plain_lines(&failure.what));
    for cause in &failure.causes {
        text.push_str(&format!("  because: {}\n", plain_lines(cause)));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("{} {}\n", screen.paint(Tone::Good, "hint:"), plain_lines(hint)));
    }
    text
}

/// Two columns, the first as wide as its longest entry.
pub(super) fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect();
    lines.join("\n")
}
