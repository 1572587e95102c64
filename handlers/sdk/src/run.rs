//! Keeps `run` alive: run again with back-off after an error, whose reason answers the reads that find no reading.
//!
//! A failure lasts from such an error to the next publication, and is told once at either end if the handler wants so.

use crate::bindings::tidegate::thing::emit;
use crate::{Fault, Handler, Thing, Value, clock, log};
use core::cell::{Cell, RefCell};
use std::rc::Rc;

const BACK_OFF_FIRST_MS: u64 = 1_000;
const BACK_OFF_MAX_MS: u64 = 60_000;

thread_local! {
    /// Why `run` ended last, until it publishes again.
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The events that tell of a failure and of its end.
    static EVENTS: Cell<Option<(&'static str, &'static str)>> = const { Cell::new(None) };
}

pub(crate) fn tell_failures(failed: &'static str, recovered: &'static str) {
    EVENTS.set(Some((failed, recovered)));
}

/// A publication is the proof that `run` is well again.
pub(crate) fn published() {
    if failure_ends()
        && let Some((_, recovered)) = EVENTS.get()
    {
        emit::event(recovered, &Value::Null);
    }
}

fn failed(reason: &str) {
    if failure_begins(reason)
        && let Some((failed, _)) = EVENTS.get()
    {
        emit::event(failed, &reason.into());
    }
}

/// Keeps the reason; is this the first one?
fn failure_begins(reason: &str) -> bool {
    REASON.with_borrow_mut(|last| last.replace(reason.to_owned())).is_none()
}

fn failure_ends() -> bool {
    REASON.with_borrow_mut(Option::take).is_some()
}

/// What a read that found no reading is told: the reason why `run` ended, if it did, else the handler's own.
pub(crate) fn why_unavailable(own: Fault) -> Fault {
    let reason = REASON.with_borrow(Clone::clone);
    match (own, reason) {
        (Fault::Unavailable(_), Some(reason)) => Fault::Unavailable(reason),
        (own, _) => own,
    }
}

/// Runs `run` until it ends well.
pub(crate) async fn keep_running<H: Handler>(handler: Rc<H>, thing: Thing) {
    let mut back_off_ms = BACK_OFF_FIRST_MS;
    while let Err(fault) = handler.run(&thing).await {
        if REASON.with_borrow(Option::is_none) {
            back_off_ms = BACK_OFF_FIRST_MS;
        }
        log::warn(fault.reason());
        failed(fault.reason());
        clock::sleep_ms(back_off_ms).await;
        back_off_ms = (back_off_ms * 2).min(BACK_OFF_MAX_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::{Config, Origin};
    use core::cell::Cell;

    /// Fails at each run and says how often it ran; publishes from the third run on.
    struct Failing(Cell<u32>);

    impl Handler for Failing {
        fn start(_: &Config, _: Origin) -> Result<Self, Fault> {
            Ok(Self(Cell::new(0)))
        }

        async fn run(&self, _: &Thing) -> Result<(), Fault> {
            self.0.set(self.0.get() + 1);
            if self.0.get() == 3 {
                published();
            }
            Err(Fault::unavailable("no chip"))
        }
    }

    #[test]
    fn a_failure_is_told_once_at_either_end() {
        assert!(!failure_ends(), "nothing has failed");
        assert_eq!(["no chip", "no chip", "another chip"].map(failure_begins), [true, false, false]);
        assert_eq!(why_unavailable(Fault::unavailable("own")), Fault::unavailable("another chip"));
        assert_eq!([failure_ends(), failure_ends()], [true, false]);
    }

    #[test]
    fn a_failing_run_is_tried_again_with_back_off_until_it_publishes() {
        let handler = Rc::new(Failing(Cell::new(0)));
        let mut executor: Executor<(), ()> = Executor::new();
        executor.spawn((), Box::pin(keep_running(Rc::clone(&handler), Thing::new("x", vec![]))));
        let mut next = 0;
        let mut waits_ms = vec![];
        for runs in 1..=4 {
            clock::set_native_now_us(next);
            clock::fire(next);
            executor.go_round(|(), ()| {});
            assert_eq!(handler.0.get(), runs);
            assert_eq!(why_unavailable(Fault::unavailable("own")), Fault::unavailable("no chip"));
            let due = clock::next_us().unwrap();
            waits_ms.push((due - next) / 1_000);
            next = due;
        }
        assert_eq!(waits_ms, [1_000, 2_000, 1_000, 2_000]);
        assert_eq!(why_unavailable(Fault::NotFound), Fault::NotFound);
        published();
        assert_eq!(why_unavailable(Fault::unavailable("own")), Fault::unavailable("own"));
    }
}
