//! Where handlers come from: the handlers folder, `NAME.wasm` for the handler called NAME.
//!
//! Only reads. Whether a component is any good is the engine's matter; which version of a Thing serves is the store's.

mod news;
mod watch;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

pub(crate) use watch::Arrival;

/// The handlers folder.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    folder: PathBuf,
    component_bytes_max: usize,
}

impl Repository {
    /// The folder; no component in it may be larger than `component_bytes_max`.
    pub(crate) fn new(folder: PathBuf, component_bytes_max: usize) -> Self {
        Self { folder, component_bytes_max }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The component of the handler called `name`; `None` when the folder has none.
    ///
    /// # Errors
    /// What stood in the way of reading it.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = match open(&self.file(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes_max = u64::try_from(self.component_bytes_max).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > self.component_bytes_max {
            let message = format!("the component is larger than {bytes_max} bytes (`component-bytes-max`)");
            return Err(Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(Some(bytes))
    }

    /// From now on tells which of these handlers have come anew. Ends when the receiver is dropped.
    ///
    /// # Errors
    /// When the kernel gives no inotify.
    pub(crate) fn watch(&self, handlers: BTreeSet<String>) -> Result<mpsc::Receiver<Arrival>> {
        watch::watch(self.clone(), handlers)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }
}

/// A pipe under a handler's name must not hold up who opens it.
fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::new(ErrorKind::InvalidInput, "it is no file")) }
}
