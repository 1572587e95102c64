//! Builds a handler: a guest crate becomes a component that carries its own Thing Model.
//!
//! Always a step of `xtask` or of the CLI, never of a build script (cargo inside cargo would wait for its own lock).
//! It works for the guests of this workspace and for any crate outside it. The same sources give the same bytes,
//! wherever they lie: paths are cut from what is compiled.

mod compile;
mod encode;
mod guest;
mod model;
mod toolchain;

pub use encode::MODEL_SECTION;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What to build, and where to.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The folder of the guest crate, or of a workspace when `package` names a member.
    pub manifest_dir: PathBuf,
    /// The package, when the folder is a workspace's.
    pub package: Option<String>,
    /// Where `NAME.wasm` goes; by default `handlers/` in the target folder.
    pub out_dir: Option<PathBuf>,
    /// Where cargo compiles; by default where it always does for this crate.
    pub target_dir: Option<PathBuf>,
}

impl BuildRequest {
    /// The crate in `manifest_dir`.
    pub fn of_crate(manifest_dir: impl Into<PathBuf>) -> Self {
        Self { manifest_dir: manifest_dir.into(), ..Self::default() }
    }

    /// A member of the workspace in `manifest_dir`.
    pub fn of_package(manifest_dir: impl Into<PathBuf>, package: impl Into<String>) -> Self {
        Self { package: Some(package.into()), ..Self::of_crate(manifest_dir) }
    }
}

/// A built handler.
#[derive(Clone, Debug)]
pub struct Built {
    /// The package's name.
    pub name: String,
    /// The file that was written: `NAME.wasm`.
    pub component: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes, in hex: the name under which a gateway knows this version.
    pub digest: String,
}

/// What a handler is made of, before it is built.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The package's name.
    pub name: String,
    /// Its folder.
    pub manifest_dir: PathBuf,
    /// Its Thing Model, which may be missing.
    pub model: PathBuf,
}

/// Finds the crate that a request means.
///
/// # Errors
/// No cargo, no crate, no such package: each with what to do about it.
pub fn sources(request: &BuildRequest) -> Result<Sources> {
    let guest = guest::find(request)?;
    Ok(Sources { name: guest.name, manifest_dir: guest.manifest_dir, model: guest.model })
}

/// Builds one handler. What cargo says while it compiles goes to stderr.
///
/// # Errors
/// Each with what to do about it: no such package, no Thing Model, no wasm target, a compiler error, a crate that
/// exports no handler.
pub fn build(request: &BuildRequest) -> Result<Built> {
    let guest = guest::find(request)?;
    let model = model::load(&guest)?;
    toolchain::ensure_target(&guest.manifest_dir)?;
    let module = compile::compile(&guest, request)?;
    let bytes = encode::component(&module, &model).with_context(|| format!("handler `{}`", guest.name))?;
    let out_dir = request.out_dir.clone().unwrap_or_else(|| guest.target_dir.join("handlers"));
    let component = write(&out_dir, &guest.name, &bytes)?;
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Built { name: guest.name, component, bytes, digest })
}

/// Puts the file there whole or not at all: a gateway may be watching the folder.
fn write(out_dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let component = out_dir.join(name).with_extension("wasm");
    let unfinished = out_dir.join(format!(".{name}.{}.tmp", std::process::id()));
    fs::create_dir_all(out_dir)
        .and_then(|()| fs::write(&unfinished, bytes))
        .and_then(|()| fs::rename(&unfinished, &component))
        .with_context(|| format!("cannot write {}", component.display()))?;
    Ok(component)
}
