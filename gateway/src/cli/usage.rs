//! A wrong command line: clap's words, and a `hint:` as every other failure has it.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Error, error::ErrorKind};

use super::Cli;

/// What clap says where it knows no better.
const NO_TIP: &str = "For more information, try '--help'.";

/// Prints why `words`, the command line, could not be read, or the help that was asked for.
pub fn report(error: &Error, words: impl Iterator<Item = OsString>) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A reader that went away is no failure.
        drop(error.print());
        return code;
    }
    let said = advised(&error.render().to_string(), &command(words));
    drop(io::stderr().lock().write_all(said.as_bytes()));
    code
}

/// The text with a hint at its end.
fn advised(text: &str, command: &str) -> String {
    let what = text.trim_end().trim_end_matches(NO_TIP).trim_end();
    format!("{what}\n\nhint: `{command} --help` says what it takes\n")
}

/// The command that was meant, as far as its words are known: `tidegate thing read`.
fn command(words: impl Iterator<Item = OsString>) -> String {
    let mut known = Cli::command();
    let mut named = known.get_name().to_owned();
    for word in words.skip(1) {
        let Some(next) = known.find_subcommand(&word).cloned() else { break };
        named = format!("{named} {}", next.get_name());
        known = next;
    }
    named
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn every_wrong_command_line_has_a_hint_that_names_its_command() {
        for (words, hint) in [
            (&["thing", "read"][..], "`tidegate thing read --help`"),
            (&["thing", "list", "--timeout", "0"], "`tidegate thing list --help`"),
            (&["serve", "--listen", "8080"], "`tidegate serve --help`"),
            (&["thing", "list", "--jso"], "`tidegate thing list --help`"),
            (&["thng"], "`tidegate --help`"),
            (&["handler", "push", "lamp", "x.wasm", "--grant", "coil"], "`tidegate handler push --help`"),
        ] {
            let words: Vec<&str> = std::iter::once("tidegate").chain(words.iter().copied()).collect();
            let error = Cli::try_parse_from(&words).unwrap_err();
            let said = advised(&error.render().to_string(), &command(words.iter().map(OsString::from)));
            assert!(said.starts_with("error: ") && !said.contains(NO_TIP), "{said}");
            let last = said.lines().last().unwrap_or_default();
            assert!(last.starts_with("hint: ") && last.contains(hint), "{said}");
        }
    }
}
