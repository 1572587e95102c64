//! The components that tests run: built once for each test program, from the sources of now.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Result, anyhow};
use handler_build::BuildRequest;

/// Packages that become handlers, by folder.
const GUESTS: [&str; 6] = [
    "handlers/bme280",
    "handlers/button",
    "handlers/host-monitor",
    "handlers/led",
    "handlers/relay",
    "tests/guests/laboratory",
];

/// The checkout.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Cargo's target folder: this program lies in `TARGET/PROFILE/deps/`.
///
/// # Errors
/// When this program does not know where it lies.
pub fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3);
    Ok(target.ok_or_else(|| anyhow!("no target folder above {}", program.display()))?.to_path_buf())
}

/// The folder with all handlers, as `NAME.wasm`.
///
/// # Errors
/// When one does not compile.
pub fn folder() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone().map_err(|error| anyhow!(error))
}

/// The bytes of one handler.
///
/// # Errors
/// When it is not there.
pub fn component(name: &str) -> Result<Vec<u8>> {
    Ok(fs::read(folder()?.join(name).with_extension("wasm"))?)
}

fn build() -> Result<PathBuf> {
    let target = target()?;
    let folder = target.join("handlers");
    for guest in GUESTS {
        let request = BuildRequest {
            out_dir: Some(folder.clone()),
            target_dir: Some(target.clone()),
            ..BuildRequest::of_crate(root().join(guest))
        };
        handler_build::build(&request)?;
    }
    Ok(folder)
}

/// A version of the laboratory that does a wrong of its own: `WHERE:HOW`, as its setting `misbehave` names it.
///
/// # Errors
/// When the laboratory is not there, or `wrong` is longer than 22 bytes.
pub fn misbehaving(wrong: &str) -> Result<Vec<u8>> {
    const MARK: &[u8] = b"laboratory-wrong:";
    const ROOM: usize = 22;
    let mut bytes = component("laboratory")?;
    let place = bytes.windows(MARK.len()).position(|window| window == MARK).map(|start| start + MARK.len());
    let place = place.ok_or_else(|| anyhow!("the laboratory has no room for a wrong"))?;
    let room = bytes.get_mut(place..place + ROOM).filter(|room| wrong.len() <= room.len());
    let room = room.ok_or_else(|| anyhow!("`{wrong}` is longer than {ROOM} bytes"))?;
    room[..wrong.len()].copy_from_slice(wrong.as_bytes());
    Ok(bytes)
}

/// The same handler under another digest: a custom section with `mark` is appended, which changes nothing that runs.
///
/// # Errors
/// When the handler is not there, or `mark` is longer than 100 bytes.
pub fn variant(name: &str, mark: &str) -> Result<Vec<u8>> {
    const SECTION: &str = "variant";
    let mut bytes = component(name)?;
    // Core and component binary format alike: id 0, size, length of the name, name, content.
    let size = u8::try_from(1 + SECTION.len() + mark.len()).ok().filter(|size| *size < 0x80);
    let size = size.ok_or_else(|| anyhow!("`{mark}` is too long for a mark"))?;
    bytes.extend([0, size, u8::try_from(SECTION.len())?]);
    bytes.extend(SECTION.bytes().chain(mark.bytes()));
    Ok(bytes)
}
