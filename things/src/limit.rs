//! How often one claim may use its bus, and how long it has used it.
//!
//! Invariant: over any stretch of time a claim starts at most `hz_max` x (seconds + 1) transactions. Time is passed in.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::DeviceError;
use crate::locks::lock;

/// A bucket of one second's worth of transactions, refilled evenly: a driver's burst passes, a loop does not.
#[derive(Debug)]
struct Bucket {
    hz_max: u32,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let step = Duration::from_secs(1) / self.hz_max;
        let full_at = self.full_at.max(now) + step;
        let fits = full_at <= now + Duration::from_secs(1);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

/// The limit and the account of one claim, shared by all clones of its slot.
#[derive(Debug)]
pub(crate) struct Meter {
    bucket: Option<Mutex<Bucket>>,
    transactions: AtomicU64,
    failures: AtomicU64,
    bus_time_us: AtomicU64,
}

impl Meter {
    pub(crate) fn new(hz_max: Option<u32>, now: Instant) -> Self {
        let bucket = hz_max.map(|hz_max| Mutex::new(Bucket { hz_max: hz_max.max(1), full_at: now }));
        Self { bucket, transactions: AtomicU64::new(0), failures: AtomicU64::new(0), bus_time_us: AtomicU64::new(0) }
    }

    /// Takes one transaction out of the grant's rate.
    pub(crate) fn take(&self, now: Instant) -> Result<(), DeviceError> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let mut bucket = lock(bucket);
        if bucket.take(now) { Ok(()) } else { Err(DeviceError::RateExceeded { hz_max: bucket.hz_max }) }
    }

    /// Accounts one transaction that has held the bus for `held`.
    pub(crate) fn add(&self, held: Duration, failed: bool) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.bus_time_us.fetch_add(u64::try_from(held.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// (transactions, failures among them, microseconds of bus time)
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.transactions), of(&self.failures), of(&self.bus_time_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let meter = Meter::new(Some(10), start);
        let passed = |now| (0..100).filter(|_| meter.take(now).is_ok()).count();
        assert_eq!(passed(start), 10);
        assert_eq!(passed(start + Duration::from_millis(100)), 1);
        assert_eq!(passed(start + Duration::from_millis(350)), 2);
        assert_eq!(passed(start + Duration::from_secs(60)), 10, "no more than one second is saved up");
    }

    #[test]
    fn no_limit_no_refusal() {
        let meter = Meter::new(None, Instant::now());
        assert!((0..10_000).all(|_| meter.take(Instant::now()).is_ok()));
    }
}
