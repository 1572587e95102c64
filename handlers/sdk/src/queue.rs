//! What came as a signal and was not taken yet: bounded, the oldest give way and are counted.

use crate::notify::Notify;
use core::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many wait in one queue.
pub(crate) const WAITING_MAX: usize = 64;

pub(crate) struct Queue<T> {
    waiting: RefCell<VecDeque<T>>,
    lost: Cell<u64>,
    notify: Notify,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { waiting: RefCell::new(VecDeque::new()), lost: Cell::new(0), notify: Notify::new() }
    }

    pub(crate) fn push(&self, item: T) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == WAITING_MAX {
            waiting.pop_front();
            self.lost.set(self.lost.get() + 1);
        }
        waiting.push_back(item);
        drop(waiting);
        self.notify.notify();
    }

    /// Takes the oldest, or waits for one.
    pub(crate) async fn next(&self) -> T {
        loop {
            let item = self.waiting.borrow_mut().pop_front();
            match item {
                Some(item) => return item,
                None => self.notify.changed().await,
            }
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.get()
    }
}
