//! `pwm`: the duty of a granted channel, in 1/65535 of its period.

use things::{PwmSlot, Slot};

use super::device::Answer;
use crate::bindings::tidegate::thing::pwm::Host;
use crate::sandbox::Sandbox;

fn pick(slot: &Slot) -> Option<PwmSlot> {
    if let Slot::Pwm(slot) = slot { Some(slot.clone()) } else { None }
}

impl Host for Sandbox {
    async fn get_duty(&mut self, slot: u32) -> Answer<u16> {
        match self.device(slot, pick) {
            Ok(channel) => self.bound(channel.duty()).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn set_duty(&mut self, slot: u32, duty: u16) -> Answer<()> {
        match self.output(slot, pick) {
            Ok(channel) => self.bound(channel.set_duty(duty)).await,
            Err(error) => Ok(Err(error)),
        }
    }
}
