//! `clock`: the Thing's own time, the time of day for stamps, a blocking delay, and randomness.

use std::time::{Duration, Instant, SystemTime};

use crate::bindings::tidegate::thing::clock::Host;
use crate::error::DeadlinePassed;
use crate::sandbox::Sandbox;

/// Shorter delays are waited for on the spot: a timer of the runtime is a millisecond coarse.
const SPIN_US: u32 = 100;

impl Host for Sandbox {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.count_host_call();
        Ok(self.clock.now_us())
    }

    fn wall(&mut self) -> wasmtime::Result<u64> {
        self.count_host_call();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    async fn delay(&mut self, microseconds: u32) -> wasmtime::Result<()> {
        self.count_host_call();
        let delay = Duration::from_micros(microseconds.into());
        if microseconds <= SPIN_US {
            let began = Instant::now();
            while began.elapsed() < delay {
                std::hint::spin_loop();
            }
            return Ok(());
        }
        self.control.bound(tokio::time::sleep(delay)).await.ok_or_else(|| DeadlinePassed.into())
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        self.count_host_call();
        getrandom::u64().map_err(|error| wasmtime::format_err!("no randomness: {error}"))
    }
}
