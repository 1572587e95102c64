//! The executor: every task of one Thing, in guest memory, on one thread, driven by `wake`.
//!
//! Between two wakes nothing runs, and all there is of a task lies in the memory of this instance; so a task in flight
//! is part of the Thing's image. It knows no host and no clock: the time is passed in, what ended is handed back.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Wake, Waker};

/// A task of type `K` (what names it), ending with a `T`.
pub(crate) struct Executor<K, T> {
    tasks: Vec<Task<K, T>>,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

struct Task<K, T> {
    key: K,
    future: Boxed<T>,
    ready: Arc<Ready>,
    waker: Waker,
}

struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<K: PartialEq, T> Task<K, T> {
    fn poll(&mut self) -> Poll<T> {
        self.ready.0.store(false, Relaxed);
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
}

/// How often one wake goes round the ready tasks, so that tasks that wake each other for ever leave the others room.
const ROUNDS_MAX: usize = 16;

impl<K: PartialEq, T> Executor<K, T> {
    pub(crate) const fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Adds a task; its first poll is in the next round.
    pub(crate) fn spawn(&mut self, key: K, future: Boxed<T>) {
        self.tasks.push(task(key, future));
    }

    /// Polls the task once and keeps it only if it is not done.
    pub(crate) fn begin(&mut self, key: K, future: Boxed<T>) -> Poll<T> {
        let mut task = task(key, future);
        let poll = task.poll();
        if poll.is_pending() {
            self.tasks.push(task);
        }
        poll
    }

    /// Drops the task, which runs its drop guards. False: there is none of that name.
    pub(crate) fn cancel(&mut self, key: &K) -> bool {
        let found = self.tasks.iter().position(|task| task.key == *key);
        found.map(|index| drop(self.tasks.remove(index))).is_some()
    }

    /// Drops every task.
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }

    /// Polls what is ready until nothing is, or the rounds are used up; hands what ended to `ended`.
    pub(crate) fn go_round(&mut self, mut ended: impl FnMut(K, T)) {
        for _ in 0..ROUNDS_MAX {
            if !self.is_ready() {
                return;
            }
            let mut index = 0;
            while let Some(task) = self.tasks.get_mut(index) {
                match if task.ready.0.load(Relaxed) { task.poll() } else { Poll::Pending } {
                    Poll::Ready(result) => ended(self.tasks.remove(index).key, result),
                    Poll::Pending => index += 1,
                }
            }
        }
    }

    /// Is any task to be polled at once?
    pub(crate) fn is_ready(&self) -> bool {
        self.tasks.iter().any(|task| task.ready.0.load(Relaxed))
    }
}

fn task<K, T>(key: K, future: Boxed<T>) -> Task<K, T> {
    let ready = Arc::new(Ready(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&ready));
    Task { key, future, ready, waker }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use core::cell::Cell;
    use core::future::poll_fn;
    use std::rc::Rc;

    fn go_round(executor: &mut Executor<u8, u8>, now_us: u64) -> Vec<(u8, u8)> {
        clock::set_native_now_us(now_us);
        clock::fire(now_us);
        let mut ended = Vec::new();
        executor.go_round(|key, result| ended.push((key, result)));
        ended
    }

    #[test]
    fn a_task_that_is_ready_at_once_is_never_kept() {
        let mut executor: Executor<u8, u8> = Executor::new();
        assert_eq!(executor.begin(1, Box::pin(async { 7 })), Poll::Ready(7));
        assert_eq!(executor.len(), 0);
    }

    #[test]
    fn sleeping_tasks_end_in_the_order_of_their_timers() {
        let mut executor = Executor::new();
        clock::set_native_now_us(0);
        for (key, ms) in [(1, 3), (2, 1)] {
            executor.spawn(
                key,
                Box::pin(async move {
                    clock::sleep_ms(ms).await;
                    key
                }),
            );
        }
        assert_eq!(go_round(&mut executor, 0), []);
        assert_eq!(clock::next_us(), Some(1_000));
        assert_eq!(go_round(&mut executor, 999), []);
        assert_eq!(go_round(&mut executor, 1_000), [(2, 2)]);
        assert_eq!(clock::next_us(), Some(3_000));
        assert_eq!(go_round(&mut executor, 5_000), [(1, 1)]);
        assert_eq!(clock::next_us(), None);
    }

    #[test]
    fn a_cancelled_task_is_dropped_with_its_guard_and_its_timer() {
        struct Guard(Rc<Cell<bool>>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let dropped = Rc::new(Cell::new(false));
        let guard = Guard(Rc::clone(&dropped));
        let mut executor = Executor::new();
        let begun = executor.begin(
            1,
            Box::pin(async move {
                let _guard = guard;
                clock::sleep_ms(1).await;
                1
            }),
        );
        assert_eq!(begun, Poll::Pending);
        assert!(clock::next_us().is_some());
        assert!(executor.cancel(&1));
        assert!(dropped.get());
        assert_eq!(clock::next_us(), None);
        assert!(!executor.cancel(&1));
    }

    #[test]
    fn a_task_that_wakes_itself_for_ever_does_not_keep_the_wake() {
        let mut executor = Executor::new();
        let begun = executor.begin(
            1,
            Box::pin(poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::Pending
            })),
        );
        assert_eq!(begun, Poll::Pending);
        assert_eq!(go_round(&mut executor, 0), []);
        assert!(executor.is_ready());
    }
}
