//! What the commands print: outcomes to standard output, failures to standard error.

use std::{
    fmt,
    io::{self, Write as _},
};

use super::{Exit, Failure};

/// Prints `text` and a line end to standard output. A reader that went away (`| head`) is no failure.
pub(super) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::caused(Exit::Failed, "cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Says something beside the outcome, to standard error.
pub(super) fn note(text: impl fmt::Display) {
    // With standard error gone there is nobody left to tell.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Prints a failure to standard error: `error:`, its causes, `hint:`.
pub fn report(failure: &Failure) {
    // With standard error gone there is nobody left to tell; the exit code still says it.
    drop(io::stderr().lock().write_all(text_of(failure).as_bytes()));
}

pub(super) fn text_of(failure: &Failure) -> String {
    let mut text = format!("error: {}\n", failure.what);
    for cause in &failure.causes {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

/// Two columns, the first as wide as its longest entry.
pub(super) fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect();
    lines.join("\n")
}
