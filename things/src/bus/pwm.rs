//! The channels of one PWM chip: the kernel's, through rppal, or the simulated board's.
//!
//! Invariant: a channel is exported, set to its frequency and its fail-safe duty (else 0) and only then enabled.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rppal::pwm::{Channel, Error, Pwm};

use crate::error::DeviceError;
use crate::grant::{PI, PwmGrant};
use crate::simulated::Board;

/// What to do about a missing permission.
const HINT: &str = "a udev rule must give the group gpio access to /sys/class/pwm";

/// The channels behind one PWM thread.
pub(crate) enum Channels {
    Kernel(KernelPwm),
    Simulated(Board),
}

/// Channels of `/sys/class/pwm`, opened at first use.
#[derive(Default)]
pub(crate) struct KernelPwm(HashMap<u8, Pwm>);

impl Channels {
    /// The channels of a chip of the kernel.
    pub(crate) fn real() -> Self {
        Self::Kernel(KernelPwm::default())
    }

    /// The duty in 1/65535 of the period.
    pub(crate) fn duty(&mut self, grant: &PwmGrant) -> Result<u16, DeviceError> {
        match self {
            Self::Kernel(channels) => {
                let duty = channels.open(grant)?.duty_cycle();
                duty.map(from_fraction).map_err(|error| failed(grant, error))
            }
            Self::Simulated(board) => board.duty(grant.channel),
        }
    }

    pub(crate) fn set_duty(&mut self, grant: &PwmGrant, duty: u16) -> Result<(), DeviceError> {
        match self {
            Self::Kernel(channels) => {
                channels.open(grant)?.set_duty_cycle(fraction(duty)).map_err(|error| failed(grant, error))
            }
            Self::Simulated(board) => board.set_duty(grant.channel, duty),
        }
    }

    /// Goes to the fail-safe duty, if there is one.
    pub(crate) fn fail_safe(&mut self, grant: &PwmGrant) -> Result<(), DeviceError> {
        grant.fail_safe.map_or(Ok(()), |duty| self.set_duty(grant, duty))
    }

    /// Ends the use of a channel, at its fail-safe duty; one without is switched off. Nothing to do for a channel that
    /// was never opened.
    pub(crate) fn release(&mut self, grant: &PwmGrant) {
        if matches!(self, Self::Kernel(channels) if !channels.0.contains_key(&grant.channel)) {
            return;
        }
        if let Err(error) = self.fail_safe(grant) {
            tracing::warn!(channel = grant.channel, %error, "a released channel is not at its fail-safe duty");
        }
        match self {
            Self::Kernel(channels) => {
                if let Some(mut channel) = channels.0.remove(&grant.channel) {
                    channel.set_reset_on_drop(grant.fail_safe.is_none());
                }
            }
            Self::Simulated(board) => board.release_channel(grant),
        }
    }
}

impl KernelPwm {
    fn open(&mut self, grant: &PwmGrant) -> Result<&Pwm, DeviceError> {
        match self.0.entry(grant.channel) {
            Entry::Occupied(channel) => Ok(channel.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(open(grant).map_err(|error| failed(grant, error))?)),
        }
    }
}

fn open(grant: &PwmGrant) -> Result<Pwm, Error> {
    let channel = match grant.chip_number() {
        Some(chip) => Pwm::with_pwmchip(chip, grant.channel)?,
        None => Pwm::new(Channel::try_from(grant.channel)?)?,
    };
    channel.set_frequency(f64::from(grant.frequency_hz), fraction(grant.fail_safe.unwrap_or(0)))?;
    channel.enable()?;
    Ok(channel)
}

fn fraction(duty: u16) -> f64 {
    f64::from(duty) / f64::from(u16::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=65535 before")]
fn from_fraction(fraction: f64) -> u16 {
    (fraction.clamp(0.0, 1.0) * f64::from(u16::MAX)).round() as u16
}

fn failed(grant: &PwmGrant, error: Error) -> DeviceError {
    let place = format!("{} channel {}", grant.chip, grant.channel);
    let no_device = |why: &str| DeviceError::NoDevice { place: place.clone(), why: why.to_owned() };
    match error {
        Error::UnknownModel => no_device("this machine is no Raspberry Pi that is known; use /sys/class/pwm/pwmchipN"),
        Error::InvalidChannel if grant.chip == PI => no_device("a Raspberry Pi has channels 0 to 3"),
        Error::InvalidChannel => no_device("no such channel"),
        Error::Io(source) => DeviceError::from_io(&place, source, HINT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(chip: &str) -> PwmGrant {
        toml::from_str(&format!("chip = '{chip}'\nchannel = 0\nfrequency-hz = 1000")).unwrap()
    }

    #[test]
    fn a_machine_without_the_chip_says_so() {
        let mut channels = Channels::real();
        let grant = grant("/sys/class/pwm/pwmchip250");
        let error = channels.set_duty(&grant, 1).unwrap_err();
        assert!(matches!(&error, DeviceError::NoDevice { place, .. } if place.contains("pwmchip250")), "{error}");
        channels.release(&grant);
    }

    #[test]
    fn a_duty_survives_the_way_through_fractions() {
        for duty in [0, 1, 255, 32_767, 65_534, 65_535] {
            assert_eq!(from_fraction(fraction(duty)), duty);
        }
    }

    #[test]
    fn permissions_come_with_a_hint() {
        let error = failed(&grant("pi"), Error::Io(std::io::Error::from_raw_os_error(13))).to_string();
        assert!(error.contains("udev"), "{error}");
    }
}
