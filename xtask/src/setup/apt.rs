//! Programs from apt. As root they are installed; otherwise the one line that installs them is the error.

use std::{env, path::Path, process::Command};

use anyhow::{Result, bail};

use crate::step;

/// What a task runs, and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    package: &'static str,
    is_there: fn() -> bool,
}

/// The package manager of node: it brings node too.
pub(crate) const NPM: Program = Program { package: "npm", is_there: || on_path("npm") };
/// The load generator of the HTTP benches.
pub(crate) const WRK: Program = Program { package: "wrk", is_there: || on_path("wrk") };
/// The MQTT broker of the tests. Its package also starts one for the machine, which the tests leave alone.
pub(crate) const MOSQUITTO: Program = Program { package: "mosquitto", is_there: || on_path("mosquitto") };
/// Its command line clients.
pub(crate) const MOSQUITTO_CLIENTS: Program =
    Program { package: "mosquitto-clients", is_there: || on_path("mosquitto_sub") && on_path("mosquitto_rr") };
/// What lets system calls fail or kill.
pub(crate) const STRACE: Program = Program { package: "strace", is_there: || on_path("strace") };
/// Python with what makes environments of its own.
pub(crate) const PYTHON_VENV: Program = Program {
    package: "python3-venv",
    is_there: || {
        Command::new("python3").args(["-c", "import ensurepip, venv"]).output().is_ok_and(|o| o.status.success())
    },
};

/// Installs the packages of those programs that are missing, all at once.
///
/// # Errors
/// Without root: the apt line to type. With root: when apt fails.
pub(crate) fn install(programs: &[Program]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|program| !(program.is_there)()).map(|program| program.package).collect();
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

/// Whether a program of this name is on the PATH, or where Debian puts daemons, which only root has on it.
fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| Path::new(&folder).join(name).is_file())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
