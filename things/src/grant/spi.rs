//! The grant of one chip select of an SPI bus.

use serde::{Deserialize, Serialize};

use super::check_device;

/// The most bytes of one transaction: the largest `bufsiz` in use; spidev's own default is 4096.
const BYTES_MAX: usize = 65_536;

/// One chip on an SPI bus. The chip select is the kernel's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SpiGrant {
    /// `/dev/spidevBUS.SELECT`.
    pub bus: String,
    /// The clock in hertz, at most: 1 to 125,000,000; 1,000,000 by default.
    #[serde(default = "speed_hz_default")]
    pub speed_hz: u32,
    /// Clock polarity and phase, 0 to 3.
    #[serde(default)]
    pub mode: u8,
    /// The most bytes of one transaction, transfers counted once: 1 to 65536, 4096 by default.
    #[serde(default = "bytes_max_default")]
    pub bytes_max: usize,
    /// The most transactions per second; absent: no limit.
    #[serde(default)]
    pub hz_max: Option<u32>,
    /// Whether other Things with a shared grant may use this chip too.
    #[serde(default)]
    pub shared: bool,
}

fn speed_hz_default() -> u32 {
    1_000_000
}

fn bytes_max_default() -> usize {
    4096
}

impl SpiGrant {
    pub(super) fn check(&self) -> Result<(), String> {
        check_device("bus", &self.bus, "spidev0.0")?;
        if !(1..=125_000_000).contains(&self.speed_hz) {
            return Err(format!("speed-hz = {}: between 1 and 125000000", self.speed_hz));
        }
        if self.mode > 3 {
            return Err(format!("mode = {}: between 0 and 3", self.mode));
        }
        if !(1..=BYTES_MAX).contains(&self.bytes_max) {
            return Err(format!("bytes-max = {}: between 1 and {BYTES_MAX}", self.bytes_max));
        }
        Ok(())
    }
}
