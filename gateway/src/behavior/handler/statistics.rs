//! How often a handler was called and how long its calls took.
//!
//! Latencies are counted in buckets of a fixed width ratio (eight per doubling), so a percentile is right to 9 % at any
//! scale and the whole costs 2 KiB per Thing, whatever happens.

use std::time::Duration;

use serde::Serialize;

/// Buckets per doubling.
const PER_DOUBLING: u32 = 8;
/// From 1 us (everything below counts as it) to 2^30 us, about 18 minutes.
const BUCKETS: usize = 30 * PER_DOUBLING as usize;

/// Counts of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Statistics {
    buckets: Box<[u64; BUCKETS]>,
    calls: u64,
    faults: u64,
    background: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), calls: 0, faults: 0, background: 0 }
    }
}

/// What a handler's Thing shows of them.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Summary {
    /// Calls since the gateway started.
    pub(crate) calls: u64,
    /// Those that ended by a trap, a missed deadline or at a limit.
    pub(crate) faults: u64,
    /// Those that went on on the low-priority thread.
    pub(crate) background: u64,
    /// Latencies in microseconds.
    pub(crate) latency: Percentiles,
}

/// Percentiles in microseconds; 0 without calls.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

impl Statistics {
    /// Counts one call.
    pub(crate) fn count(&mut self, elapsed: Duration, background: bool, fault: bool) {
        self.calls += 1;
        self.faults += u64::from(fault);
        self.background += u64::from(background);
        self.buckets[bucket(elapsed)] += 1;
    }

    /// What is shown.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            calls: self.calls,
            faults: self.faults,
            background: self.background,
            latency: Percentiles { p50: self.percentile(50), p90: self.percentile(90), p99: self.percentile(99) },
        }
    }

    fn percentile(&self, percent: u64) -> f64 {
        let wanted = (self.calls * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_bound_us(place);
            }
        }
        0.0
    }
}

fn bucket(elapsed: Duration) -> usize {
    let us = elapsed.as_secs_f64() * 1e6;
    let place = us.max(1.0).log2() * f64::from(PER_DOUBLING);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and bounded on the next line"
    )]
    let place = place as usize;
    place.min(BUCKETS - 1)
}

fn upper_bound_us(place: usize) -> f64 {
    let exponent = u32::try_from(place + 1).map_or(f64::MAX, f64::from) / f64::from(PER_DOUBLING);
    (exponent.exp2() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_bucket() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.summary().latency.p99, 0.0);
        for us in 1..=1000 {
            statistics.count(Duration::from_micros(us), false, us == 1000);
        }
        let summary = statistics.summary();
        assert_eq!((summary.calls, summary.faults), (1000, 1));
        assert!((455.0..=550.0).contains(&summary.latency.p50), "{summary:?}");
        assert!((980.0..=1090.0).contains(&summary.latency.p99), "{summary:?}");
    }

    #[test]
    fn the_shortest_and_the_longest_have_a_place() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_secs(86_400)), BUCKETS - 1);
    }
}
