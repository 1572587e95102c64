//! A claimed chip on an I2C bus.

use std::sync::Arc;
use std::time::Duration;

use super::Claimed;
use crate::bus::i2c::I2cBus;
use crate::error::DeviceError;
use crate::filter;
use crate::grant::{BOARD, I2cGrant};
use crate::operation::I2cOperation;

/// The most messages of one `I2C_RDWR` call (`I2C_RDWR_IOCTL_MAX_MSGS` in the kernel).
const MESSAGES_MAX: usize = 42;
/// The most operations that one call may bring; adjacent ones of one direction become one message.
const OPERATIONS_MAX: usize = 256;

/// One address on one I2C bus.
#[derive(Debug, Clone)]
pub struct I2cSlot {
    grant: Arc<I2cGrant>,
    claimed: Arc<Claimed<I2cBus>>,
}

impl I2cSlot {
    pub(crate) fn new(grant: I2cGrant, claimed: Claimed<I2cBus>) -> Self {
        Self { grant: Arc::new(grant), claimed: Arc::new(claimed) }
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.grant.bus.starts_with(BOARD)
    }

    /// One transaction with repeated starts; one list of bytes for each `Read`, in order, of the length asked for.
    /// Adjacent operations of one direction are one message on the wire, as embedded-hal says.
    ///
    /// # Errors
    /// `Denied` for another address or a register outside the grant, `OutOfRange` above `bytes-max`, more than 256
    /// operations or 42 messages, an empty list or a read of no bytes; else those of the bus.
    pub async fn transaction(&self, address: u16, ops: Vec<I2cOperation>) -> Result<Vec<Vec<u8>>, DeviceError> {
        let bytes = self.admit(address, &ops)?;
        let reads: Vec<usize> = ops.iter().filter_map(read_length).collect();
        let messages = filter::coalesce(ops);
        if messages.len() > MESSAGES_MAX {
            return Err(DeviceError::OutOfRange { what: format!("more than {MESSAGES_MAX} messages") });
        }
        filter::check(&self.grant, &messages)
            .map_err(|why| DeviceError::Denied { what: format!("{} address {address:#04x}: {why}", self.grant.bus) })?;
        let address = u8::try_from(self.grant.address).unwrap_or(u8::MAX);
        let read = self.claimed.call(limit(bytes), move |bus| bus.transaction(address, &messages)).await?;
        Ok(split(read, &reads))
    }

    /// The bytes of the transaction, when they and the address are within the grant.
    fn admit(&self, address: u16, ops: &[I2cOperation]) -> Result<usize, DeviceError> {
        if address != self.grant.address {
            return Err(DeviceError::Denied {
                what: format!("address {address:#04x}: the grant is for {:#04x}", self.grant.address),
            });
        }
        let out_of_range = |what: String| Err(DeviceError::OutOfRange { what });
        if ops.is_empty() || ops.len() > OPERATIONS_MAX {
            return out_of_range(format!("{} operations: between 1 and {OPERATIONS_MAX}", ops.len()));
        }
        if ops.contains(&I2cOperation::Read(0)) {
            return out_of_range("a read of no bytes".to_owned());
        }
        let bytes = ops.iter().map(length).fold(0, usize::saturating_add);
        if bytes > self.grant.bytes_max {
            return out_of_range(format!("{bytes} bytes: bytes-max is {}", self.grant.bytes_max));
        }
        Ok(bytes)
    }
}

fn read_length(operation: &I2cOperation) -> Option<usize> {
    match operation {
        I2cOperation::Read(count) => Some(usize::try_from(*count).unwrap_or(usize::MAX)),
        I2cOperation::Write(_) => None,
    }
}

fn length(operation: &I2cOperation) -> usize {
    match operation {
        I2cOperation::Read(count) => usize::try_from(*count).unwrap_or(usize::MAX),
        I2cOperation::Write(bytes) => bytes.len(),
    }
}

/// A quarter of a second, and a tenth of a millisecond per byte: a slow bus (100 kHz) with clock stretching.
fn limit(bytes: usize) -> Duration {
    Duration::from_millis(250) + Duration::from_micros(100) * u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The bytes of the messages, cut as the caller's reads asked.
fn split(messages: Vec<Vec<u8>>, reads: &[usize]) -> Vec<Vec<u8>> {
    if messages.len() == reads.len() {
        return messages;
    }
    let mut bytes = messages.into_iter().flatten();
    reads.iter().map(|length| bytes.by_ref().take(*length).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_reads_are_cut_as_they_were_asked() {
        assert_eq!(split(vec![vec![1, 2, 3], vec![4]], &[1, 2, 1]), [vec![1], vec![2, 3], vec![4]]);
        assert_eq!(split(vec![vec![1, 2]], &[2]), [vec![1, 2]]);
    }
}
