//! What comes from handlers and other machines reaches no terminal as it is; pipes get no colours and may close.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{CommandLine, Site, site};

use super::run;

/// Clears the screen, sets a title, turns letters around, in C0, C1 and direction marks; forges a line.
const HOSTILE: &str = "a\x1b[2J\x1b]0;t\x07\u{9b}31m\u{202e}b\r\nhint: trust me\u{7f}";

fn active(text: &str) -> bool {
    text.chars().any(|letter| letter != '\n' && (letter.is_control() || letter == '\u{202e}'))
}

#[test]
fn hostile_values_are_shown_and_not_obeyed() -> Result<()> {
    let site = Site::new()?;
    // A title may hold no control characters, and yet turn letters around.
    site.thing("lab", &format!("title = \"T\u{202e}x\"\n{}", site::LABORATORY))?;
    let gateway = site.start()?;
    let hostile = json!({"k\u{9b}": HOSTILE});
    let written = run(&gateway, &["thing", "write", "lab", "echo", &hostile.to_string(), "--json"])?.ok()?;
    ensure!(!active(&written.output), "{written:?}");
    run(&gateway, &["thing", "invoke", "lab", "say", HOSTILE])?.ok()?;
    for arguments in [
        &["thing", "list"][..],
        &["thing", "list", "--json"],
        &["thing", "show", "lab"],
        &["thing", "show", "lab", "--json"],
        &["thing", "read", "lab", "echo"],
        &["thing", "read", "lab", "echo", "--json"],
        &["thing", "observe", "lab", "echo", "--count", "1"],
        &["thing", "observe", "lab", "echo", "--count", "1", "--json"],
        &["handler", "log", "lab"],
        &["handler", "log", "lab", "--json"],
        &["handler", "show", "lab"],
    ] {
        let said = run(&gateway, arguments)?.ok()?;
        ensure!(!active(&said.output) && !active(&said.errors), "{arguments:?}: {said:?}");
        ensure!(!said.output.lines().any(|line| line.starts_with("hint:")), "{arguments:?}: {said:?}");
    }
    let read: Value = run(&gateway, &["thing", "read", "lab", "echo", "--json"])?.ok()?.json()?;
    ensure!(read["properties"]["echo"]["value"] == hostile, "{read}");
    Ok(())
}

#[test]
fn names_of_ones_own_that_are_hostile_are_not_obeyed_either() -> Result<()> {
    let gateway = super::gateway()?;
    for arguments in
        [&["thing", "show", HOSTILE][..], &["thing", "read", "lamp", HOSTILE], &["handler", "show", HOSTILE]]
    {
        let said = run(&gateway, arguments)?.failed(6, "there is no", "shows all")?;
        ensure!(!said.errors.contains('\x1b') && !said.errors.contains('\u{202e}'), "{said:?}");
    }
    Ok(())
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() -> Result<()> {
    let gateway = super::gateway()?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    for arguments in [&["thing", "list"][..], &["thing", "observe", "lamp"], &["completions", "bash"], &["--help"]] {
        let mut command = Command::new(tests::gateway::profile_folder()?.join("tidegate-under-test"));
        command.env("TIDEGATE_GATEWAY", format!("http://{}", gateway.client().address()));
        let output = command.args(arguments).stdout(writer.try_clone()?).stderr(Stdio::piped()).output()?;
        ensure!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.code() == Some(0), "{arguments:?}: {}", output.status);
    }
    Ok(())
}

#[test]
fn a_terminal_gets_colours_unless_it_does_not_want_them() -> Result<()> {
    let gateway = super::gateway()?;
    let url = format!("http://{}", gateway.client().address());
    let program = tests::gateway::profile_folder()?.join("tidegate-under-test");
    // `script` (util-linux) runs a command on a terminal of its own.
    let on_terminal = |variable: &str| -> Result<String> {
        let line = format!("{} thing list --gateway {url}", program.display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
        if !variable.is_empty() {
            command.env(variable, "1");
        }
        let output = command.output().context("script is missing")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (coloured, plain) = (on_terminal("")?, on_terminal("NO_COLOR")?);
    ensure!(coloured.contains("\x1b[1mNAME"), "{coloured:?}");
    ensure!(plain.contains("NAME") && !plain.contains('\x1b'), "{plain:?}");
    let piped = CommandLine::new(&["thing", "list"])?.of(&gateway).run()?.ok()?;
    ensure!(!piped.output.contains('\x1b'), "{piped:?}");
    Ok(())
}

#[test]
fn completions_and_man_pages_know_every_command() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let script = CommandLine::new(&["completions", shell])?.run()?.ok()?.output;
        ensure!(script.contains("observe") && script.contains("rollback"), "{shell}");
    }
    let site = Site::new()?;
    let folder = site.path().join("man");
    let name = folder.to_str().context("no UTF-8 path")?;
    CommandLine::new(&["man", name])?.run()?.ok()?;
    for page in ["tidegate.1", "tidegate-thing-observe.1", "tidegate-handler-push.1"] {
        let text = std::fs::read_to_string(folder.join(page))?;
        ensure!(text.contains(".SH NAME"), "{page}: {text}");
    }
    CommandLine::new(&["man", "/proc/no"])?.run()?.failed(1, "cannot write", "folder")?;
    Ok(())
}
