//! Node and the packages of one folder with a `package-lock.json`.
//!
//! Debian's node may be older than what the packages want: then node itself comes from npm, into the target folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::apt;
use crate::{step, workspace};

/// The oldest node that runs everything here.
const NODE_MIN: (u32, u32) = (20, 19);
/// What is fetched from npm where the machine's node is older.
const NODE_PACKAGE: &str = "node@22";
/// Tests and benches find the node to use by this variable.
pub(crate) const NODE_VARIABLE: &str = "TIDEGATE_NODE";

/// Finds a node that is new enough, or fetches one; installs the packages of each folder. Returns node's path.
///
/// # Errors
/// When npm cannot be installed, or npm fails.
pub(crate) fn install(folders: &[&str]) -> Result<PathBuf> {
    apt::install(&[apt::NPM])?;
    let node = runtime()?;
    for folder in folders {
        packages(&workspace::root().join(folder), &node)?;
    }
    Ok(node)
}

fn runtime() -> Result<PathBuf> {
    if is_new_enough("node") {
        return Ok("node".into());
    }
    let folder = workspace::target().join("node");
    let node = folder.join("node_modules/node/bin/node");
    if !is_new_enough(&node.to_string_lossy()) {
        fs::create_dir_all(&folder)?;
        let what = format!("fetching {NODE_PACKAGE} from npm (this machine's node is missing or older than 20.19)");
        // npm refuses install scripts of a folder without package.json; this package's script picks the architecture.
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        step::run(&what, npm(&folder, Path::new("node"))?.args(["install", "--no-audit", "--no-fund", NODE_PACKAGE]))?;
    }
    Ok(node)
}

/// `npm ci` unless the lock file is the one that was installed last.
fn packages(folder: &Path, node: &Path) -> Result<()> {
    let lock =
        fs::read(folder.join("package-lock.json")).with_context(|| format!("no lock in {}", folder.display()))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let what = format!("installing npm packages in {}", folder.strip_prefix(workspace::root())?.display());
    step::run(&what, npm(folder, node)?.args(["ci", "--no-audit", "--no-fund"]))?;
    Ok(fs::write(stamp, lock)?)
}

/// npm in a folder, with `node` first on its PATH.
fn npm(folder: &Path, node: &Path) -> Result<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let first = node.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf);
    let mut command = Command::new("npm");
    command.current_dir(folder).env("PATH", env::join_paths(first.into_iter().chain(env::split_paths(&path)))?);
    Ok(command)
}

fn is_new_enough(node: &str) -> bool {
    step::first_line(node, &["--version"]).and_then(|line| version(&line)).is_some_and(|version| version >= NODE_MIN)
}

/// `v20.19.2` is (20, 19).
fn version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("v20.19.2"), Some((20, 19)));
        assert!(version("v9.30.0").unwrap() < NODE_MIN);
        assert!(version("v100.0.0").unwrap() >= NODE_MIN);
        assert_eq!(version("20.19.2"), None);
        assert_eq!(version("vx"), None);
    }
}
