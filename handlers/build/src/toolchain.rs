//! Makes sure that the compiler has the target of handlers.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No WASI: a handler sees its imports and nothing else.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
pub(crate) const NO_CARGO: &str = "cannot run cargo: it is not installed, or not on the PATH\nhint: install Rust by rustup \
    (https://rustup.rs), then open a new shell or run `. ~/.cargo/env`";

/// Adds the target through rustup when it is missing, and says so. It asks the compiler that the guest's folder
/// selects: a `rust-toolchain.toml` there counts.
pub(crate) fn ensure_target(manifest_dir: &Path) -> Result<()> {
    if standard_library(manifest_dir)?.is_dir() {
        return Ok(());
    }
    writeln!(std::io::stderr(), "adding the Rust target {TARGET} (rustup target add {TARGET})")?;
    match Command::new("rustup").args(["target", "add", TARGET]).current_dir(manifest_dir).status() {
        Ok(status) if status.success() && standard_library(manifest_dir)?.is_dir() => Ok(()),
        Ok(_) => bail!(
            "the Rust target {TARGET} is not installed, and rustup could not add it\nhint: rustup says why above; is there \
             a network? Then try `rustup target add {TARGET}` again"
        ),
        Err(_) => bail!(
            "the Rust target {TARGET} is not installed, and there is no rustup that could add it\nhint: install Rust by \
             rustup (https://rustup.rs), or your distribution's package of Rust's standard library for {TARGET}"
        ),
    }
}

fn standard_library(manifest_dir: &Path) -> Result<PathBuf> {
    let mut command = Command::new(program("RUSTC", "rustc"));
    let answer = command.args(["--print", "target-libdir", "--target", TARGET]).current_dir(manifest_dir).output();
    let answer = answer.context(
        "cannot run rustc: it is not installed, or not on the PATH\nhint: install Rust by rustup (https://rustup.rs)",
    )?;
    if !answer.status.success() {
        let why = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        bail!("rustc does not know the target {TARGET}: {why}\nhint: bring Rust up to date by `rustup update`");
    }
    let path = String::from_utf8(answer.stdout).context("rustc answered no text")?;
    Ok(PathBuf::from(path.trim()))
}

/// The program that cargo named in the environment when we run under it, else the one on the path.
pub(crate) fn program(variable: &str, name: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}
