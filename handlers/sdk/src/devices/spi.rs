//! SPI: everything under one chip select is one call.

use super::error::{DeviceError, fill};
use crate::bindings::tidegate::thing::spi;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice as Blocking};
use embedded_hal_async::spi::SpiDevice as Async;

/// A granted SPI device: its chip select, mode and speed are the grant's.
#[derive(Debug)]
pub struct Spi {
    slot: u32,
}

impl Spi {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }
}

impl ErrorType for Spi {
    type Error = DeviceError;
}

impl Blocking for Spi {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), DeviceError> {
        let asked = operations.iter().map(asked).collect::<Result<Vec<_>, _>>()?;
        let answers = spi::transaction(self.slot, &asked)?;
        fill(answers, operations.iter_mut().filter_map(buffer))
    }
}

impl Async for Spi {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), DeviceError> {
        Blocking::transaction(self, operations)
    }
}

fn asked(operation: &Operation<'_, u8>) -> Result<spi::Operation, DeviceError> {
    Ok(match operation {
        Operation::Read(buffer) => spi::Operation::Read(
            u32::try_from(buffer.len()).map_err(|_| DeviceError::OutOfRange(String::from("a read of over 4 GiB")))?,
        ),
        Operation::Write(bytes) => spi::Operation::Write(bytes.to_vec()),
        // embedded-hal: the longer side counts; zeros go out, surplus bytes that come in are dropped.
        Operation::Transfer(read, write) => {
            let mut bytes = write.to_vec();
            bytes.resize(read.len().max(write.len()), 0);
            spi::Operation::Transfer(bytes)
        }
        Operation::TransferInPlace(bytes) => spi::Operation::Transfer(bytes.to_vec()),
        Operation::DelayNs(ns) => spi::Operation::DelayNs(*ns),
    })
}

/// Where the bytes of an operation go, and how many come.
fn buffer<'a>(operation: &'a mut Operation<'_, u8>) -> Option<(&'a mut [u8], usize)> {
    match operation {
        Operation::Read(buffer) | Operation::TransferInPlace(buffer) => {
            let length = buffer.len();
            Some((&mut **buffer, length))
        }
        Operation::Transfer(read, write) => {
            let length = read.len().max(write.len());
            Some((&mut **read, length))
        }
        Operation::Write(_) | Operation::DelayNs(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_of_two_lengths_takes_the_longer() {
        let (mut read, write) = ([0; 3], [1, 2]);
        let mut operation = Operation::Transfer(&mut read, &write);
        assert!(matches!(asked(&operation), Ok(spi::Operation::Transfer(bytes)) if bytes == [1, 2, 0]));
        fill(vec![vec![7, 8, 9]], core::iter::once(&mut operation).filter_map(buffer)).unwrap();
        assert_eq!(read, [7, 8, 9]);

        let (mut read, write) = ([0; 1], [1, 2]);
        let mut operation = Operation::Transfer(&mut read, &write);
        assert!(matches!(asked(&operation), Ok(spi::Operation::Transfer(bytes)) if bytes == [1, 2]));
        fill(vec![vec![7, 8]], core::iter::once(&mut operation).filter_map(buffer)).unwrap();
        assert_eq!(read, [7]);
    }
}
