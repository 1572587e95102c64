//! The peer: node-wot's counter servient from npm, as its own examples write it, on a free port.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// The running peer; ended with this guard.
#[derive(Debug)]
pub struct NodeWot {
    process: Child,
    /// Where its counter lies: `{url}/properties/count`, `{url}/properties/state`.
    pub url: String,
}

impl NodeWot {
    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// When node or its packages are missing, or it ends.
    pub fn start() -> Result<Self> {
        let node = std::env::var_os("TIDEGATE_NODE").unwrap_or_else(|| "node".into());
        let mut process = Command::new(node)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("node"))
            .arg("counter.mjs")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("node is missing: `cargo xtask bench` installs it")?;
        let output = process.stdout.take().context("node has no output")?;
        let mut peer = Self { process, url: String::new() };
        let said = BufReader::new(output).lines().map_while(Result::ok).find(|line| line.starts_with("http://"));
        peer.url = said.context("the peer ended before it listened; `cargo xtask bench` installs its packages")?;
        Ok(peer)
    }
}

impl Drop for NodeWot {
    fn drop(&mut self) {
        // Both fail when it has ended already: what was wanted.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
