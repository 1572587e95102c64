//! The clock of one Thing: microseconds since the Thing was made, never going back, standing still while it is off.
//!
//! It says nothing about the time of day: [`ThingClock::to_utc`] turns a moment of it into UTC where a reading leaves the
//! gateway. That it never goes back over a kill -9 is the store's work, which reserves it ahead.

use std::time::{Duration, Instant, SystemTime};

/// What stands for a moment that no instant can name: a hundred years.
const FAR: Duration = Duration::from_secs(3_155_760_000);

/// A Thing's clock, resumed at the moment that its store kept. Copies show the same time.
#[derive(Clone, Copy, Debug)]
pub struct ThingClock {
    resumed_at_us: u64,
    resumed: Instant,
}

impl ThingClock {
    /// Goes on from `at_us`, now.
    #[must_use]
    pub fn resume(at_us: u64) -> Self {
        Self { resumed_at_us: at_us, resumed: Instant::now() }
    }

    /// Microseconds on this clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.at(Instant::now())
    }

    /// The microsecond on this clock of a monotonic instant; an instant before the resumption counts as the resumption.
    #[must_use]
    pub fn at(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.resumed);
        self.resumed_at_us.saturating_add(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// The monotonic instant of a moment on this clock, the past before this process included as far as it reaches.
    #[must_use]
    pub fn instant_of(&self, us: u64) -> Instant {
        match us.checked_sub(self.resumed_at_us) {
            Some(since) => self.resumed.checked_add(Duration::from_micros(since)).unwrap_or(self.resumed + FAR),
            None => self.resumed.checked_sub(Duration::from_micros(self.resumed_at_us - us)).unwrap_or(self.resumed),
        }
    }

    /// UTC of a moment on this clock, reckoned back from the present time of day; a moment of the future counts as now.
    ///
    /// For a moment before the resumption the time for which the Thing was off is not in the sum.
    #[must_use]
    pub fn to_utc(&self, taken_us: u64) -> SystemTime {
        let age = Duration::from_micros(self.now_us().saturating_sub(taken_us));
        SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_where_it_stood() {
        let clock = ThingClock::resume(5_000_000);
        let first = clock.now_us();
        assert!(first >= 5_000_000);
        assert!(clock.now_us() >= first);
        assert_eq!(clock.at(clock.resumed + Duration::from_millis(2)), 5_002_000);
    }

    #[test]
    fn a_moment_of_the_past_is_that_long_ago_in_utc() {
        let clock = ThingClock::resume(10_000_000);
        let age = SystemTime::now().duration_since(clock.to_utc(4_000_000)).unwrap();
        assert!(age >= Duration::from_secs(6) && age < Duration::from_secs(7), "{age:?}");
        assert!(clock.to_utc(u64::MAX) <= SystemTime::now());
    }
}
