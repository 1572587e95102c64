//! A claimed file of sysfs or procfs, or the space of a file system.

use std::sync::Arc;
use std::time::Duration;

use super::Claimed;
use crate::bus::files::{self, FILE_BYTES_MAX, Files};
use crate::error::DeviceError;
use crate::grant::SysfsGrant;
use crate::operation::Space;

/// An attribute is answered by a driver, and a 1-Wire thermometer takes its time: 750 ms at 12 bit.
const LIMIT: Duration = Duration::from_secs(2);

/// One granted path.
#[derive(Debug, Clone)]
pub struct SysfsSlot {
    grant: Arc<SysfsGrant>,
    claimed: Arc<Claimed<Files>>,
}

impl SysfsSlot {
    pub(crate) fn new(grant: SysfsGrant, claimed: Claimed<Files>) -> Self {
        Self { grant: Arc::new(grant), claimed: Arc::new(claimed) }
    }

    /// The file, whole: at most 64 KiB.
    ///
    /// # Errors
    /// `NoDevice` when there is no such file, `Denied` for a path outside `/sys` and `/proc` or without permission,
    /// `OutOfRange` for a longer file.
    pub async fn read(&self) -> Result<Vec<u8>, DeviceError> {
        let grant = Arc::clone(&self.grant);
        self.claimed.call(LIMIT, move |_| files::read(&grant.path)).await
    }

    /// Writes the attribute.
    ///
    /// # Errors
    /// `Denied` without `write = true` in the grant, `OutOfRange` above 64 KiB; else as for a read.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), DeviceError> {
        if !self.grant.write {
            return Err(DeviceError::Denied { what: format!("{}: the grant is for reading", self.grant.path) });
        }
        if bytes.len() > FILE_BYTES_MAX {
            return Err(DeviceError::OutOfRange { what: format!("{} bytes: at most {FILE_BYTES_MAX}", bytes.len()) });
        }
        let (grant, bytes) = (Arc::clone(&self.grant), bytes.to_vec());
        self.claimed.call(LIMIT, move |_| files::write(&grant.path, &bytes)).await
    }

    /// Total and free bytes of the file system behind the path.
    ///
    /// # Errors
    /// `NoDevice` when there is no such path.
    pub async fn space(&self) -> Result<Space, DeviceError> {
        let grant = Arc::clone(&self.grant);
        self.claimed.call(LIMIT, move |_| files::space(&grant.path)).await
    }
}
