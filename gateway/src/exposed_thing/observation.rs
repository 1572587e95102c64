//! One consumer's observation of a Thing: first what is, then what changes.
//!
//! Invariant: a slow consumer loses intermediate values of properties and is told how many events it missed; it never
//! makes the Thing wait, and costs the same memory however slow it is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::notifications::{EventCount, Listener, Notification};
use super::outlet::Outlet;
use crate::interaction::{AffordanceKind, InteractionError};

/// The last id after which there is no current value and no replay, only what follows.
pub(crate) const ONLY_WHAT_FOLLOWS: u64 = u64::MAX;

/// What is observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// One property.
    Property(String),
    /// All observable properties.
    AllProperties,
    /// One event.
    Event(String),
    /// All events.
    AllEvents,
}

/// What an observation brings.
#[derive(Debug, Clone)]
pub enum ObservedItem {
    /// A property's value or an event.
    Notification(Arc<Notification>),
    /// Notifications were lost on the way: how many, where that is known.
    Gap {
        /// 0: unknown, because they were before this process or fell out of the ring.
        missed: u64,
    },
    /// The property has no good reading any more; the next value ends that.
    Lapsed {
        /// The property.
        name: Arc<str>,
    },
}

/// One consumer's view of a Thing. Dropping it ends it.
#[derive(Debug)]
pub struct Observation {
    outlet: Arc<Outlet>,
    observed: Observed,
    ready: VecDeque<ObservedItem>,
    receiver: Listener,
    /// How many of the observed events there were when the last one was seen.
    seen: u64,
    closed: watch::Receiver<bool>,
    /// The properties that were last reported as lapsed.
    lapsed: BTreeSet<Arc<str>>,
}

/// Why an observation woke.
enum Woken {
    Notified(Arc<Notification>),
    Missed,
    Lapse,
}

impl Observation {
    /// Begins. With `last_event_id`: what followed it; without: the current values.
    ///
    /// # Errors
    /// `UnknownAffordance`; `NotAllowed` when the property is not observable.
    pub(crate) fn begin(
        outlet: Arc<Outlet>,
        observed: Observed,
        last_event_id: Option<u64>,
    ) -> Result<Self, InteractionError> {
        check(&outlet, &observed)?;
        let closed = outlet.closed();
        let mut ready = VecDeque::new();
        // An id that was never given out says nothing: the consumer begins anew. The largest of all means "only what follows".
        let last_event_id = last_event_id.filter(|last| {
            let known = *last == ONLY_WHAT_FOLLOWS || *last <= outlet.notifications.subscribe().0;
            if !known {
                ready.push_back(ObservedItem::Gap { missed: 0 });
            }
            known
        });
        let receiver = if let Some(last) = last_event_id {
            let (missed, gap, receiver) = outlet.notifications.replay_after(last);
            if gap {
                ready.push_back(ObservedItem::Gap { missed: 0 });
            }
            ready.extend(missed.into_iter().map(ObservedItem::Notification));
            receiver
        } else {
            outlet.notifications.subscribe().1
        };
        // After the receiver is there: one that comes in between is heard, and no gap.
        let seen = Self::events(&outlet, &observed);
        let mut observation = Self { outlet, observed, ready, receiver, seen, closed, lapsed: BTreeSet::new() };
        if last_event_id.is_none() {
            observation.current_values();
        }
        let wanted = std::mem::take(&mut observation.ready);
        observation.ready = wanted.into_iter().filter(|item| observation.wants(item)).collect();
        Ok(observation)
    }

    /// The next item; `None` when the Thing stops.
    pub async fn next(&mut self) -> Option<ObservedItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let lapse = self.next_lapse();
            let lapse_at = tokio::time::Instant::from_std(lapse.as_ref().map_or_else(Instant::now, |(_, at)| *at));
            let woken = tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => return None,
                received = self.receiver.recv() => match received {
                    Ok(notification) => notification.upgrade().map_or(Woken::Missed, Woken::Notified),
                    Err(RecvError::Lagged(_)) => Woken::Missed,
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep_until(lapse_at), if lapse.is_some() => {
                    Woken::Lapse
                }
            };
            match (woken, lapse) {
                (Woken::Notified(notification), _) => {
                    self.lapsed.remove(&notification.name);
                    let item = ObservedItem::Notification(notification);
                    if self.wants(&item) {
                        let gap = self.gap_before(&item);
                        self.ready.extend(gap);
                        self.ready.push_back(item);
                    }
                }
                (Woken::Missed, _) => self.catch_up(),
                // An equal value that was published meanwhile is no news, but the reading is good for longer.
                (Woken::Lapse, Some((name, _))) if self.outlet.published.lapsed(&name, Instant::now()) => {
                    self.lapsed.insert(Arc::clone(&name));
                    return Some(ObservedItem::Lapsed { name });
                }
                (Woken::Lapse, _) => {}
            }
        }
    }

    fn wants(&self, item: &ObservedItem) -> bool {
        match item {
            ObservedItem::Notification(notification) => match (&self.observed, notification.affordance) {
                (Observed::Property(name), AffordanceKind::Property)
                | (Observed::Event(name), AffordanceKind::Event) => *name == *notification.name,
                (Observed::AllProperties, AffordanceKind::Property) | (Observed::AllEvents, AffordanceKind::Event) => {
                    true
                }
                _ => false,
            },
            ObservedItem::Gap { .. } | ObservedItem::Lapsed { .. } => true,
        }
    }

    /// The observed properties.
    fn properties(&self) -> Vec<Arc<str>> {
        let description = self.outlet.description();
        let mut names: Vec<Arc<str>> = match &self.observed {
            Observed::Property(name) => description
                .kind
                .properties
                .get_key_value(name.as_str())
                .map(|(name, _)| Arc::clone(name))
                .into_iter()
                .collect(),
            Observed::AllProperties => description
                .kind
                .properties
                .values()
                .filter(|property| property.observable)
                .map(|property| Arc::clone(&property.name))
                .collect(),
            Observed::Event(_) | Observed::AllEvents => Vec::new(),
        };
        names.sort();
        names
    }

    /// Queues the current value of each observed property. Its id is the last one of the Thing, so that who resumes after
    /// it gets everything that followed.
    fn current_values(&mut self) {
        let outlet = Arc::clone(&self.outlet);
        let _telling = outlet.telling();
        let (last, receiver) = self.outlet.notifications.subscribe();
        self.receiver = receiver;
        let now = Instant::now();
        for name in self.properties() {
            if self.outlet.published.lapsed(&name, now) {
                self.lapsed.insert(Arc::clone(&name));
                self.ready.push_back(ObservedItem::Lapsed { name });
            } else if let Some(reading) = self.outlet.published.last(&name) {
                self.ready.push_back(ObservedItem::Notification(Arc::new(Notification {
                    id: last,
                    affordance: AffordanceKind::Property,
                    name,
                    body: reading.body,
                    taken: reading.taken,
                    quality: reading.quality,
                    count: EventCount::default(),
                    encoded: OnceLock::new(),
                })));
            }
        }
    }

    /// Too slow: of properties only the latest values count. How many events were missed is told before the next one.
    fn catch_up(&mut self) {
        if matches!(self.observed, Observed::Property(_) | Observed::AllProperties) {
            self.current_values();
        }
    }

    /// The events that were missed before this one.
    fn gap_before(&mut self, item: &ObservedItem) -> Option<ObservedItem> {
        let ObservedItem::Notification(notification) = item else { return None };
        let EventCount { of_name, of_all } = notification.count;
        let count = match self.observed {
            Observed::Event(_) => of_name,
            Observed::AllEvents => of_all,
            Observed::Property(_) | Observed::AllProperties => return None,
        };
        let missed = count.saturating_sub(self.seen + 1);
        self.seen = self.seen.max(count);
        (missed > 0).then_some(ObservedItem::Gap { missed })
    }

    /// How many of the observed events there were.
    fn events(outlet: &Outlet, observed: &Observed) -> u64 {
        match observed {
            Observed::Event(name) => outlet.notifications.events(Some(name)),
            Observed::AllEvents => outlet.notifications.events(None),
            Observed::Property(_) | Observed::AllProperties => 0,
        }
    }

    /// The observed property whose reading lapses next, and when.
    fn next_lapse(&self) -> Option<(Arc<str>, Instant)> {
        self.properties()
            .into_iter()
            .filter(|name| !self.lapsed.contains(name))
            .filter_map(|name| self.outlet.published.good_until(&name).map(|at| (name, at)))
            .min_by_key(|(_, at)| *at)
    }
}

fn check(outlet: &Outlet, observed: &Observed) -> Result<(), InteractionError> {
    let description = outlet.description();
    match observed {
        Observed::Property(name) => {
            let property = description
                .kind
                .properties
                .get(name.as_str())
                .ok_or_else(|| outlet.unknown(AffordanceKind::Property, name))?;
            if property.observable {
                return Ok(());
            }
            Err(InteractionError::NotAllowed {
                operation: format!("the property `{name}` is not observable"),
                allow: if property.writable { "GET, HEAD, PUT" } else { "GET, HEAD" },
            })
        }
        Observed::Event(name) if !description.kind.events.contains_key(name.as_str()) => {
            Err(outlet.unknown(AffordanceKind::Event, name))
        }
        Observed::Event(_) | Observed::AllProperties | Observed::AllEvents => Ok(()),
    }
}
