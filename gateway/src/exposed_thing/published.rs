//! The current readings of a Thing: what its handler published and for how long each is good.
//!
//! Invariant: what is handed out by [`Published::fresh`] has not lapsed. This room knows no schema and asks nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::reading::Reading;

/// One property's current reading.
#[derive(Debug, Clone)]
struct Current {
    reading: Reading,
    good_until: Instant,
    /// Whether it was published with a time for which it is good: only then can it lapse.
    lapses: bool,
}

/// The current readings, by property. Read at every request and changed a few times a second: readers take a snapshot
/// without a lock, a change makes a new map.
#[derive(Debug, Default)]
pub(crate) struct Published {
    current: ArcSwap<Readings>,
    changed: watch::Sender<()>,
}

type Readings = HashMap<Arc<str>, Current>;

impl Published {
    /// The reading of `name`, if it is still good.
    pub(crate) fn fresh(&self, name: &str, now: Instant) -> Option<Reading> {
        self.current.load().get(name).filter(|entry| now < entry.good_until).map(|entry| entry.reading.unshared())
    }

    /// The last reading of `name`, good or lapsed: what observers are shown first.
    pub(crate) fn last(&self, name: &str) -> Option<Reading> {
        self.current.load().get(name).map(|entry| entry.reading.clone())
    }

    /// Whether the last reading of `name` was published with a time for which it is good, and that time is over.
    pub(crate) fn lapsed(&self, name: &str, now: Instant) -> bool {
        self.current.load().get(name).is_some_and(|entry| entry.lapses && now >= entry.good_until)
    }

    /// Until when the last reading of `name` is good, where it was published with such a time.
    pub(crate) fn good_until(&self, name: &str) -> Option<Instant> {
        self.current.load().get(name).filter(|entry| entry.lapses).map(|entry| entry.good_until)
    }

    /// The properties whose readings are good, and until when.
    pub(crate) fn good(&self, now: Instant) -> Vec<(Arc<str>, Instant)> {
        let current = self.current.load();
        let good = current.iter().filter(|(_, entry)| now < entry.good_until);
        good.map(|(name, entry)| (Arc::clone(name), entry.good_until)).collect()
    }

    /// Takes a new reading, good for `good_for` from `now`; answers whether the value is another one than before.
    pub(crate) fn publish(&self, name: &Arc<str>, reading: Reading, good_for: Duration, now: Instant) -> bool {
        let good_until = now.checked_add(good_for).unwrap_or(now);
        let next = Current { reading, good_until, lapses: !good_for.is_zero() };
        let before = self.change(|current| {
            current.insert(Arc::clone(name), next.clone());
        });
        self.changed.send_replace(());
        // The first value after a lapse is news, even an equal one.
        before.get(name).is_none_or(|before| {
            before.reading.body != next.reading.body || (before.lapses && now >= before.good_until)
        })
    }

    /// Wakes whenever something is published.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A write drops the reading: what was true before it is not passed off as its result.
    pub(crate) fn lapse(&self, name: &str, now: Instant) {
        self.change(|current| {
            if let Some(entry) = current.get_mut(name) {
                entry.good_until = entry.good_until.min(now);
            }
        });
    }

    /// Bytes of all readings but that of `name`.
    pub(crate) fn bytes_beside(&self, name: &str) -> usize {
        let current = self.current.load();
        current.iter().filter(|(other, _)| ***other != *name).map(|(_, entry)| entry.reading.body.len()).sum()
    }

    /// Another version serves from now on: what was published before it is good no longer than until then.
    pub(crate) fn outlives(&self, until: Instant) {
        self.change(|current| current.values_mut().for_each(|entry| entry.good_until = entry.good_until.min(until)));
    }

    /// Forgets what the Thing's present model no longer offers.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.change(|current| current.retain(|name, _| keep(name)));
    }

    /// Puts a changed map in place; answers the one before.
    fn change(&self, change: impl Fn(&mut Readings)) -> Arc<Readings> {
        self.current.rcu(|current| {
            let mut next = Readings::clone(current);
            change(&mut next);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_reading_is_good_for_its_time_and_no_longer() {
        let published = Published::default();
        let now = Instant::now();
        let name: Arc<str> = Arc::from("temperature");
        let reading = |text: &'static str| Reading::json(Bytes::from_static(text.as_bytes()), now);
        assert!(published.publish(&name, reading("21.5"), Duration::from_millis(10), now));
        assert!(published.fresh("temperature", now + Duration::from_millis(9)).is_some());
        assert!(published.fresh("temperature", now + Duration::from_millis(10)).is_none());
        assert!(published.lapsed("temperature", now + Duration::from_millis(10)));
        assert!(
            !published.publish(&name, reading("21.5"), Duration::from_millis(10), now),
            "an equal value is no change"
        );
        assert!(published.publish(&name, reading("21.6"), Duration::from_secs(10), now));
        published.lapse("temperature", now);
        assert!(published.fresh("temperature", now).is_none(), "a write drops the reading");
        assert!(published.last("temperature").is_some());
    }

    #[test]
    fn what_one_version_published_for_ever_ends_soon_after_it() {
        let published = Published::default();
        let now = Instant::now();
        let name: Arc<str> = Arc::from("serial");
        let reading = || Reading::json(Bytes::from_static(b"1"), now);
        published.publish(&name, reading(), Duration::from_secs(1 << 30), now);
        published.outlives(now + Duration::from_secs(10));
        assert!(published.fresh("serial", now + Duration::from_secs(9)).is_some());
        assert!(published.fresh("serial", now + Duration::from_secs(10)).is_none());
        published.publish(&name, reading(), Duration::from_secs(60), now);
        assert!(published.fresh("serial", now + Duration::from_secs(59)).is_some(), "the next version says it anew");
    }
}
