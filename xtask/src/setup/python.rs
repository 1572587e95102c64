//! Python and the packages of `tests/python/requirements.txt`, in an environment of their own in the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::apt;
use crate::{step, workspace};

const REQUIREMENTS: &str = "tests/python/requirements.txt";
/// Tests find the Python to use by this variable.
pub(crate) const PYTHON_VARIABLE: &str = "TIDEGATE_PYTHON";

/// Makes the environment unless it is there with just these packages. Returns its Python's path.
///
/// # Errors
/// When Python cannot be installed, or pip fails.
pub(crate) fn install() -> Result<PathBuf> {
    apt::install(&[apt::PYTHON_VENV])?;
    let requirements = workspace::root().join(REQUIREMENTS);
    let wanted = fs::read(&requirements).context(REQUIREMENTS)?;
    let folder = workspace::target().join("python");
    let (python, stamp) = (folder.join("bin/python"), folder.join(".installed-requirements"));
    let runs = step::first_line(&python.to_string_lossy(), &["--version"]).is_some();
    if runs && fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    step::run("making a Python environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let what = format!("installing the Python packages of {REQUIREMENTS}");
    step::run(&what, pip(&python).args(["install", "--quiet", "--require-hashes", "-r"]).arg(&requirements))?;
    fs::write(stamp, wanted)?;
    Ok(python)
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    command
}
