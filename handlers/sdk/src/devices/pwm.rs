//! PWM: a duty in 1/65535 of the period that the grant sets.

use super::error::DeviceError;
use crate::bindings::tidegate::thing::pwm;
use embedded_hal::pwm::{ErrorType, SetDutyCycle};

/// A granted PWM channel.
#[derive(Debug)]
pub struct Pwm {
    slot: u32,
}

impl Pwm {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }

    /// The duty that is set now: 0 off, 65535 always on.
    ///
    /// # Errors
    /// What the device says.
    pub fn duty(&self) -> Result<u16, DeviceError> {
        pwm::get_duty(self.slot)
    }

    /// Sets the duty.
    ///
    /// # Errors
    /// What the device says.
    pub fn set_duty(&self, duty: u16) -> Result<(), DeviceError> {
        pwm::set_duty(self.slot, duty)
    }
}

impl ErrorType for Pwm {
    type Error = DeviceError;
}

impl SetDutyCycle for Pwm {
    fn max_duty_cycle(&self) -> u16 {
        u16::MAX
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), DeviceError> {
        self.set_duty(duty)
    }
}
