//! Compiles the guest crate into one core module.

use crate::BuildRequest;
use crate::guest::Guest;
use crate::toolchain::{NO_CARGO, TARGET, program};
use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The profile of handlers, told to cargo so that a crate outside this workspace has it too.
const PROFILE: [&str; 7] = [
    "inherits = \"release\"",
    "opt-level = 3",
    "lto = true",
    "codegen-units = 1",
    "panic = \"abort\"",
    "strip = true",
    "debug = false",
];

/// The bytes of the module.
pub(crate) fn compile(guest: &Guest, request: &BuildRequest) -> Result<Vec<u8>> {
    let mut command = Command::new(program("CARGO", "cargo"));
    command.args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "--profile", "handler"]);
    command.args(["--message-format", "json-render-diagnostics", "--package", &guest.name]);
    for setting in PROFILE {
        command.arg("--config").arg(format!("profile.handler.{setting}"));
    }
    if let Some(target_dir) = &request.target_dir {
        command.arg("--target-dir").arg(target_dir);
    }
    command.current_dir(&guest.manifest_dir).env("CARGO_ENCODED_RUSTFLAGS", flags(guest)).stdout(Stdio::piped());
    let mut cargo = command.spawn().context(NO_CARGO)?;
    let messages = cargo.stdout.take().context("cargo has an output")?;
    let mut module = None;
    for message in Message::parse_stream(BufReader::new(messages)) {
        // The guest is the last crate that cargo finishes.
        if let Message::CompilerArtifact(artifact) = message? {
            module = artifact.filenames.into_iter().find(|file| file.extension() == Some("wasm")).or(module);
        }
    }
    if !cargo.wait()?.success() {
        bail!("`{}` does not compile for {TARGET}\nhint: the reasons are above; nothing was changed", guest.name);
    }
    let module = module.with_context(|| format!("`{}` has no library\nhint: add src/lib.rs", guest.name))?;
    fs::read(&module).with_context(|| format!("cannot read {module}"))
}

/// Flags that cut the places of this machine from what is compiled, so that panics name files and digests do not
/// depend on where they lie.
fn flags(guest: &Guest) -> OsString {
    let mut flags = OsString::new();
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    // What lies in another place wins, whichever comes last: the innermost folders are named last.
    let own = [(Some(guest.workspace_dir.clone()), "/handler".to_owned()), (cargo_home, "/cargo".to_owned())];
    let beside = guest.beside.iter().filter(|(folder, _)| !folder.starts_with(&guest.workspace_dir));
    let beside = beside.map(|(folder, name)| (Some(folder.clone()), format!("/{name}")));
    for (place, name) in own.into_iter().chain(beside).filter_map(|(place, name)| Some((place?, name))) {
        if !flags.is_empty() {
            flags.push("\u{1f}"); // the separator of CARGO_ENCODED_RUSTFLAGS
        }
        flags.push("--remap-path-prefix=");
        flags.push(place);
        flags.push("=");
        flags.push(&name);
    }
    flags
}
