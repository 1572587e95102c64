//! Scripts of `tests/node/`, run by node with node-wot as npm installs it.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{handlers, program};

/// A script connects, talks and ends; node's own start is most of it.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(60);

/// Runs a script to its end; its output when it ended with 0.
///
/// # Errors
/// When node or its packages are missing, or the script failed: its output is in the error.
pub fn run(script: &str, arguments: &[&str]) -> Result<String> {
    let folder = handlers::root().join("tests/node");
    ensure!(folder.join("node_modules").is_dir(), "npm packages are missing: `cargo xtask test` installs them");
    let node = std::env::var_os("TIDEGATE_NODE").unwrap_or_else(|| "node".into());
    let mut command = Command::new(node);
    command.current_dir(folder).arg(script).args(arguments);
    program::run(&mut command, b"", SCRIPT_DEADLINE).with_context(|| script.to_owned())
}
