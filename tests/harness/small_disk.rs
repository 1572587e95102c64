//! A file system of a few megabytes for a gateway's data, which can really be full: a tmpfs in a mount namespace of the
//! gateway's own, gone with it.
//!
//! Where namespaces are not permitted, who runs the tests has to say so, by the variable [`NOT_PERMITTED`].

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// Set by who runs the tests, where namespaces are not permitted and a person was told so.
pub const NOT_PERMITTED: &str = "TIDEGATE_NO_NAMESPACES";
/// What the rest of the space is filled with at a time, in bytes.
const PIECE: usize = 4096;

/// Whether there can be one. `false` only where [`NOT_PERMITTED`] says that this is known.
///
/// # Errors
/// When there cannot, and nobody has said so.
pub fn is_permitted() -> Result<bool> {
    let made = Command::new("unshare").args(["-r", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output()?;
    if made.status.success() {
        return Ok(true);
    }
    if std::env::var_os(NOT_PERMITTED).is_some() {
        return Ok(false);
    }
    let reason = String::from_utf8_lossy(&made.stderr).into_owned();
    bail!("no file system of one's own here: {reason}\nset {NOT_PERMITTED} to leave out what needs it")
}

/// What runs a program with a new file system of so many bytes at `folder`. The program keeps the process id.
pub fn at(folder: &Path, bytes: u64) -> Vec<OsString> {
    let script = format!("mkdir -p \"$0\" && mount -t tmpfs -o size={bytes} none \"$0\" && exec \"$@\"");
    let mut runner: Vec<OsString> = ["unshare", "-r", "-m", "sh", "-c"].map(OsString::from).into();
    runner.extend([script.into(), folder.into()]);
    runner
}

/// Where `path` of a process's own file systems is seen from here.
pub fn seen(process: u32, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").unwrap_or(path);
    Path::new("/proc").join(process.to_string()).join("root").join(inside)
}

/// A file that takes all the space there is, until it is dropped.
#[derive(Debug)]
pub struct Filler {
    path: PathBuf,
}

impl Filler {
    /// Fills the file system of `folder`.
    ///
    /// # Errors
    /// When it cannot be written to for another reason.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join("filler");
        let mut file = File::create(&path).with_context(|| format!("no {}", path.display()))?;
        let filler = Self { path };
        loop {
            match file.write_all(&[0; PIECE]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(filler),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // Gone with its file system, if that is gone.
        drop(fs::remove_file(&self.path));
    }
}
