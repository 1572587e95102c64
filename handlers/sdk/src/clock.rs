//! The Thing's own clock, and sleeping on it.
//!
//! Microseconds since the Thing was made: it never goes back, stands still while the gateway is off and moves with the
//! Thing, so a sleep means the same after a restart or a move. A sleep is an entry in a list in guest memory; nothing
//! blocks. Natively there is no Thing: the clock is a number that tests set.

use crate::timers::Timers;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

thread_local! {
    static TIMERS: RefCell<Timers> = const { RefCell::new(Timers::new()) };
}

/// Now, in microseconds of the Thing's clock.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn now_us() -> u64 {
    crate::bindings::tidegate::thing::clock::now()
}

/// Now, in microseconds of the Thing's clock. On a machine's own target: what [`set_native_now_us`] set last.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn now_us() -> u64 {
    native::NOW.get()
}

/// UTC in microseconds since 1970: for stamps only, it may jump. Not to be called natively.
#[must_use]
pub fn wall_us() -> u64 {
    crate::bindings::tidegate::thing::clock::wall()
}

/// 64 random bits from the gateway. Not to be called natively.
#[must_use]
pub fn random() -> u64 {
    crate::bindings::tidegate::thing::clock::random()
}

/// Sets the clock of this thread, for the native tests of a handler's own logic.
#[cfg(not(target_arch = "wasm32"))]
pub fn set_native_now_us(now_us: u64) {
    native::NOW.set(now_us);
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    thread_local! {
        pub(super) static NOW: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    }
}

/// Waits `ms` milliseconds while the Thing goes on answering.
pub async fn sleep_ms(ms: u64) {
    sleep_us(ms.saturating_mul(1_000)).await;
}

/// Waits `us` microseconds while the Thing goes on answering. The gateway's tick makes this about a millisecond exact.
pub async fn sleep_us(us: u64) {
    sleep_until_us(now_us().saturating_add(us)).await;
}

/// Waits until the Thing's clock shows `at_us`: for a rhythm that does not drift.
pub async fn sleep_until_us(at_us: u64) {
    let mut armed = Armed(None);
    poll_fn(|context| {
        if now_us() >= at_us {
            return Poll::Ready(());
        }
        armed.0 = Some(TIMERS.with_borrow_mut(|timers| timers.arm(armed.0, at_us, context.waker())));
        Poll::Pending
    })
    .await;
}

/// A timer that is taken off the list when its future is dropped.
struct Armed(Option<u64>);

impl Drop for Armed {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            TIMERS.with_borrow_mut(|timers| timers.disarm(id));
        }
    }
}

/// Wakes every task whose timer is due.
pub(crate) fn fire(now_us: u64) {
    let due = TIMERS.with_borrow_mut(|timers| timers.take_due(now_us));
    for waker in due {
        waker.wake();
    }
}

/// When the next timer is due.
pub(crate) fn next_us() -> Option<u64> {
    TIMERS.with_borrow(Timers::next_us)
}
