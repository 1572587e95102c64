//! Grants: which device one label of one Thing may touch, how far, and how often.
//!
//! A grant is what stands in a deployment's `[grants.LABEL]`. Invariant: a grant that passed [`Grant::check`] names one
//! exact device and only limits that the bus can keep. What the simulated board has is known; whether a real device exists
//! shows at first use: nothing is opened
//! before (but for the name of a GPIO chip on a Raspberry Pi, which has two).

use serde::{Deserialize, Serialize};

use crate::simulated;

mod files;
mod i2c;
mod lines;
mod spi;

pub use files::SysfsGrant;
pub use i2c::{I2cGrant, MultiWrite, Registers};
pub use lines::{Bias, Direction, GpioGrant, PwmGrant};
pub(crate) use lines::{PI, header_or};
pub use spi::SpiGrant;

/// The prefix of every place on the simulated board.
pub(crate) const BOARD: &str = "board:";

/// The most transactions per second that a grant can name.
const HZ_MAX: u32 = 1_000_000;

/// What one label of one Thing may touch. The key `kind` in TOML chooses the variant; unknown keys are refused.
///
/// ```toml
/// [grants.sensor]
/// kind = "i2c"
/// bus = "/dev/i2c-1"          # on the simulated board: "board:i2c-1"
/// address = 0x76
/// write-registers = [0xF2, 0xF4, 0xF5, 0xE0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Grant {
    /// One address on an I2C bus.
    I2c(I2cGrant),
    /// One chip select of an SPI bus.
    Spi(SpiGrant),
    /// One GPIO line.
    Gpio(GpioGrant),
    /// One PWM channel.
    Pwm(PwmGrant),
    /// One file of sysfs or procfs, or the space of one file system.
    Sysfs(SysfsGrant),
}

/// The kind of device that a grant names; the same words as in a handler's wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantKind {
    /// See [`Grant::I2c`].
    I2c,
    /// See [`Grant::Spi`].
    Spi,
    /// See [`Grant::Gpio`].
    Gpio,
    /// See [`Grant::Pwm`].
    Pwm,
    /// See [`Grant::Sysfs`].
    Sysfs,
}

impl GrantKind {
    /// The word that a want and the key `kind` use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::I2c => "i2c",
            Self::Spi => "spi",
            Self::Gpio => "gpio",
            Self::Pwm => "pwm",
            Self::Sysfs => "sysfs",
        }
    }
}

impl Grant {
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

    /// Whether the device is a part of the simulated board: readings that come from it are marked so.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        match self {
            Self::I2c(grant) => grant.bus.starts_with(BOARD),
            Self::Spi(grant) => grant.bus.starts_with(BOARD),
            Self::Gpio(grant) => grant.chip.starts_with(BOARD),
            Self::Pwm(grant) => grant.chip.starts_with(BOARD),
            Self::Sysfs(_) => false,
        }
    }

    /// Checks everything that can be checked without the device.
    ///
    /// # Errors
    /// A sentence that names the key, what it says and what it may say.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::I2c(grant) => grant.check(),
            Self::Spi(grant) => grant.check(),
            Self::Gpio(grant) => grant.check(),
            Self::Pwm(grant) => grant.check(),
            Self::Sysfs(grant) => grant.check(),
        }?;
        if self.is_simulated() {
            self.check_on_board()?;
        }
        match self.hz_max() {
            Some(hz) if hz == 0 || hz > HZ_MAX => Err(format!("hz-max = {hz}: between 1 and {HZ_MAX}")),
            _ => Ok(()),
        }
    }

    /// The board's buses, lines and channels are known. Any address may be asked on its I2C bus, as on a real one.
    fn check_on_board(&self) -> Result<(), String> {
        let place = |key: &str, place: &str, there: &str| {
            if place.strip_prefix(BOARD) == Some(there) {
                return Ok(());
            }
            Err(format!("{key} = {place:?}: for this kind the simulated board has \"{BOARD}{there}\""))
        };
        match self {
            Self::I2c(grant) => place("bus", &grant.bus, "i2c-1"),
            Self::Spi(grant) => Err(format!("bus = {:?}: the simulated board has no SPI bus", grant.bus)),
            Self::Gpio(grant) => place("chip", &grant.chip, "gpio").and_then(|()| simulated::check_line(grant.line)),
            Self::Pwm(grant) => {
                place("chip", &grant.chip, "pwm-0").and_then(|()| simulated::check_channel(grant.channel))
            }
            Self::Sysfs(_) => Ok(()),
        }
    }

    /// The most transactions per second, when the grant limits them.
    pub(crate) fn hz_max(&self) -> Option<u32> {
        match self {
            Self::I2c(grant) => grant.hz_max,
            Self::Spi(grant) => grant.hz_max,
            Self::Gpio(grant) => grant.hz_max,
            Self::Pwm(grant) => grant.hz_max,
            Self::Sysfs(grant) => grant.hz_max,
        }
    }

    /// Whether other grants may meet this one on the same device. Reading a file disturbs nobody: always.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::I2c(grant) => grant.shared,
            Self::Spi(grant) => grant.shared,
            Self::Gpio(grant) => grant.shared,
            Self::Pwm(grant) => grant.shared,
            Self::Sysfs(grant) => grant.shared || !grant.write,
        }
    }

    /// The device in words, equal for two grants exactly when they name the same one.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::I2c(grant) => format!("{} address {:#04x}", canonical(&grant.bus), grant.address),
            Self::Spi(grant) => canonical(&grant.bus),
            Self::Gpio(grant) => format!("{} line {}", header_or(canonical(&grant.chip)), grant.line),
            Self::Pwm(grant) => format!("{} channel {}", canonical(&grant.chip), grant.channel),
            Self::Sysfs(grant) => canonical(&grant.path),
        }
    }
}

/// The path without symbolic links, so that two names of one device clash; as written where there is no such path.
pub(crate) fn canonical(path: &str) -> String {
    std::fs::canonicalize(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// `/dev/` and one plain name that starts with `prefix`, or a place on the simulated board.
fn check_device(key: &str, path: &str, prefix: &str) -> Result<(), String> {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let name = path.strip_prefix(BOARD).or_else(|| path.strip_prefix("/dev/"));
    match name {
        Some(name) if plain(name) && name != "." && name != ".." => Ok(()),
        _ => Err(format!("{key} = {path:?}: a device such as \"/dev/{prefix}\", or a place on the simulated board")),
    }
}

#[cfg(test)]
mod tests;
