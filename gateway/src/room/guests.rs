//! Who is in a room, and who of them is the first to leave. Pure bookkeeping; the room locks it and tells the guests.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Guest, Standing, Turn};

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Request,
    Observer,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Guests {
    requests_max: usize,
    observers_max: usize,
    numbers: u64,
    present: BTreeMap<u64, Present>,
    /// How many places each address has.
    shares: BTreeMap<(Kind, IpAddr), usize>,
    standing: Standing,
}

#[derive(Debug)]
struct Present {
    guest: Arc<Guest>,
    kind: Kind,
    leaving: bool,
}

impl Guests {
    pub(super) fn new(requests_max: usize, observers_max: usize) -> Self {
        Self {
            requests_max,
            observers_max,
            numbers: 0,
            present: BTreeMap::new(),
            shares: BTreeMap::new(),
            standing: Standing::default(),
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) fn has_place(&self, kind: Kind) -> bool {
        match kind {
            Kind::Request => self.standing.requests < self.requests_max,
            Kind::Observer => self.standing.observers < self.observers_max,
        }
    }

    pub(super) fn kind(&self, number: u64) -> Option<Kind> {
        self.present.get(&number).map(|present| present.kind)
    }

    pub(super) fn add(&mut self, guest: Arc<Guest>, kind: Kind) {
        *self.shares.entry((kind, guest.source)).or_default() += 1;
        *self.counter(kind) += 1;
        self.present.insert(guest.number, Present { guest, kind, leaving: false });
    }

    pub(super) fn remove(&mut self, number: u64) {
        match self.present.remove(&number) {
            Some(Present { leaving: true, .. }) => self.standing.leaving -= 1,
            Some(Present { guest, kind, .. }) => self.give_back(guest.source, kind),
            None => {}
        }
    }

    /// It was told to leave: its place is free.
    pub(super) fn leaves(&mut self, number: u64) {
        let Some(present) = self.present.get_mut(&number).filter(|present| !present.leaving) else { return };
        present.leaving = true;
        let (source, kind) = (present.guest.source, present.kind);
        self.standing.leaving += 1;
        self.give_back(source, kind);
    }

    /// It takes another kind of place, unless it was told to leave.
    pub(super) fn becomes_observer(&mut self, number: u64) {
        let Some(present) = self.present.get_mut(&number).filter(|present| !present.leaving) else { return };
        present.kind = Kind::Observer;
        let source = present.guest.source;
        self.give_back(source, Kind::Request);
        *self.shares.entry((Kind::Observer, source)).or_default() += 1;
        self.standing.observers += 1;
    }

    /// Who gives its place to a newcomer from `source`: of the address that has most, of those that say nothing the one
    /// that has done so for longest. Requests that are being answered stay; observers give way to another address alone.
    pub(super) fn first_to_leave(&self, source: IpAddr, kind: Kind) -> Option<Arc<Guest>> {
        let share = |source| self.shares.get(&(kind, source)).copied().unwrap_or_default();
        let own = share(source);
        let gives = |present: &&Present| {
            let (turn, theirs) = (present.guest.turn.load(Ordering::Relaxed), share(present.guest.source));
            let goes = match kind {
                Kind::Request => turn < Turn::Ours as u8 && (present.guest.source == source || theirs > own),
                // One more than it will have: else the two would take places from each other for ever.
                Kind::Observer => theirs > own + 1,
            };
            present.kind == kind && !present.leaving && goes
        };
        let claim = |present: &&Present| {
            let (turn, since) = (&present.guest.turn, &present.guest.since);
            let weakest = Reverse((turn.load(Ordering::Relaxed), since.load(Ordering::Relaxed)));
            (share(present.guest.source), weakest)
        };
        self.present.values().filter(gives).max_by_key(claim).map(|present| Arc::clone(&present.guest))
    }

    fn give_back(&mut self, source: IpAddr, kind: Kind) {
        *self.counter(kind) -= 1;
        if let Some(share) = self.shares.get_mut(&(kind, source)) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&(kind, source));
            }
        }
    }

    fn counter(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Request => &mut self.standing.requests,
            Kind::Observer => &mut self.standing.observers,
        }
    }
}
