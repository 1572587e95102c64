//! How long each of many calls took, and what share of them took how long.

use std::time::{Duration, Instant};

/// Durations of single calls.
#[derive(Debug, Default)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    /// Calls `work` as often as `warm_up` says, then `calls` times with a watch.
    pub fn of(warm_up: usize, calls: usize, mut work: impl FnMut()) -> Self {
        (0..warm_up).for_each(|_| work());
        let timed = (0..calls).map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        });
        Self::from(timed.collect::<Vec<_>>())
    }

    /// The time within which this many per mille of the calls were done.
    pub fn within(&self, per_mille: usize) -> Duration {
        let at = (self.sorted.len() * per_mille / 1000).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(at).copied().unwrap_or_default()
    }

    /// `p50` and `p99` in microseconds, as table cells.
    pub fn cells(&self) -> [String; 2] {
        [500, 990].map(|per_mille| format!("{:.2}", self.within(per_mille).as_secs_f64() * 1e6))
    }
}

impl From<Vec<Duration>> for Latencies {
    fn from(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self { sorted: durations }
    }
}
