//! One thread that answers for buses that do not: it sleeps until the nearest deadline of any bus and no longer.
//!
//! Invariant: `next` is never later than the earliest deadline of a waiting transaction that a scan has seen; whoever
//! brings an earlier one wakes the thread. An idle machine has no deadline and the thread does not run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::error::DeviceError;
use crate::locks::lock;

/// A bus as the watchdog sees it.
pub(super) trait Watched: Send + Sync {
    /// Answers every caller whose time is over; the earliest deadline that is left.
    fn expire(&self, now: Instant) -> Option<Instant>;
}

/// A handle on the watchdog's thread, which ends with the last one.
#[derive(Clone)]
pub(crate) struct Watchdog(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    start: Instant,
    /// Microseconds after `start` at which the thread will look again; `u64::MAX`: not before it is woken.
    next: AtomicU64,
    buses: Mutex<Vec<Weak<dyn Watched>>>,
    ended: AtomicBool,
}

impl Watchdog {
    pub(crate) fn start() -> Result<Self, DeviceError> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            next: AtomicU64::new(u64::MAX),
            buses: Mutex::new(Vec::new()),
            ended: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("bus watchdog".to_owned())
            .spawn(move || theirs.watch())
            .map_err(|source| DeviceError::Bus { place: "bus watchdog".to_owned(), source })?;
        Ok(Self(Arc::new(Owner { shared, thread: thread.thread().clone() })))
    }

    pub(super) fn add(&self, bus: &Arc<dyn Watched>) {
        let mut buses = lock(&self.0.shared.buses);
        buses.retain(|bus| bus.strong_count() > 0);
        buses.push(Arc::downgrade(bus));
    }

    /// Makes sure that the thread looks at `deadline`, or before. One load when it would do so anyway.
    pub(super) fn wake_by(&self, deadline: Instant) {
        let at = self.0.shared.micros(deadline);
        if at < self.0.shared.next.load(Ordering::SeqCst) {
            self.0.shared.next.fetch_min(at, Ordering::SeqCst);
            self.0.thread.unpark();
        }
    }
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }

    fn watch(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            // From here on a new deadline wakes the thread, whatever the scan below finds.
            self.next.store(u64::MAX, Ordering::SeqCst);
            let now = Instant::now();
            let buses: Vec<_> = lock(&self.buses).iter().filter_map(Weak::upgrade).collect();
            let earliest = buses.iter().filter_map(|bus| bus.expire(now)).min();
            drop(buses);
            match earliest {
                Some(deadline) => {
                    // Rounded up, so that the deadline has passed when the thread looks again.
                    let at = self.next.fetch_min(self.micros(deadline) + 1, Ordering::SeqCst);
                    let at = at.min(self.micros(deadline) + 1);
                    let pause = Duration::from_micros(at.saturating_sub(self.micros(Instant::now())));
                    std::thread::park_timeout(pause);
                }
                None => std::thread::park(),
            }
        }
    }
}
