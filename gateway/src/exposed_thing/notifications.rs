//! What a Thing tells its observers: one numbered sequence of property changes and events, a bounded ring to replay from,
//! and a broadcast that never waits for a slow listener.
//!
//! Ids rise over restarts and clock jumps: an id is the wall clock in microseconds or the last id + 1, whichever is more,
//! and blocks of ids are reserved in the store an hour ahead (see [`EventIds`]).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::interaction::AffordanceKind;
use crate::reading::Quality;

/// How many notifications a Thing keeps for `Last-Event-ID`.
const RING_MAX: usize = 256;
/// How many bytes of them.
const RING_BYTES_MAX: usize = 1 << 20;
/// How far a listener may lag before it loses notifications.
const LAG_MAX: usize = 128;
/// How many ids are reserved ahead: one hour of microseconds, so an active Thing costs the store one row an hour.
const RESERVED_AHEAD: u64 = 3_600_000_000;

/// One change of a property or one event.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Rises with every notification of the Thing, over restarts too.
    pub id: u64,
    /// Property or event.
    pub affordance: AffordanceKind,
    /// The affordance's name.
    pub name: Arc<str>,
    /// The value or the event's data, JSON text on one line.
    pub body: Bytes,
    /// When the value was taken or the event happened.
    pub taken: Instant,
    /// The quality of a property's reading; `Good` for events.
    pub quality: Quality,
}

/// The ids of a Thing's notifications.
#[derive(Debug)]
pub(crate) struct EventIds {
    last: u64,
    reserved: u64,
}

impl EventIds {
    /// Goes on above everything that any process before this one may have used.
    pub(crate) fn resume(reserved: u64) -> Self {
        Self { last: reserved, reserved }
    }

    /// The next id.
    fn next(&mut self, now_utc: SystemTime) -> u64 {
        let wall = now_utc.duration_since(UNIX_EPOCH).map_or(0, |since| {
            // 2^64 microseconds are 584,000 years.
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        });
        self.last = wall.max(self.last.saturating_add(1));
        self.last
    }

    /// A new reservation to be written, when half of the block is used up.
    fn reservation(&mut self) -> Option<u64> {
        if self.last.saturating_add(RESERVED_AHEAD / 2) < self.reserved {
            return None;
        }
        self.reserved = self.last.saturating_add(RESERVED_AHEAD);
        Some(self.reserved)
    }
}

#[derive(Debug)]
struct Ring {
    ids: EventIds,
    kept: VecDeque<Arc<Notification>>,
    bytes: usize,
    /// The id of the newest notification that was dropped from the ring, or that an earlier process may have sent.
    dropped_to: u64,
}

/// The notifications of one Thing.
#[derive(Debug)]
pub(crate) struct Notifications {
    ring: Mutex<Ring>,
    sender: broadcast::Sender<Arc<Notification>>,
}

impl Notifications {
    /// A sequence that goes on above `reserved`.
    pub(crate) fn new(reserved: u64) -> Self {
        let (sender, _) = broadcast::channel(LAG_MAX);
        let ring = Ring { ids: EventIds::resume(reserved), kept: VecDeque::new(), bytes: 0, dropped_to: reserved };
        Self { ring: Mutex::new(ring), sender }
    }

    /// The first block of this process, to be written before anything is sent.
    pub(crate) fn reserve(&self, now_utc: SystemTime) -> Option<u64> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.ids.next(now_utc);
        ring.ids.reservation()
    }

    /// Numbers, keeps and sends; answers a reservation that the store should write.
    pub(crate) fn send(&self, mut notification: Notification, now_utc: SystemTime) -> Option<u64> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        notification.id = ring.ids.next(now_utc);
        let notification = Arc::new(notification);
        ring.bytes += notification.body.len();
        ring.kept.push_back(Arc::clone(&notification));
        while ring.kept.len() > RING_MAX || ring.bytes > RING_BYTES_MAX {
            let Some(oldest) = ring.kept.pop_front() else { break };
            ring.bytes -= oldest.body.len();
            ring.dropped_to = oldest.id;
        }
        // Sent under the lock: a listener that subscribes and replays under it sees each notification exactly once.
        // An error only says that nobody listens.
        let _listeners = self.sender.send(notification).unwrap_or(0);
        ring.ids.reservation()
    }

    /// Everything after `after` that is kept, whether some is missing, and a receiver of what follows.
    pub(crate) fn replay_after(
        &self,
        after: u64,
    ) -> (Vec<Arc<Notification>>, bool, broadcast::Receiver<Arc<Notification>>) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = ring.kept.iter().filter(|kept| kept.id > after).cloned().collect();
        (kept, after < ring.dropped_to, self.sender.subscribe())
    }

    /// A receiver of what follows, and the id of the last notification so far.
    pub(crate) fn subscribe(&self) -> (u64, broadcast::Receiver<Arc<Notification>>) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        (ring.ids.last, self.sender.subscribe())
    }

    /// How many listeners there are: tests look for leaks.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn event(body: &'static str) -> Notification {
        Notification {
            id: 0,
            affordance: AffordanceKind::Event,
            name: Arc::from("pressed"),
            body: Bytes::from_static(body.as_bytes()),
            taken: Instant::now(),
            quality: Quality::Good,
        }
    }

    #[test]
    fn ids_rise_even_when_the_clock_goes_back() {
        let mut ids = EventIds::resume(5_000_000);
        let late = UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!(ids.next(late), 10_000_000);
        assert_eq!(ids.next(UNIX_EPOCH), 10_000_001);
        assert_eq!(ids.reservation(), Some(10_000_001 + RESERVED_AHEAD));
        assert_eq!(ids.reservation(), None, "a block lasts");
    }

    #[test]
    fn a_listener_that_comes_back_gets_what_it_missed_or_is_told_of_the_gap() {
        let notifications = Notifications::new(0);
        let now = UNIX_EPOCH + Duration::from_secs(1);
        for _ in 0..RING_MAX {
            notifications.send(event("1"), now);
        }
        let (all, gap, _) = notifications.replay_after(0);
        assert_eq!((all.len(), gap), (RING_MAX, false));
        let (rest, gap, _) = notifications.replay_after(all[9].id);
        assert_eq!((rest.len(), gap), (RING_MAX - 10, false));
        notifications.send(event("2"), now);
        assert!(notifications.replay_after(0).1, "the oldest is gone");
    }
}
