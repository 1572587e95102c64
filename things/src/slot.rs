//! Slots: one claimed device each, as a handler's host uses it.
//!
//! Invariant: nothing reaches a bus that the slot's grant does not allow. Clones share one claim; when the last one is
//! dropped, an output goes to its fail-safe level, the line is closed and the claim ends; but not by a grant that was to
//! take the place of one that still stands. The device itself is opened
//! at first use, on its bus's thread.

mod claimed;
mod gpio;
mod i2c;
mod pwm;
mod spi;
mod sysfs;

pub(crate) use claimed::Claimed;
pub use gpio::GpioSlot;
pub use i2c::I2cSlot;
pub use pwm::PwmSlot;
pub use spi::SpiSlot;
pub use sysfs::SysfsSlot;

use crate::error::DeviceError;
use crate::grant::GrantKind;

/// A claimed device, by kind.
#[derive(Debug, Clone)]
pub enum Slot {
    /// A chip on an I2C bus.
    I2c(I2cSlot),
    /// A chip on an SPI bus.
    Spi(SpiSlot),
    /// A GPIO line.
    Gpio(GpioSlot),
    /// A PWM channel.
    Pwm(PwmSlot),
    /// A file of sysfs or procfs, or a file system's space.
    Sysfs(SysfsSlot),
}

impl Slot {
    /// The kind of device.
    #[must_use]
    pub fn kind(&self) -> GrantKind {
        match self {
            Self::I2c(_) => GrantKind::I2c,
            Self::Spi(_) => GrantKind::Spi,
            Self::Gpio(_) => GrantKind::Gpio,
            Self::Pwm(_) => GrantKind::Pwm,
            Self::Sysfs(_) => GrantKind::Sysfs,
        }
    }

    /// Whether readings through this slot come from the simulated board.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        match self {
            Self::I2c(slot) => slot.is_simulated(),
            Self::Gpio(slot) => slot.is_simulated(),
            Self::Pwm(slot) => slot.is_simulated(),
            Self::Spi(_) | Self::Sysfs(_) => false,
        }
    }

    /// Drives an output or a duty to the grant's fail-safe value; nothing to do for a grant without one. Not counted
    /// against the rate, and never refused because the queue is full.
    ///
    /// # Errors
    /// Those of the bus; `Stuck` or `Timeout` when it does not answer (the value is set when it comes back).
    pub async fn fail_safe(&self) -> Result<(), DeviceError> {
        match self {
            Self::Gpio(slot) => slot.fail_safe().await,
            Self::Pwm(slot) => slot.fail_safe().await,
            Self::I2c(_) | Self::Spi(_) | Self::Sysfs(_) => Ok(()),
        }
    }
}
