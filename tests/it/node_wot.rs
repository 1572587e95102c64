//! node-wot 0.8.16, as npm installs it, is an ordinary consumer of this gateway: scripts of `tests/node/`.

use anyhow::{Result, ensure};
use tests::{
    Site, node,
    site::{HOST_MONITOR, RELAY},
};

/// Runs a script against a gateway with a lamp and this machine; it says `ok` at its end.
fn run(script: &str) -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    let gateway = site.start()?;
    let origin = format!("http://{}", gateway.client().address());
    let output = node::run(script, &[&origin])?;
    ensure!(output.lines().any(|line| line == "ok"), "{script} said: {output}\n{}", gateway.output());
    Ok(())
}

#[test]
fn node_wot_reads_and_writes() -> Result<()> {
    run("properties.mjs")
}

#[test]
fn node_wot_invokes() -> Result<()> {
    run("actions.mjs")
}

#[test]
fn node_wot_observes_by_long_poll() -> Result<()> {
    run("observe.mjs")
}

#[test]
fn node_wot_explores_the_directory() -> Result<()> {
    run("explore.mjs")
}
