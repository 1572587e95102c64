//! `i2c`: whole transactions with repeated starts; the grant says which address and which registers.

use things::{I2cOperation, I2cSlot, Slot};

use super::device::{Answer, size};
use crate::bindings::tidegate::thing::i2c::{Host, Operation};
use crate::sandbox::Sandbox;

/// Bytes of one transaction: three quarters of a second at 100 kHz, in which nobody else has the bus.
const BYTES_MAX: usize = 8 << 10;

fn pick(slot: &Slot) -> Option<I2cSlot> {
    if let Slot::I2c(slot) = slot { Some(slot.clone()) } else { None }
}

fn bytes(operation: &Operation) -> usize {
    match operation {
        Operation::Read(count) => size(*count),
        Operation::Write(bytes) => bytes.len(),
    }
}

impl Host for Sandbox {
    async fn transaction(&mut self, slot: u32, address: u16, operations: Vec<Operation>) -> Answer<Vec<Vec<u8>>> {
        let sum = operations.iter().map(bytes).fold(0, usize::saturating_add);
        let bytes_max = self.limits.device_bytes_max.min(BYTES_MAX);
        let device = self
            .device(slot, pick)
            .and_then(|device| self.check_size(operations.len(), sum, bytes_max).map(|()| device));
        let device = match device {
            Ok(device) => device,
            Err(error) => return Ok(Err(error)),
        };
        let operations = operations.into_iter().map(|operation| match operation {
            Operation::Read(count) => I2cOperation::Read(count),
            Operation::Write(bytes) => I2cOperation::Write(bytes),
        });
        self.bound(device.transaction(address, operations.collect())).await
    }
}
