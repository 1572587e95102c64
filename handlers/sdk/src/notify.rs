//! Something changed: wakes whoever waits for it. A waiter that is dropped leaves no trace.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// One thing that can change, and its waiters.
pub(crate) struct Notify {
    version: Cell<u64>,
    last_id: Cell<u64>,
    waiters: RefCell<Vec<(u64, Waker)>>,
}

impl Notify {
    pub(crate) const fn new() -> Self {
        Self { version: Cell::new(0), last_id: Cell::new(0), waiters: RefCell::new(Vec::new()) }
    }

    pub(crate) fn notify(&self) {
        self.version.set(self.version.get() + 1);
        let waiters = self.waiters.take();
        for (_, waker) in waiters {
            waker.wake();
        }
    }

    /// Ends at the next change after this call.
    pub(crate) fn changed(&self) -> Changed<'_> {
        self.last_id.set(self.last_id.get() + 1);
        Changed { notify: self, seen: self.version.get(), id: self.last_id.get() }
    }
}

pub(crate) struct Changed<'a> {
    notify: &'a Notify,
    seen: u64,
    id: u64,
}

impl Future for Changed<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.notify.version.get() != self.seen {
            return Poll::Ready(());
        }
        let mut waiters = self.notify.waiters.borrow_mut();
        match waiters.iter_mut().find(|(id, _)| *id == self.id) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => waiters.push((self.id, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.notify.waiters.borrow_mut().retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;

    #[test]
    fn a_waiter_sees_a_change_after_it_came_and_none_before() {
        let notify = Notify::new();
        let mut context = Context::from_waker(Waker::noop());
        notify.notify();
        let mut changed = pin!(notify.changed());
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
        notify.notify();
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(()));
    }

    #[test]
    fn a_dropped_waiter_leaves_no_trace() {
        let notify = Notify::new();
        {
            let mut changed = pin!(notify.changed());
            assert!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!(notify.waiters.borrow().len(), 1);
        }
        assert_eq!(notify.waiters.borrow().len(), 0);
    }
}
