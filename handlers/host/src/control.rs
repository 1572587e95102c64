//! The running call of one instance, seen from outside its sandbox: its deadline, its ticks, its processor time.
//!
//! The epoch callback reads one atomic number. Cancelling sets the deadline to now: a call's future is never dropped, since
//! that would leave the instance in the middle of a function for good.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

const MINUTE_NS: u64 = 60_000_000_000;

/// What waiting for a device came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Waited<T> {
    /// It answered.
    Answered(T),
    /// It did not, and the call goes on.
    Silent,
    /// The call is over.
    Ended,
}

#[derive(Debug)]
pub(crate) struct CallControl {
    made: Instant,
    deadline_ns: AtomicU64,
    /// A device that has not answered by then is told to be silent: the rest of the budget is the handler's.
    silent_ns: AtomicU64,
    ticks: AtomicU32,
    cancelled: Notify,
    minute_began_ns: AtomicU64,
    minute_used_ns: AtomicU64,
}

impl CallControl {
    pub(crate) fn new() -> Self {
        Self {
            made: Instant::now(),
            deadline_ns: AtomicU64::new(0),
            silent_ns: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
            cancelled: Notify::new(),
            minute_began_ns: AtomicU64::new(0),
            minute_used_ns: AtomicU64::new(0),
        }
    }

    fn ns(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.made).as_nanos()).unwrap_or(u64::MAX)
    }

    /// A call begins at `now`.
    pub(crate) fn begin(&self, now: Instant, budget_ms: u32) {
        let (began_ns, budget_ns) = (self.ns(now), u64::from(budget_ms) * 1_000_000);
        self.deadline_ns.store(began_ns + budget_ns, Relaxed);
        self.silent_ns.store(began_ns + budget_ns / 4 * 3, Relaxed);
        self.ticks.store(0, Relaxed);
    }

    /// One epoch passed inside the guest; is the deadline still ahead?
    pub(crate) fn tick(&self) -> bool {
        self.ticks.fetch_add(1, Relaxed);
        self.ns(Instant::now()) < self.deadline_ns.load(Relaxed)
    }

    /// Epochs that the running call has spent inside the guest.
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks.load(Relaxed)
    }

    /// When the running call ends at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        self.made + Duration::from_nanos(self.deadline_ns.load(Relaxed))
    }

    /// Ends the running call as if its budget were over.
    pub(crate) fn cancel(&self) {
        self.deadline_ns.store(0, Relaxed);
        self.cancelled.notify_waiters();
    }

    /// Waits for a host call's own answer, but not beyond the deadline or a cancellation.
    pub(crate) async fn bound<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        // Made before the deadline is read, so that a cancellation in between is not missed.
        let cancelled = self.cancelled.notified();
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = tokio::time::sleep_until(self.deadline().into()) => None,
            () = cancelled => None,
        }
    }

    /// Waits for a device, at most until three quarters of the call's budget are over: `Silent` leaves the handler the time
    /// to say so.
    pub(crate) async fn bound_device<T>(&self, answer: impl Future<Output = T>) -> Waited<T> {
        let cancelled = self.cancelled.notified();
        let silent_at = self.made + Duration::from_nanos(self.silent_ns.load(Relaxed));
        tokio::select! {
            biased;
            answer = answer => Waited::Answered(answer),
            () = cancelled => Waited::Ended,
            () = tokio::time::sleep_until(silent_at.into()) => {
                if Instant::now() < self.deadline() { Waited::Silent } else { Waited::Ended }
            }
        }
    }

    /// Charges processor time to the minute.
    pub(crate) fn charge(&self, used: Duration) {
        self.minute_used_ns.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Milliseconds until the next minute when this one's processor time is used up.
    pub(crate) fn exhausted(&self, now: Instant, cpu_ms_per_minute: u32) -> Option<u32> {
        let now_ns = self.ns(now);
        let began_ns = self.minute_began_ns.load(Relaxed);
        if now_ns >= began_ns + MINUTE_NS {
            self.minute_began_ns.store(now_ns, Relaxed);
            self.minute_used_ns.store(0, Relaxed);
            return None;
        }
        let used_up = self.minute_used_ns.load(Relaxed) >= u64::from(cpu_ms_per_minute) * 1_000_000;
        used_up.then(|| u32::try_from((began_ns + MINUTE_NS - now_ns).div_ceil(1_000_000)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_given_anew_each_minute() {
        let control = CallControl::new();
        let began = control.made;
        assert_eq!(control.exhausted(began, 1_000), None);
        control.charge(Duration::from_millis(1_000));
        assert_eq!(control.exhausted(began + Duration::from_secs(20), 1_000), Some(40_000));
        assert_eq!(control.exhausted(began + Duration::from_secs(60), 1_000), None);
        assert_eq!(control.exhausted(began + Duration::from_secs(61), 1_000), None);
    }

    #[tokio::test]
    async fn a_host_call_ends_with_its_deadline_or_by_cancelling() {
        let control = CallControl::new();
        control.begin(Instant::now(), 20);
        assert_eq!(control.bound(std::future::pending::<()>()).await, None);
        control.begin(Instant::now(), 60_000);
        let (bounded, ()) = tokio::join!(control.bound(std::future::pending::<()>()), async { control.cancel() });
        assert_eq!(bounded, None);
        assert!(!control.tick(), "cancelled is past the deadline");
    }

    #[tokio::test]
    async fn a_silent_device_leaves_the_handler_time_to_say_so() {
        let control = CallControl::new();
        control.begin(Instant::now(), 400);
        assert_eq!(control.bound_device(std::future::ready(1)).await, Waited::Answered(1));
        assert_eq!(control.bound_device(std::future::pending::<()>()).await, Waited::Silent);
        assert!(control.tick(), "the call is not over");
        control.begin(Instant::now(), 60_000);
        let (waited, ()) = tokio::join!(control.bound_device(std::future::pending::<()>()), async { control.cancel() });
        assert_eq!(waited, Waited::Ended);
    }
}
