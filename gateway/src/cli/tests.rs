//! The command line's own rules.
use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_sound_and_its_help_teaches() {
    Cli::command().debug_assert();
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("Exit codes:") && help.contains("4  the gateway cannot be reached"), "{help}");
    for arguments in [&["serve"][..], &["handler", "push", "x.wasm"], &["demo", "--listen", "8080"], &[]] {
        let words = std::iter::once(&"tidegate").chain(arguments);
        assert_eq!(Cli::try_parse_from(words).unwrap_err().exit_code(), 2, "{arguments:?}");
    }
    assert!(Cli::try_parse_from(["tidegate", "serve", "--config", "x", "--listen", "[::1]:0"]).is_ok());
}

#[test]
fn a_failure_is_an_error_its_causes_and_a_hint() {
    let cause = std::io::Error::other("broken");
    let failure = Failure::caused(Exit::Failed, "cannot do it", &cause).with_hint("try again");
    assert_eq!(
        console::text_of(&failure, terminal::Screen::of(false, 80)),
        "error: cannot do it\n  because: broken\nhint: try again\n"
    );
}
