//! One PWM chip: a Raspberry Pi's, another one of the kernel's, or the simulated board's.

use crate::error::DeviceError;
use crate::grant::PwmGrant;
use crate::simulated::Board;

/// The channels behind one PWM thread.
pub(crate) enum Channels {
    /// No PWM here.
    Missing,
    Simulated(Board),
}

impl Channels {
    /// The channels of this machine.
    pub(crate) fn real() -> Self {
        Self::Missing
    }

    /// The duty in 1/65535 of the period.
    pub(crate) fn duty(&mut self, grant: &PwmGrant) -> Result<u16, DeviceError> {
        match self {
            Self::Simulated(board) => board.duty(grant.channel),
            Self::Missing => Err(DeviceError::NoDevice { place: grant.chip.clone(), why: "no PWM here".to_owned() }),
        }
    }

    pub(crate) fn set_duty(&mut self, grant: &PwmGrant, duty: u16) -> Result<(), DeviceError> {
        match self {
            Self::Simulated(board) => board.set_duty(grant.channel, duty),
            Self::Missing => Err(DeviceError::NoDevice { place: grant.chip.clone(), why: "no PWM here".to_owned() }),
        }
    }

    /// Goes to the fail-safe duty, if there is one.
    pub(crate) fn fail_safe(&mut self, grant: &PwmGrant) -> Result<(), DeviceError> {
        grant.fail_safe.map_or(Ok(()), |duty| self.set_duty(grant, duty))
    }

    /// Ends the use of a channel, at its fail-safe duty.
    pub(crate) fn release(&mut self, grant: &PwmGrant) {
        if let Err(error) = self.fail_safe(grant) {
            tracing::warn!(channel = grant.channel, %error, "a released channel is not at its fail-safe duty");
        }
    }
}
