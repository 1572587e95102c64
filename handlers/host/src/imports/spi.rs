//! `spi`: whole transactions under one chip select.

use things::{Slot, SpiOperation, SpiSlot};

use super::device::{Answer, size};
use crate::bindings::tidegate::thing::spi::{Host, Operation};
use crate::sandbox::Sandbox;

fn pick(slot: &Slot) -> Option<SpiSlot> {
    if let Slot::Spi(slot) = slot { Some(slot.clone()) } else { None }
}

fn bytes(operation: &Operation) -> usize {
    match operation {
        Operation::Read(count) => size(*count),
        Operation::Write(bytes) | Operation::Transfer(bytes) => bytes.len(),
        Operation::DelayNs(_) => 0,
    }
}

impl Host for Sandbox {
    async fn transaction(&mut self, slot: u32, operations: Vec<Operation>) -> Answer<Vec<Vec<u8>>> {
        let sum = operations.iter().map(bytes).fold(0, usize::saturating_add);
        let bytes_max = self.limits.device_bytes_max;
        let device = self
            .device(slot, pick)
            .and_then(|device| self.check_size(operations.len(), sum, bytes_max).map(|()| device));
        let device = match device {
            Ok(device) => device,
            Err(error) => return Ok(Err(error)),
        };
        let operations = operations.into_iter().map(|operation| match operation {
            Operation::Read(count) => SpiOperation::Read(count),
            Operation::Write(bytes) => SpiOperation::Write(bytes),
            Operation::Transfer(bytes) => SpiOperation::Transfer(bytes),
            Operation::DelayNs(delay) => SpiOperation::DelayNs(delay),
        });
        self.bound(device.transaction(operations.collect())).await
    }
}
