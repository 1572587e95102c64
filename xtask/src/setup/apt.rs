//! Programs from apt. As root they are installed; otherwise the one line that installs them is the error.

use std::{env, path::Path, process::Command};

use anyhow::{Result, bail};

use crate::step;

/// A program that a task runs, and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
}

/// The package manager of node: it brings node too.
pub(crate) const NPM: Program = Program { name: "npm", package: "npm" };
/// The load generator of the HTTP benches.
pub(crate) const WRK: Program = Program { name: "wrk", package: "wrk" };

/// Installs the packages of those programs that are missing, all at once.
///
/// # Errors
/// Without root: the apt line to type. With root: when apt fails.
pub(crate) fn install(programs: &[Program]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|program| !on_path(program.name)).map(|program| program.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if step::first_line("id", &["-u"]).as_deref() != Some("0") {
        bail!(
            "some programs are missing. Install them by\n\n  sudo apt-get install -y {}\n\nand run this again",
            missing.join(" ")
        );
    }
    step::run("refreshing apt's lists", apt().arg("update").arg("-qq"))?;
    let what = format!("installing {} from apt", missing.join(", "));
    step::run(&what, apt().args(["install", "-qq", "-y", "--no-install-recommends"]).args(&missing))
}

/// Whether a program of this name is on the PATH.
pub(crate) fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
