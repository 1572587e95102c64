//! The room for connections of one listener: how many there may be, and who gives way when there are more.
//!
//! Opening sockets costs an attacker nothing, so what counts is whose turn it is. A connection that waits for us keeps its
//! place; one that we wait for (for its first request, its next one, the rest of a body) has to give it to a newcomer
//! when there is no other. The address with the most connections gives first, so that none can have all.
//! Observers are counted apart: streams that last for days take no place from requests, and give theirs only to addresses
//! that have fewer. Invariant: who was told to leave is no longer counted, and is waited for before many more come.

mod accept;
mod guests;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

pub(crate) use accept::accept;
use guests::{Guests, Kind};

/// How many that were told to leave may still be there before the next connection is taken.
const LEAVING_MAX: usize = 64;

/// What a connection waits for, in the order in which places are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Turn {
    /// Its first request has not arrived.
    Silent,
    /// It was answered and may ask again.
    Idle,
    /// The rest of its request is on its way.
    Arriving,
    /// We are at work for it.
    Ours,
    /// It was told to leave.
    Leaving,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Room {
    began: Instant,
    guests: Mutex<Guests>,
    standing: watch::Sender<Standing>,
    refused: AtomicU64,
    turned_out: AtomicU64,
}

/// How many are in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Connections that have a place for requests.
    pub(crate) requests: usize,
    /// Connections that have a place for observers.
    pub(crate) observers: usize,
    /// Connections that were told to leave and are still there.
    pub(crate) leaving: usize,
}

/// A place in a room; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    room: Arc<Room>,
    guest: Arc<Guest>,
}

/// Who has a place.
#[derive(Debug)]
struct Guest {
    number: u64,
    source: IpAddr,
    turn: AtomicU8,
    /// Since when it is whose turn it is, in microseconds of the room.
    since: AtomicU64,
    leave: Notify,
}

impl Room {
    /// A room for so many connections with requests and so many that observe.
    pub(crate) fn new(requests_max: usize, observers_max: usize) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            guests: Mutex::new(Guests::new(requests_max, observers_max)),
            standing: watch::Sender::default(),
            refused: AtomicU64::new(0),
            turned_out: AtomicU64::new(0),
        })
    }

    /// A place for a connection from `peer`, if need be the one of another; `None`: all wait for us.
    pub(crate) fn enter(self: &Arc<Self>, peer: SocketAddr) -> Option<Seat> {
        let mut guests = self.guests();
        let guest = Arc::new(Guest {
            number: guests.next_number(),
            source: source(peer.ip()),
            turn: AtomicU8::new(Turn::Silent as u8),
            since: AtomicU64::new(self.now()),
            leave: Notify::new(),
        });
        let entered = self.make_room(&mut guests, guest.source, Kind::Request);
        if !entered {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        guests.add(Arc::clone(&guest), Kind::Request);
        self.tell(&guests);
        Some(Seat { room: Arc::clone(self), guest })
    }

    /// Whether there is a place now. The guest that gave its way to one was told so.
    fn make_room(&self, guests: &mut Guests, source: IpAddr, kind: Kind) -> bool {
        while !guests.has_place(kind) {
            let Some(guest) = guests.first_to_leave(source, kind) else { return false };
            if guest.is_told_to_leave(kind) {
                guests.leaves(guest.number);
                self.turned_out.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// How many are there now.
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Connections and observers that found no place, and connections that had to give theirs, so far.
    pub(crate) fn turned_away(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.turned_out.load(Ordering::Relaxed))
    }

    /// Ready when few enough of those that were told to leave are still there. They depend on nobody outside.
    async fn settled(&self) {
        self.until(|standing| standing.leaving < LEAVING_MAX).await;
    }

    /// Ready when nobody is there.
    pub(crate) async fn emptied(&self) {
        self.until(|standing| *standing == Standing::default()).await;
    }

    async fn until(&self, holds: impl FnMut(&Standing) -> bool) {
        // The sender is in `self`, so there is no end to wait for.
        let _held = self.standing.subscribe().wait_for(holds).await.is_ok();
    }

    fn tell(&self, guests: &Guests) {
        self.standing.send_replace(guests.standing());
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Seat {
    /// A request has come, and what is left of it is `arriving`. `false`: too late, the place is given to another.
    pub(crate) fn asked(&self, arriving: bool) -> bool {
        self.becomes(if arriving { Turn::Arriving } else { Turn::Ours })
    }

    /// All of the request has arrived, or the peer has introduced itself for good.
    pub(crate) fn has_asked(&self) {
        let _leaving = self.becomes(Turn::Ours);
    }

    /// The answer is there: it is for the peer to take it and to ask again.
    pub(crate) fn answered(&self) {
        let _leaving = self.becomes(Turn::Idle);
    }

    /// Takes a place for observers instead, for good. `false`: there is none.
    pub(crate) fn observes(&self) -> bool {
        let mut guests = self.room.guests();
        if guests.kind(self.guest.number) == Some(Kind::Observer) {
            return true;
        }
        let moves = self.room.make_room(&mut guests, self.guest.source, Kind::Observer);
        if moves {
            guests.becomes_observer(self.guest.number);
            self.guest.since.store(self.room.now(), Ordering::Relaxed);
            self.room.tell(&guests);
        } else {
            self.room.refused.fetch_add(1, Ordering::Relaxed);
        }
        moves
    }

    /// Ready when the connection has to end, because its place was given to another.
    pub(crate) async fn turned_out(&self) {
        self.guest.leave.notified().await;
    }

    fn becomes(&self, turn: Turn) -> bool {
        self.guest.since.store(self.room.now(), Ordering::Relaxed);
        let unless_leaving = |now| (now != Turn::Leaving as u8).then_some(turn as u8);
        self.guest.turn.fetch_update(Ordering::Relaxed, Ordering::Relaxed, unless_leaving).is_ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guests = self.room.guests();
        guests.remove(self.guest.number);
        self.room.tell(&guests);
    }
}

impl Guest {
    /// Tells it, unless it is our turn by now: then it stays. An observer goes whosever turn it is.
    fn is_told_to_leave(&self, kind: Kind) -> bool {
        let may_go = |now| (now < Turn::Ours as u8 || kind == Kind::Observer).then_some(Turn::Leaving as u8);
        let told = self.turn.fetch_update(Ordering::Relaxed, Ordering::Relaxed, may_go).is_ok();
        if told {
            self.leave.notify_one();
        }
        told
    }
}

/// What counts as one address: a whole network of IPv6 is one customer's.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests;
