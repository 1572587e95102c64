//! Delays for drivers.

use crate::bindings::tidegate::thing::clock;
use crate::clock::sleep_us;

/// `embedded_hal_async::delay::DelayNs` is a timer: the driver waits, the Thing answers. The blocking
/// `embedded_hal::delay::DelayNs` stops the whole Thing, within the call's budget: prefer async drivers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay;

impl embedded_hal_async::delay::DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        sleep_us(u64::from(ns.div_ceil(1_000))).await;
    }

    async fn delay_us(&mut self, us: u32) {
        sleep_us(u64::from(us)).await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        sleep_us(u64::from(ms) * 1_000).await;
    }
}

impl embedded_hal::delay::DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        clock::delay(ns.div_ceil(1_000));
    }

    fn delay_us(&mut self, us: u32) {
        clock::delay(us);
    }

    fn delay_ms(&mut self, ms: u32) {
        for _ in 0..ms / 1_000 {
            clock::delay(1_000_000);
        }
        clock::delay(ms % 1_000 * 1_000);
    }
}
