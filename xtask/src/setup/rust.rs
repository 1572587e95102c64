//! Parts of the Rust toolchain, through rustup.

use std::process::Command;

use anyhow::{Result, bail};

use crate::step;

/// What handlers are compiled for: no WASI, so that a handler can ask for nothing but its grants.
pub(crate) const HANDLER_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the handlers' target when it is missing.
///
/// # Errors
/// When it is missing and rustup is not there or fails.
pub(crate) fn handler_target() -> Result<()> {
    let installed = step::first_line("rustc", &["--print", "target-libdir", "--target", HANDLER_TARGET])
        .is_some_and(|folder| std::path::Path::new(&folder).is_dir());
    if installed { Ok(()) } else { add("target", HANDLER_TARGET) }
}

/// Adds rustfmt and clippy when they are missing (a minimal toolchain has neither).
///
/// # Errors
/// When one is missing and rustup is not there or fails.
pub(crate) fn lint_components() -> Result<()> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if step::first_line(program, &["--version"]).is_none() {
            add("component", component)?;
        }
    }
    Ok(())
}

fn add(kind: &str, name: &str) -> Result<()> {
    if step::first_line("rustup", &["--version"]).is_none() {
        bail!("the Rust {kind} `{name}` is missing, and so is rustup to add it (see README.md, Troubleshooting)");
    }
    step::run(&format!("adding the Rust {kind} {name}"), Command::new("rustup").args([kind, "add", name]))
}
