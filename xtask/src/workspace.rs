//! Where things lie: the checkout, the target folder, and the cargo that runs this task.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The checkout's top folder.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target`.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Where built handlers lie: `NAME.wasm`.
pub(crate) fn handlers() -> PathBuf {
    target().join("handlers")
}

/// A cargo command in the checkout, by the cargo that started this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}
