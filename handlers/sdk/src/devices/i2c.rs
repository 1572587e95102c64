//! I2C: one transaction with repeated starts is one call.

use super::error::{DeviceError, fill};
use crate::bindings::tidegate::thing::i2c;
use embedded_hal::i2c::{ErrorType, I2c as Blocking, Operation, SevenBitAddress};
use embedded_hal_async::i2c::I2c as Async;

/// A granted I2C device. A driver gives its address with each transaction; the grant says which one may answer.
#[derive(Debug)]
pub struct I2c {
    slot: u32,
}

impl I2c {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }
}

impl ErrorType for I2c {
    type Error = DeviceError;
}

impl Blocking<SevenBitAddress> for I2c {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), DeviceError> {
        let asked = operations.iter().map(asked).collect::<Result<Vec<_>, _>>()?;
        let answers = i2c::transaction(self.slot, u16::from(address), &asked)?;
        fill(answers, operations.iter_mut().filter_map(buffer))
    }
}

impl Async<SevenBitAddress> for I2c {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), DeviceError> {
        Blocking::transaction(self, address, operations)
    }
}

fn asked(operation: &Operation<'_>) -> Result<i2c::Operation, DeviceError> {
    Ok(match operation {
        Operation::Read(buffer) => i2c::Operation::Read(
            u32::try_from(buffer.len()).map_err(|_| DeviceError::OutOfRange(String::from("a read of over 4 GiB")))?,
        ),
        Operation::Write(bytes) => i2c::Operation::Write(bytes.to_vec()),
    })
}

fn buffer<'a>(operation: &'a mut Operation<'_>) -> Option<(&'a mut [u8], usize)> {
    match operation {
        Operation::Read(buffer) => {
            let length = buffer.len();
            Some((&mut **buffer, length))
        }
        Operation::Write(_) => None,
    }
}
