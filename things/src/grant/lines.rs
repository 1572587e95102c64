//! The grants of one GPIO line and of one PWM channel.

use serde::{Deserialize, Serialize};

use super::{BOARD, check_device};

/// The place of the header of a Raspberry Pi, whatever its chip is called.
pub(crate) const PI: &str = "pi";

/// `pi` for the chip of a Raspberry Pi's header, so that both of its names clash; any other chip as it is.
pub(crate) fn header_or(chip: String) -> String {
    const HEADERS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];
    if !chip.starts_with("/dev/") || rppal::system::DeviceInfo::new().is_err() {
        return chip;
    }
    let label = gpiocdev::Chip::from_path(&chip).and_then(|chip| chip.info()).map(|found| found.label);
    if label.is_ok_and(|label| HEADERS.contains(&label.as_str())) { PI.to_owned() } else { chip }
}

/// One GPIO line. Levels are logical: with `active-low`, high is the electrically low level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GpioGrant {
    /// `pi` for the header of a Raspberry Pi, `/dev/gpiochipN` for any chip, or `board:gpio`.
    pub chip: String,
    /// The line: on `pi` and `board:gpio` the BCM number, else the offset on the chip.
    pub line: u32,
    /// Whether the line is read or driven.
    pub direction: Direction,
    /// Whether the electrically low level means high (on, pressed).
    #[serde(default)]
    pub active_low: bool,
    /// The resistor on the line, inputs only; absent: left as it is (on `pi`: none).
    #[serde(default)]
    pub bias: Option<Bias>,
    /// How long a level must last to count, in milliseconds, at most 10,000; inputs only, 0 by default.
    #[serde(default)]
    pub debounce_ms: u32,
    /// The level (true = high, logical) to which an output goes when its Thing cannot drive it, when it is released,
    /// and from which it starts; absent: it starts low and is left alone.
    #[serde(default)]
    pub fail_safe: Option<bool>,
    /// The most operations per second; absent: no limit.
    #[serde(default)]
    pub hz_max: Option<u32>,
    /// Whether other Things with a shared grant may use this line too.
    #[serde(default)]
    pub shared: bool,
}

/// The direction of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Read and watched.
    Input,
    /// Driven; its level can be read back.
    Output,
}

/// The resistor on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// None.
    Disabled,
    /// To the supply.
    PullUp,
    /// To ground.
    PullDown,
}

impl GpioGrant {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.chip != PI {
            check_device("chip", &self.chip, "gpiochip0").map_err(|text| format!("{text}, or \"pi\""))?;
        }
        if self.debounce_ms > 10_000 {
            return Err(format!("debounce-ms = {}: at most 10000", self.debounce_ms));
        }
        match self.direction {
            Direction::Input if self.fail_safe.is_some() => Err("fail-safe: an input drives no level".to_owned()),
            Direction::Output if self.bias.is_some() => Err("bias: an output drives its line".to_owned()),
            Direction::Output if self.debounce_ms > 0 => Err("debounce-ms: an output does not bounce".to_owned()),
            Direction::Input | Direction::Output => Ok(()),
        }
    }
}

/// One PWM channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PwmGrant {
    /// `pi` for the header of a Raspberry Pi, `/sys/class/pwm/pwmchipN` for any chip, or `board:pwm-0`.
    pub chip: String,
    /// The channel on that chip.
    pub channel: u8,
    /// The frequency in hertz, 1 to 10,000,000.
    pub frequency_hz: u32,
    /// The duty (0 to 65535 = always on) to which the channel goes when its Thing cannot drive it; absent: left alone.
    #[serde(default)]
    pub fail_safe: Option<u16>,
    /// The most operations per second; absent: no limit.
    #[serde(default)]
    pub hz_max: Option<u32>,
    /// Whether other Things with a shared grant may use this channel too.
    #[serde(default)]
    pub shared: bool,
}

impl PwmGrant {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.chip != PI && !self.chip.starts_with(BOARD) && self.chip_number().is_none() {
            return Err(format!("chip = {:?}: \"pi\", \"/sys/class/pwm/pwmchipN\" or \"board:pwm-0\"", self.chip));
        }
        if !(1..=10_000_000).contains(&self.frequency_hz) {
            return Err(format!("frequency-hz = {}: between 1 and 10000000", self.frequency_hz));
        }
        Ok(())
    }

    /// The N of `/sys/class/pwm/pwmchipN`.
    pub(crate) fn chip_number(&self) -> Option<u8> {
        self.chip.strip_prefix("/sys/class/pwm/pwmchip")?.parse().ok()
    }
}
