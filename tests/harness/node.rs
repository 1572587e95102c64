//! Scripts of `tests/node/`, run by node with node-wot as npm installs it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{eventually, handlers};

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
    let log = tempfile::NamedTempFile::new()?;
    let mut child = Command::new(node)
        .current_dir(folder)
        .arg(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.reopen()?)
        .stderr(log.reopen()?)
        .spawn()
        .context("node is missing: `cargo xtask test` installs it")?;
    let ended = eventually(script, SCRIPT_DEADLINE, || Ok(child.try_wait()?));
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let output = std::fs::read_to_string(log.path())?;
    let status = ended.with_context(|| format!("output:\n{output}"))?;
    ensure!(status.success(), "{script} ended with {status}:\n{output}");
    Ok(output)
}
