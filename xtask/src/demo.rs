//! `cargo xtask demo`: everything that is needed, then a gateway whose Things can be tried at once.

use std::{os::unix::process::CommandExt as _, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{handlers, step, workspace};

/// Builds handlers and gateway (release), then becomes `tidegate demo`.
///
/// The gateway takes the place of this program, so that Ctrl-C and signals reach it and nothing else.
///
/// # Errors
/// When something cannot be built or the gateway cannot be started.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let folder = handlers::build()?;
    step::run("building the gateway (release)", &mut workspace::cargo(&["build", "--release", "-p", "tidegate"]))?;
    let gateway = workspace::target().join("release/tidegate");
    step::say("==> running the gateway; Ctrl-C ends it");
    let error = std::process::Command::new(&gateway).arg("demo").arg("--handlers").arg(folder).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}", gateway.display()))
}
