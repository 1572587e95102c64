//! The list of timers: what is due when, and whom to wake. A handful of entries, so a list is searched from end to end.

use core::task::Waker;

struct Timer {
    id: u64,
    at_us: u64,
    waker: Waker,
}

/// Every pending sleep of the Thing.
pub(crate) struct Timers {
    last_id: u64,
    list: Vec<Timer>,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { last_id: 0, list: Vec::new() }
    }

    /// Arms a timer, or renews the waker of the one that `id` names; answers its id.
    pub(crate) fn arm(&mut self, id: Option<u64>, at_us: u64, waker: &Waker) -> u64 {
        if let Some(timer) = self.list.iter_mut().find(|timer| Some(timer.id) == id) {
            timer.waker.clone_from(waker);
            return timer.id;
        }
        self.last_id += 1;
        self.list.push(Timer { id: self.last_id, at_us, waker: waker.clone() });
        self.last_id
    }

    pub(crate) fn disarm(&mut self, id: u64) {
        self.list.retain(|timer| timer.id != id);
    }

    /// Takes out what is due at `now_us`.
    pub(crate) fn take_due(&mut self, now_us: u64) -> Vec<Waker> {
        self.list.extract_if(.., |timer| timer.at_us <= now_us).map(|timer| timer.waker).collect()
    }

    pub(crate) fn next_us(&self) -> Option<u64> {
        self.list.iter().map(|timer| timer.at_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_is_the_next() {
        let mut timers = Timers::new();
        assert_eq!(timers.next_us(), None);
        let late = timers.arm(None, 20, Waker::noop());
        timers.arm(None, 10, Waker::noop());
        assert_eq!(timers.next_us(), Some(10));
        assert_eq!(timers.take_due(9).len(), 0);
        assert_eq!(timers.take_due(10).len(), 1);
        assert_eq!(timers.next_us(), Some(20));
        timers.disarm(late);
        assert_eq!(timers.next_us(), None);
    }

    #[test]
    fn arming_again_renews_and_adds_nothing() {
        let mut timers = Timers::new();
        let id = timers.arm(None, 10, Waker::noop());
        assert_eq!(timers.arm(Some(id), 10, Waker::noop()), id);
        assert_eq!(timers.take_due(10).len(), 1);
        assert_eq!(timers.next_us(), None);
    }
}
