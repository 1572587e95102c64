//! `cargo xtask bench [NAME]`: sets up load generator and peers, builds for speed, runs the benches.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{
    handlers,
    setup::{apt, node},
    step, workspace,
};

/// The benches, in the order in which all are run; each is one file of `benches/` and one table of `benches/results/`.
const BENCHES: [&str; 9] = [
    "footprint",
    "handler_call",
    "mqtt",
    "observers",
    "property_read",
    "recovery",
    "replace",
    "sensor_read",
    "startup",
];

/// Runs all benches or the one that is named.
///
/// # Errors
/// When there is none of that name, or something cannot be set up, built or run.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let chosen: Vec<&str> = match arguments {
        [] => BENCHES.to_vec(),
        [name] => BENCHES.into_iter().filter(|bench| bench == name).collect(),
        _ => Vec::new(),
    };
    if chosen.is_empty() {
        bail!("no such bench: there are {}", BENCHES.join(", "));
    }
    apt::install(&[apt::WRK, apt::NPM, apt::MOSQUITTO])?;
    let node = node::install(&["benches/node"])?;
    handlers::build()?;
    // Together: built alone, the gateway would get other features of its dependencies, and Wasmtime compiles twice. With
    // `--bins`: without it the benches would measure the program of an earlier build.
    let build = ["build", "--release", "-p", "tidegate", "-p", "benches", "--bins", "--benches"];
    step::run("building the gateway and the benches (release)", &mut workspace::cargo(&build))?;
    for bench in chosen {
        let mut command = workspace::cargo(&["bench", "-p", "tidegate", "-p", "benches", "--bench", bench]);
        step::run(&format!("bench {bench}"), command.env(node::NODE_VARIABLE, &node))?;
    }
    Ok(ExitCode::SUCCESS)
}
