//! An SPI chip of the kernel (`/dev/spidevBUS.SELECT`), opened and configured at first use.

use embedded_hal::spi::{Operation, SpiDevice};
use linux_embedded_hal::SpidevDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, Spidev, SpidevOptions};

use crate::error::DeviceError;
use crate::grant::SpiGrant;
use crate::operation::SpiOperation;

/// What to do about a missing permission.
const HINT: &str = "add the user to the group spi";

/// The chip behind one SPI thread.
pub(crate) struct SpiChip {
    path: String,
    device: Option<(SpidevDevice, u32, u8)>,
}

impl SpiChip {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), device: None }
    }

    /// One transaction under one chip select; one list of bytes for each read and transfer.
    pub(crate) fn transaction(
        &mut self,
        grant: &SpiGrant,
        operations: &[SpiOperation],
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        let device = self.open(grant)?;
        let mut reads: Vec<Vec<u8>> = operations.iter().filter_map(buffer).collect();
        let mut free = reads.iter_mut();
        let mut messages: Vec<Operation<'_, u8>> = Vec::with_capacity(operations.len());
        for operation in operations {
            match operation {
                SpiOperation::Write(bytes) => messages.push(Operation::Write(bytes)),
                SpiOperation::DelayNs(ns) => messages.push(Operation::DelayNs(*ns)),
                SpiOperation::Read(_) => messages.extend(free.next().map(|buffer| Operation::Read(buffer))),
                SpiOperation::Transfer(bytes) => {
                    messages.extend(free.next().map(|buffer| Operation::Transfer(buffer, bytes)));
                }
            }
        }
        let result = device.transaction(&mut messages);
        drop(messages);
        let Err(error) = result else { return Ok(reads) };
        // An adapter that was unplugged and plugged in again is another file.
        self.device = None;
        Err(DeviceError::from_io(&self.path, copy(error.inner()), HINT))
    }

    fn open(&mut self, grant: &SpiGrant) -> Result<&mut SpidevDevice, DeviceError> {
        let failed = |error| DeviceError::from_io(&self.path, error, HINT);
        let settings = (grant.speed_hz, grant.mode);
        let open = match self.device.take() {
            // Two shared grants may differ in speed and mode: the file is the same, its settings follow the caller.
            Some((device, speed, mode)) if (speed, mode) == settings => device,
            Some((mut device, ..)) => {
                device.0.configure(&options(grant)).map_err(failed)?;
                device
            }
            None => {
                let mut device = Spidev::open(&self.path).map_err(failed)?;
                device.configure(&options(grant)).map_err(failed)?;
                SpidevDevice(device)
            }
        };
        Ok(&mut self.device.insert((open, settings.0, settings.1)).0)
    }
}

fn options(grant: &SpiGrant) -> SpidevOptions {
    let mode = match grant.mode {
        1 => SpiModeFlags::SPI_MODE_1,
        2 => SpiModeFlags::SPI_MODE_2,
        3 => SpiModeFlags::SPI_MODE_3,
        _ => SpiModeFlags::SPI_MODE_0,
    };
    SpidevOptions::new().bits_per_word(8).max_speed_hz(grant.speed_hz).lsb_first(false).mode(mode).build()
}

/// Room for a read or a transfer. Lengths are bounded by the grant's `bytes-max`.
fn buffer(operation: &SpiOperation) -> Option<Vec<u8>> {
    match operation {
        SpiOperation::Read(count) => Some(vec![0; usize::try_from(*count).unwrap_or(0)]),
        SpiOperation::Transfer(bytes) => Some(vec![0; bytes.len()]),
        SpiOperation::Write(_) | SpiOperation::DelayNs(_) => None,
    }
}

/// The same error again: `io::Error` cannot be cloned, its errno can.
fn copy(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(errno) => std::io::Error::from_raw_os_error(errno),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_chip_says_so() {
        let grant: SpiGrant = toml::from_str("bus = '/dev/spidev9.9'").unwrap();
        let error = SpiChip::new(&grant.bus).transaction(&grant, &[SpiOperation::Read(1)]).unwrap_err();
        assert!(matches!(&error, DeviceError::NoDevice { place, .. } if place == "/dev/spidev9.9"), "{error}");
    }
}
