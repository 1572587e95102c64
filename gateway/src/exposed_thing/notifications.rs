//! What a Thing tells its observers: one numbered sequence of property changes and events, a bounded ring to replay from,
//! and a broadcast that never waits for a slow listener. What waits for slow listeners is the ring: they hold nothing else.
//!
//! Ids rise over restarts and clock jumps: an id is the wall clock in microseconds or the last id + 1, whichever is more,
//! and blocks of ids are reserved in the store an hour ahead (see [`EventIds`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::interaction::AffordanceKind;
use crate::reading::Quality;

/// How many notifications a Thing keeps for `Last-Event-ID`.
const RING_MAX: usize = 256;
/// How many bytes of them, each counted twice: as it is, and in the form in which it goes out.
const RING_BYTES_MAX: usize = 4 << 20;
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
    /// Of an event: how many there were, with it, since the gateway started.
    pub count: EventCount,
    /// How it goes out, once somebody has made it: all observers of a binding share it.
    pub encoded: OnceLock<Bytes>,
}

/// How many events a Thing had: who misses some knows how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCount {
    /// Those of one name.
    pub of_name: u64,
    /// All.
    pub of_all: u64,
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
    /// The events so far, by name, and all.
    events: BTreeMap<Arc<str>, u64>,
    events_all: u64,
    /// The id of the newest notification that was dropped from the ring, or that an earlier process may have sent.
    dropped_to: u64,
}

impl Ring {
    /// One more event of that name. There are as many names as the Thing's models have had.
    fn counts(&mut self, name: &Arc<str>) -> EventCount {
        let of_name = self.events.entry(Arc::clone(name)).or_default();
        *of_name += 1;
        self.events_all += 1;
        EventCount { of_name: *of_name, of_all: self.events_all }
    }
}

/// What a listener hears: what is gone from the ring by then cannot be looked at any more.
pub(crate) type Listener = broadcast::Receiver<Weak<Notification>>;

/// The notifications of one Thing.
#[derive(Debug)]
pub(crate) struct Notifications {
    ring: Mutex<Ring>,
    /// Of what the ring keeps: a listener for which it is gone has missed it.
    sender: broadcast::Sender<Weak<Notification>>,
}

impl Notifications {
    /// A sequence that goes on above `reserved`.
    pub(crate) fn new(reserved: u64) -> Self {
        let (sender, _) = broadcast::channel(LAG_MAX);
        let ring = Ring {
            ids: EventIds::resume(reserved),
            kept: VecDeque::new(),
            bytes: 0,
            events: BTreeMap::new(),
            events_all: 0,
            dropped_to: reserved,
        };
        Self { ring: Mutex::new(ring), sender }
    }

    /// The first block of this process, to be written before anything is sent.
    pub(crate) fn reserve(&self, now_utc: SystemTime) -> Option<u64> {
        let mut ring = self.ring();
        ring.ids.next(now_utc);
        ring.ids.reservation()
    }

    /// Numbers, keeps and sends; answers a reservation that the store should write.
    pub(crate) fn send(&self, mut notification: Notification, now_utc: SystemTime) -> Option<u64> {
        let mut ring = self.ring();
        notification.id = ring.ids.next(now_utc);
        if notification.affordance == AffordanceKind::Event {
            notification.count = ring.counts(&notification.name);
        }
        let notification = Arc::new(notification);
        ring.bytes += 2 * notification.body.len();
        ring.kept.push_back(Arc::clone(&notification));
        while ring.kept.len() > RING_MAX || ring.bytes > RING_BYTES_MAX {
            let Some(oldest) = ring.kept.pop_front() else { break };
            ring.bytes -= 2 * oldest.body.len();
            ring.dropped_to = oldest.id;
        }
        // Sent under the lock: a listener that subscribes and replays under it sees each notification exactly once.
        // An error only says that nobody listens.
        let _listeners = self.sender.send(Arc::downgrade(&notification)).unwrap_or(0);
        ring.ids.reservation()
    }

    /// Everything after `after` that is kept, whether some is missing, and a receiver of what follows.
    pub(crate) fn replay_after(&self, after: u64) -> (Vec<Arc<Notification>>, bool, Listener) {
        let ring = self.ring();
        let kept = ring.kept.iter().filter(|kept| kept.id > after).cloned().collect();
        (kept, after < ring.dropped_to, self.sender.subscribe())
    }

    /// A receiver of what follows, and the id of the last notification so far.
    pub(crate) fn subscribe(&self) -> (u64, Listener) {
        let ring = self.ring();
        (ring.ids.last, self.sender.subscribe())
    }

    /// How many events there were so far: of `name`, or of all names.
    pub(crate) fn events(&self, name: Option<&str>) -> u64 {
        let ring = self.ring();
        name.map_or(ring.events_all, |name| ring.events.get(name).copied().unwrap_or_default())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
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
            count: EventCount::default(),
            encoded: OnceLock::new(),
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

    #[test]
    fn what_waits_for_a_listener_is_bounded_in_bytes() {
        let notifications = Notifications::new(0);
        let mut listener = notifications.subscribe().1;
        let wide = Bytes::from(vec![b' '; 1 << 20]);
        for _ in 0..100 {
            notifications.send(Notification { body: wide.clone(), ..event("") }, UNIX_EPOCH);
        }
        let heard = std::iter::from_fn(|| listener.try_recv().ok());
        let kept: Vec<_> = heard.filter_map(|heard| heard.upgrade()).collect();
        assert_eq!(kept.len(), RING_BYTES_MAX / (2 << 20));
        assert_eq!(kept.last().map(|last| last.count), Some(EventCount { of_name: 100, of_all: 100 }));
    }
}
