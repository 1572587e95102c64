//! LED: the brightness of a PWM channel, set at once or faded to.
//!
//! The last hand wins: a write or another fade ends the fade that runs, which then fails and says so. A cancelled fade stays
//! where it is. The LED starts dark; a replacement leaves it as it is.

use core::cell::Cell;
use tidegate_handler::{Action, Config, Fault, Handler, Origin, Pwm, Thing, Value, clock, sleep_ms};

/// Between two steps of a fade: more often than an eye can tell.
const STEP_MS: u64 = 20;

struct Led {
    thing: Thing,
    lamp: Pwm,
    origin: Origin,
    /// Number of the write or fade that came last.
    hand: Cell<u64>,
}

impl Handler for Led {
    fn start(config: &Config, origin: Origin) -> Result<Self, Fault> {
        Ok(Self { thing: config.thing(), lamp: config.pwm("lamp")?, origin, hand: Cell::new(0) })
    }

    async fn run(&self, _thing: &Thing) -> Result<(), Fault> {
        match self.origin {
            Origin::Fresh | Origin::Recovered => self.shine(0),
            Origin::Swapped | Origin::Migrated => Ok(()),
        }
    }

    fn read_property(&self, _name: &str) -> Result<Value, Fault> {
        Ok(percent(self.lamp.duty()?).into())
    }

    fn write_property(&self, _name: &str, value: Value) -> Result<(), Fault> {
        let brightness = value.try_into()?;
        self.take_over();
        self.shine(duty(brightness))
    }

    async fn invoke_action(&self, _name: &str, input: Value, action: &Action) -> Result<Value, Fault> {
        let (to, duration_ms): (u8, u32) = (input.member("to").try_into()?, input.member("duration").try_into()?);
        let (hand, from, begin_us) = (self.take_over(), self.lamp.duty()?, clock::now_us());
        loop {
            let elapsed_ms = (clock::now_us() - begin_us) / 1_000;
            let now = between(from, duty(to), elapsed_ms, u64::from(duration_ms));
            self.shine(now)?;
            if elapsed_ms >= u64::from(duration_ms) {
                return Ok(to.into());
            }
            action.progress(percent(now));
            sleep_ms(STEP_MS).await;
            if self.hand.get() != hand {
                return Err(Fault::failed("another brightness was asked for while this fade ran"));
            }
        }
    }
}

impl Led {
    /// From now on no other hand dims.
    fn take_over(&self) -> u64 {
        self.hand.set(self.hand.get() + 1);
        self.hand.get()
    }

    /// Sets the duty; observers see it, reads ask the channel itself.
    fn shine(&self, duty: u16) -> Result<(), Fault> {
        self.lamp.set_duty(duty)?;
        self.thing.publish("brightness", percent(duty), 0);
        Ok(())
    }
}

/// 0 to 100 % as 0 to 65535. A number above is above the model's maximum and never comes.
fn duty(percent: u8) -> u16 {
    u16::try_from((u32::from(percent) * 65_535 + 50) / 100).unwrap_or(u16::MAX)
}

fn percent(duty: u16) -> u32 {
    (u32::from(duty) * 100 + 32_767) / 65_535
}

/// Where a fade is after `elapsed` of `duration`.
fn between(from: u16, to: u16, elapsed: u64, duration: u64) -> u16 {
    if elapsed >= duration {
        return to;
    }
    let (from, to) = (u64::from(from), u64::from(to));
    let duty = (from * (duration - elapsed) + to * elapsed) / duration;
    u16::try_from(duty).unwrap_or(u16::MAX)
}

tidegate_handler::export!(Led);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert!((0..=100).all(|brightness| percent(duty(brightness)) == u32::from(brightness)));
        assert_eq!((duty(0), duty(100)), (0, 65_535));
    }

    #[test]
    fn a_fade_goes_straight_both_ways_and_ends_where_it_should() {
        assert_eq!([0, 1, 2, 4, 9].map(|elapsed| between(0, 40_000, elapsed, 4)), [0, 10_000, 20_000, 40_000, 40_000]);
        assert_eq!([0, 3, 4].map(|elapsed| between(40_000, 0, elapsed, 4)), [40_000, 10_000, 0]);
        assert_eq!(between(7, 9, 0, 0), 9, "a fade of no time is a jump");
    }
}
