//! A claimed chip on an SPI bus.

use std::sync::Arc;
use std::time::Duration;

use super::Claimed;
use crate::bus::spi::SpiChip;
use crate::error::DeviceError;
use crate::grant::SpiGrant;
use crate::operation::SpiOperation;

/// The most operations of one transaction.
const OPERATIONS_MAX: usize = 256;
/// The longest delay of one operation: linux-embedded-hal caps it at 65,535 us.
const DELAY_NS_MAX: u32 = 65_535_000;
/// The longest delay of one transaction.
const DELAY_MAX: Duration = Duration::from_millis(100);

/// One chip select of one SPI bus.
#[derive(Debug, Clone)]
pub struct SpiSlot {
    grant: Arc<SpiGrant>,
    claimed: Arc<Claimed<SpiChip>>,
}

impl SpiSlot {
    pub(crate) fn new(grant: SpiGrant, claimed: Claimed<SpiChip>) -> Self {
        Self { grant: Arc::new(grant), claimed: Arc::new(claimed) }
    }

    /// One transaction under one chip select; one list of bytes for each `Read` and `Transfer`, in order.
    ///
    /// # Errors
    /// `OutOfRange` above `bytes-max`, more than 256 operations, an empty list, a read of no bytes or a delay above
    /// 65 ms (100 ms for all of them); else those of the bus.
    pub async fn transaction(&self, ops: Vec<SpiOperation>) -> Result<Vec<Vec<u8>>, DeviceError> {
        let limit = self.admit(&ops).map_err(|what| DeviceError::OutOfRange { what })?;
        let grant = Arc::clone(&self.grant);
        self.claimed.call(limit, move |chip| chip.transaction(&grant, &ops)).await
    }

    /// The time limit of the transaction, when it is within the grant.
    fn admit(&self, ops: &[SpiOperation]) -> Result<Duration, String> {
        if ops.is_empty() || ops.len() > OPERATIONS_MAX {
            return Err(format!("{} operations: between 1 and {OPERATIONS_MAX}", ops.len()));
        }
        let (mut bytes, mut delay) = (0_usize, Duration::ZERO);
        for operation in ops {
            match operation {
                SpiOperation::Read(0) => return Err("a read of no bytes".to_owned()),
                SpiOperation::Read(count) => {
                    bytes = bytes.saturating_add(usize::try_from(*count).unwrap_or(usize::MAX));
                }
                SpiOperation::Write(out) | SpiOperation::Transfer(out) => bytes = bytes.saturating_add(out.len()),
                SpiOperation::DelayNs(ns) if *ns > DELAY_NS_MAX => {
                    return Err(format!("a delay of {ns} ns: at most {DELAY_NS_MAX}"));
                }
                SpiOperation::DelayNs(ns) => delay += Duration::from_nanos(u64::from(*ns)),
            }
        }
        if bytes > self.grant.bytes_max || delay > DELAY_MAX {
            return Err(format!("{bytes} bytes and {delay:?}: at most {} and {DELAY_MAX:?}", self.grant.bytes_max));
        }
        // Twice the time that the bits take, and a quarter of a second.
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(16);
        let micros = bits.saturating_mul(1_000_000) / u64::from(self.grant.speed_hz);
        Ok((Duration::from_millis(250) + delay + Duration::from_micros(micros)).min(Duration::from_secs(2)))
    }
}
