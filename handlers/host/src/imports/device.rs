//! What all device interfaces share: a call's way to its slot, its bound in time and size, its error in the contract's words.

use things::{NackSource, Slot};

use crate::bindings::tidegate::thing::types::Host;
use crate::control::Waited;
use crate::error::DeadlinePassed;
use crate::sandbox::Sandbox;
use crate::value::{DeviceError, NoAcknowledgeSource};

/// A device's answer, inside what ends the whole call.
pub(super) type Answer<T> = wasmtime::Result<Result<T, DeviceError>>;

impl Host for Sandbox {}

impl Sandbox {
    /// The slot of a device call, if it may reach its device now.
    pub(super) fn device<S>(&mut self, number: u32, pick: fn(&Slot) -> Option<S>) -> Result<S, DeviceError> {
        if !self.count_device_call() {
            return Err(DeviceError::Busy);
        }
        let denied = || DeviceError::Denied(format!("slot {number} is no device of this kind that was granted"));
        self.capabilities.slot(number).and_then(pick).ok_or_else(denied)
    }

    /// The slot of a write to an output. No rate holds it up: however often a Thing is read, what it has switched on can be
    /// switched off.
    pub(super) fn output<S>(&mut self, number: u32, pick: fn(&Slot) -> Option<S>) -> Result<S, DeviceError> {
        let denied = || DeviceError::Denied(format!("slot {number} is no device of this kind that was granted"));
        if !self.count_host_call() || self.is_closed() {
            return Err(DeviceError::Busy);
        }
        self.capabilities.slot(number).and_then(pick).ok_or_else(denied)
    }

    /// Waits for a device, outside the call's budget, which epochs do not watch in here. One that is silent is a time-out for
    /// the handler to answer with, and no end of the call.
    pub(super) async fn bound<T>(&self, answer: impl Future<Output = Result<T, things::DeviceError>>) -> Answer<T> {
        match self.control.bound_device(answer).await {
            Waited::Answered(answer) => Ok(answer.map_err(|refused| error(&refused))),
            Waited::Silent => Ok(Err(DeviceError::Timeout)),
            Waited::Ended => Err(DeadlinePassed.into()),
        }
    }

    /// Refuses a transaction of too many operations or bytes.
    pub(super) fn check_size(&self, operations: usize, bytes: usize, bytes_max: usize) -> Result<(), DeviceError> {
        let operations_max = self.limits.device_operations_max;
        if operations > operations_max || bytes > bytes_max {
            return Err(DeviceError::OutOfRange(format!(
                "a transaction has at most {operations_max} operations and {bytes_max} bytes"
            )));
        }
        Ok(())
    }
}

/// Bytes to read, as a size.
pub(super) fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn error(error: &things::DeviceError) -> DeviceError {
    use things::DeviceError as Device;
    let text = error.to_string();
    match error {
        Device::Busy | Device::RateExceeded { .. } => DeviceError::Busy,
        Device::Timeout { .. } => DeviceError::Timeout,
        Device::ArbitrationLoss { .. } => DeviceError::ArbitrationLoss,
        Device::Overrun { .. } => DeviceError::Overrun,
        Device::Nack(NackSource::Address) => DeviceError::NoAcknowledge(NoAcknowledgeSource::Address),
        Device::Nack(NackSource::Data) => DeviceError::NoAcknowledge(NoAcknowledgeSource::Data),
        Device::Nack(NackSource::Unknown) => DeviceError::NoAcknowledge(NoAcknowledgeSource::Unknown),
        Device::NoDevice { .. } => DeviceError::NoDevice(text),
        Device::Denied { .. } | Device::Held { .. } => DeviceError::Denied(text),
        Device::OutOfRange { .. } => DeviceError::OutOfRange(text),
        Device::Bus { .. } | Device::Stuck { .. } => DeviceError::Bus(text),
    }
}
