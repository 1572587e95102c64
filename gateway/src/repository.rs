//! Where handlers come from: the handlers folder, `NAME.wasm` for the handler called NAME.
//!
//! Only reads. Whether a component is any good is the engine's matter; which version of a Thing serves is the store's.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest component, in bytes.
const COMPONENT_BYTES_MAX: u64 = 16 << 20;

/// The handlers folder.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    folder: PathBuf,
}

impl Repository {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The component of the handler called `name`; `None` when the folder has none.
    ///
    /// # Errors
    /// What stood in the way of reading it.
    pub(crate) fn find(&self, name: &str) -> std::io::Result<Option<Vec<u8>>> {
        let file = match std::fs::File::open(self.folder.join(format!("{name}.wasm"))) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        let read = file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if u64::try_from(read).is_ok_and(|read| read > COMPONENT_BYTES_MAX) {
            let message = format!("the component is larger than {COMPONENT_BYTES_MAX} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
        }
        Ok(Some(bytes))
    }
}
