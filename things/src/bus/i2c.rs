//! An I2C bus: the kernel's, or the simulated board's. It judges nothing: grants are checked before (`crate::filter`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Instant;

use embedded_hal::i2c::{I2c, Operation, SevenBitAddress};
use linux_embedded_hal::I2cdev;
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use rustix::io::Errno;

use crate::error::{DeviceError, NackSource};
use crate::operation::I2cOperation;
use crate::simulated::Board;

/// What to do about a missing permission.
const HINT: &str = "add the user to the group i2c";

/// The bus behind one I2C thread.
pub(crate) enum I2cBus {
    Linux(LinuxI2c),
    Simulated(Board),
}

impl I2cBus {
    /// One transaction with repeated starts; one list of bytes for each read.
    pub(crate) fn transaction(&mut self, address: u8, messages: &[I2cOperation]) -> Result<Vec<Vec<u8>>, DeviceError> {
        match self {
            Self::Linux(bus) => bus.transaction(address, messages),
            Self::Simulated(board) => board.i2c(address, messages, Instant::now()),
        }
    }
}

/// A bus of the kernel (`/dev/i2c-N`), opened at first use: one `I2C_RDWR` call per transaction.
pub(crate) struct LinuxI2c {
    path: String,
    /// One file per address, because `I2cdev` opens the bus anew whenever the address changes. Bounded by the grants.
    chips: HashMap<u8, I2cdev>,
}

impl LinuxI2c {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), chips: HashMap::new() }
    }

    fn transaction(&mut self, address: u8, messages: &[I2cOperation]) -> Result<Vec<Vec<u8>>, DeviceError> {
        let chip = match self.chips.entry(address) {
            Entry::Occupied(chip) => chip.into_mut(),
            Entry::Vacant(free) => {
                let chip = I2cdev::new(&self.path);
                free.insert(chip.map_err(|error| DeviceError::from_io(&self.path, error.into(), HINT))?)
            }
        };
        let mut reads: Vec<Vec<u8>> = messages.iter().filter_map(buffer).collect();
        let mut free = reads.iter_mut();
        let mut operations: Vec<Operation<'_>> = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                I2cOperation::Write(bytes) => operations.push(Operation::Write(bytes)),
                I2cOperation::Read(_) => operations.extend(free.next().map(|buffer| Operation::Read(buffer))),
            }
        }
        let result = I2c::<SevenBitAddress>::transaction(chip, address, &mut operations);
        drop(operations);
        let Err(error) = result else { return Ok(reads) };
        let error = self.failed(address, error.inner());
        if !matches!(error, DeviceError::Nack(_) | DeviceError::ArbitrationLoss { .. }) {
            // An adapter that was unplugged and plugged in again is another file.
            self.chips.remove(&address);
        }
        Err(error)
    }

    /// The meaning of a failed transfer (Documentation/i2c/fault-codes.rst), where it differs from a failed opening.
    fn failed(&self, address: u8, error: &LinuxI2CError) -> DeviceError {
        let place = format!("{} address {address:#04x}", self.path);
        let source = match error {
            LinuxI2CError::Errno(errno) => std::io::Error::from_raw_os_error(*errno),
            LinuxI2CError::Io(error) => match error.raw_os_error() {
                Some(errno) => std::io::Error::from_raw_os_error(errno),
                None => std::io::Error::new(error.kind(), error.to_string()),
            },
        };
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NXIO) => DeviceError::Nack(NackSource::Address),
            Some(Errno::NODEV) => DeviceError::Nack(NackSource::Data),
            // What most controllers of the Raspberry Pi family answer to any missing acknowledge.
            Some(Errno::REMOTEIO) => DeviceError::Nack(NackSource::Unknown),
            Some(Errno::AGAIN) => DeviceError::ArbitrationLoss { place },
            Some(Errno::OVERFLOW) => DeviceError::Overrun { place },
            _ => DeviceError::from_io(&place, source, HINT),
        }
    }
}

/// Room for a read; None for a write. Lengths are bounded by the grant's `bytes-max`.
fn buffer(message: &I2cOperation) -> Option<Vec<u8>> {
    match message {
        I2cOperation::Read(count) => Some(vec![0; usize::try_from(*count).unwrap_or(0)]),
        I2cOperation::Write(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_bus_says_so() {
        let mut bus = LinuxI2c::new("/dev/i2c-250");
        let error = bus.transaction(0x76, &[I2cOperation::Read(1)]).unwrap_err();
        assert!(matches!(&error, DeviceError::NoDevice { place, .. } if place == "/dev/i2c-250"), "{error}");
    }

    #[test]
    fn transfer_errnos_have_their_meaning() {
        let bus = LinuxI2c::new("/dev/i2c-1");
        let of = |errno: Errno| bus.failed(0x76, &LinuxI2CError::Errno(errno.raw_os_error()));
        assert!(matches!(of(Errno::NXIO), DeviceError::Nack(NackSource::Address)));
        assert!(matches!(of(Errno::REMOTEIO), DeviceError::Nack(NackSource::Unknown)));
        assert!(matches!(of(Errno::AGAIN), DeviceError::ArbitrationLoss { .. }));
        assert!(matches!(of(Errno::TIMEDOUT), DeviceError::Timeout { .. }));
        let DeviceError::Bus { source, place } = of(Errno::BUSY) else { panic!("EBUSY is a bus error") };
        assert_eq!(source.raw_os_error(), Some(Errno::BUSY.raw_os_error()));
        assert!(place.contains("0x76"));
    }
}
