//! Makes sure that the compiler has the target of handlers.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No WASI: a handler sees its imports and nothing else.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Adds the target through rustup when it is missing, and says so. It asks the compiler that the guest's folder
/// selects: a `rust-toolchain.toml` there counts.
pub(crate) fn ensure_target(manifest_dir: &Path) -> Result<()> {
    if standard_library(manifest_dir)?.is_dir() {
        return Ok(());
    }
    writeln!(std::io::stderr(), "adding the Rust target {TARGET} (rustup target add {TARGET})")?;
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(manifest_dir).status();
    if added.is_ok_and(|status| status.success()) && standard_library(manifest_dir)?.is_dir() {
        return Ok(());
    }
    bail!(
        "the Rust target {TARGET} is not installed and could not be added\nhint: run `rustup target add {TARGET}`; \
         without rustup, install your distribution's package of the Rust standard library for {TARGET}"
    )
}

fn standard_library(manifest_dir: &Path) -> Result<PathBuf> {
    let mut command = Command::new(program("RUSTC", "rustc"));
    let answer = command.args(["--print", "target-libdir", "--target", TARGET]).current_dir(manifest_dir).output();
    let answer = answer.context("cannot run rustc\nhint: install Rust from https://rustup.rs")?;
    let path = String::from_utf8(answer.stdout).context("rustc answered no text")?;
    Ok(PathBuf::from(path.trim()))
}

/// The program that cargo named in the environment when we run under it, else the one on the path.
pub(crate) fn program(variable: &str, name: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}
