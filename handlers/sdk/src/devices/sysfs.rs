//! Granted files of sysfs and procfs.

use super::error::DeviceError;
use crate::bindings::tidegate::thing::sysfs;
pub use sysfs::SpaceOf as Space;

/// A granted file, or a path whose file system may be asked for its free space.
#[derive(Debug)]
pub struct SysfsFile {
    slot: u32,
}

impl SysfsFile {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }

    /// All bytes of the file, at most 64 KiB.
    ///
    /// # Errors
    /// What the kernel or the grant says.
    pub fn read(&self) -> Result<Vec<u8>, DeviceError> {
        sysfs::read(self.slot)
    }

    /// The file as text; bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// As [`SysfsFile::read`].
    pub fn read_text(&self) -> Result<String, DeviceError> {
        self.read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes the file in one go.
    ///
    /// # Errors
    /// What the kernel or the grant says.
    pub fn write(&self, bytes: &[u8]) -> Result<(), DeviceError> {
        sysfs::write(self.slot, bytes)
    }

    /// Total and free bytes of the file system behind the path.
    ///
    /// # Errors
    /// What the kernel or the grant says.
    pub fn space(&self) -> Result<Space, DeviceError> {
        sysfs::space(self.slot)
    }
}
