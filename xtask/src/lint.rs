//! `cargo xtask lint`: format, clippy and rustdoc, warnings denied.

use std::process::ExitCode;

use anyhow::Result;

use crate::{handlers, setup::rust, step, workspace::cargo};

/// Runs all three; handlers are linted for their own target too, where code behind `cfg(target_arch)` is seen.
///
/// # Errors
/// At the first that complains.
pub(crate) fn run() -> Result<ExitCode> {
    rust::lint_components()?;
    rust::handler_target()?;
    step::run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let denied = ["--", "-D", "warnings"];
    step::run("clippy", cargo(&["clippy", "--workspace", "--all-targets"]).args(denied))?;
    let mut guests = cargo(&["clippy", "--target", rust::HANDLER_TARGET]);
    for guest in handlers::GUESTS {
        guests.args(["-p", guest.package]);
    }
    step::run("clippy of the handlers for wasm32", guests.args(denied))?;
    step::run("rustdoc", cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(ExitCode::SUCCESS)
}
