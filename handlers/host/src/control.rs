//! The running call of one instance, seen from outside its sandbox: its deadline, its ticks, its processor time.
//!
//! The epoch callback reads one atomic number. Cancelling sets the deadline to now: a call's future is never dropped, since
//! that would leave the instance in the middle of a function for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

const MINUTE_NS: u64 = 60_000_000_000;

/// How long one call may wait for devices, all of them together: longer than any bus takes to give up a transfer, or a 1-Wire
/// thermometer to convert (750 ms).
const DEVICES_MAX: Duration = Duration::from_secs(1);

/// What waiting for a device came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Waited<T> {
    /// It answered.
    Answered(T),
    /// It did not within the time that a call has for devices; the call goes on.
    Silent,
    /// The call is over.
    Ended,
}

#[derive(Debug)]
pub(crate) struct CallControl {
    made: Instant,
    deadline_ns: AtomicU64,
    /// How long the running call has waited for devices.
    waited_ns: AtomicU64,
    ticks: AtomicU32,
    cancelled: Notify,
    account: Arc<CpuAccount>,
}

/// The processor time of one version of a Thing's handler. It outlives instances: one that is lost at its budget again and
/// again uses up the minute like one that stays.
#[derive(Debug)]
pub(crate) struct CpuAccount {
    made: Instant,
    minute_began_ns: AtomicU64,
    minute_used_ns: AtomicU64,
}

impl Default for CpuAccount {
    fn default() -> Self {
        Self { made: Instant::now(), minute_began_ns: AtomicU64::new(0), minute_used_ns: AtomicU64::new(0) }
    }
}

impl CpuAccount {
    /// Charges processor time to the minute.
    pub(crate) fn charge(&self, used: Duration) {
        self.minute_used_ns.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Milliseconds until the next minute when this one's processor time is used up.
    pub(crate) fn exhausted(&self, now: Instant, cpu_ms_per_minute: u32) -> Option<u32> {
        let now_ns = ns_between(self.made, now);
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

fn ns_between(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

impl CallControl {
    pub(crate) fn new(account: Arc<CpuAccount>) -> Self {
        Self {
            made: Instant::now(),
            deadline_ns: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
            cancelled: Notify::new(),
            account,
        }
    }

    fn ns(&self, instant: Instant) -> u64 {
        ns_between(self.made, instant)
    }

    /// A call begins at `now`.
    pub(crate) fn begin(&self, now: Instant, budget_ms: u32) {
        self.deadline_ns.store(self.ns(now) + u64::from(budget_ms) * 1_000_000, Relaxed);
        self.waited_ns.store(0, Relaxed);
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

    /// Waits for a device. That is not the handler's own time: its deadline moves by as much. All waits of one call together
    /// are bounded, and what is beyond is `Silent`.
    pub(crate) async fn bound_device<T>(&self, answer: impl Future<Output = T>) -> Waited<T> {
        let cancelled = self.cancelled.notified();
        let began = Instant::now();
        let silent_at = began + DEVICES_MAX.saturating_sub(Duration::from_nanos(self.waited_ns.load(Relaxed)));
        let waited = tokio::select! {
            biased;
            answer = answer => Waited::Answered(answer),
            () = cancelled => Waited::Ended,
            () = tokio::time::sleep_until(silent_at.into()) => Waited::Silent,
        };
        let waited_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waited_ns.fetch_add(waited_ns, Relaxed);
        let moved = |deadline_ns: u64| (deadline_ns > 0).then_some(deadline_ns.saturating_add(waited_ns));
        match self.deadline_ns.fetch_update(Relaxed, Relaxed, moved) {
            Ok(_) => waited,
            // Cancelled, maybe before this began.
            Err(_) => Waited::Ended,
        }
    }

    /// The account to which the call's processor time goes.
    pub(crate) fn account(&self) -> &CpuAccount {
        &self.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_given_anew_each_minute() {
        let account = CpuAccount::default();
        let began = account.made;
        assert_eq!(account.exhausted(began, 1_000), None);
        account.charge(Duration::from_millis(1_000));
        assert_eq!(account.exhausted(began + Duration::from_secs(20), 1_000), Some(40_000));
        assert_eq!(account.exhausted(began + Duration::from_secs(60), 1_000), None);
        assert_eq!(account.exhausted(began + Duration::from_secs(61), 1_000), None);
    }

    #[tokio::test]
    async fn a_host_call_ends_with_its_deadline_or_by_cancelling() {
        let control = CallControl::new(Arc::default());
        control.begin(Instant::now(), 20);
        assert_eq!(control.bound(std::future::pending::<()>()).await, None);
        control.begin(Instant::now(), 60_000);
        let (bounded, ()) = tokio::join!(control.bound(std::future::pending::<()>()), async { control.cancel() });
        assert_eq!(bounded, None);
        assert!(!control.tick(), "cancelled is past the deadline");
    }

    #[tokio::test]
    async fn waiting_for_a_device_is_bounded_and_not_the_handlers_time() {
        let control = CallControl::new(Arc::default());
        control.begin(Instant::now(), 60_000);
        assert_eq!(control.bound_device(std::future::ready(1)).await, Waited::Answered(1));
        // All but a moment of the time for devices has been waited already.
        control.waited_ns.store(990_000_000, Relaxed);
        let deadline = control.deadline();
        assert_eq!(control.bound_device(std::future::pending::<()>()).await, Waited::Silent);
        assert!(control.tick() && control.deadline() >= deadline + Duration::from_millis(9), "the call goes on");
        assert_eq!(control.bound_device(std::future::pending::<()>()).await, Waited::Silent, "at once");
        control.begin(Instant::now(), 60_000);
        let (waited, ()) = tokio::join!(control.bound_device(std::future::pending::<()>()), async { control.cancel() });
        assert_eq!(waited, Waited::Ended);
        assert_eq!(control.bound_device(std::future::ready(1)).await, Waited::Ended, "cancelled is cancelled");
    }
}
