//! A token bucket against guessing, one for each address from which wrong credentials come.
//!
//! Only what is wrong is counted, so that nobody is locked out by others. Bounded: when too many addresses guess, all new
//! ones share one bucket.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong ones in a row that are answered as such.
const BURST: u32 = 10;
/// After this long one more is.
const EVERY: Duration = Duration::from_secs(5);
/// Addresses with a bucket of their own.
const ADDRESSES_MAX: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// When each bucket will be full again.
    full_at: BTreeMap<IpAddr, Instant>,
    others_full_at: Option<Instant>,
    total: u64,
}

impl Guesses {
    /// Counts a wrong one from `peer`: how many there were in all, and how long to wait if its bucket is empty.
    pub(super) fn count(&mut self, peer: IpAddr, now: Instant) -> (u64, Option<Duration>) {
        self.total += 1;
        let peer = neighbourhood(peer);
        if !self.full_at.contains_key(&peer) && self.full_at.len() >= ADDRESSES_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = match self.full_at.len() < ADDRESSES_MAX || self.full_at.contains_key(&peer) {
            true => self.full_at.entry(peer).or_insert(now),
            false => self.others_full_at.get_or_insert(now),
        };
        (self.total, take(full_at, now))
    }
}

/// Takes one out of a bucket, or says when there will be one.
fn take(full_at: &mut Instant, now: Instant) -> Option<Duration> {
    let after = (*full_at).max(now) + EVERY;
    let missing = after.saturating_duration_since(now);
    if missing > EVERY * BURST {
        return Some(missing.saturating_sub(EVERY * BURST));
    }
    *full_at = after;
    None
}

/// One machine has many addresses: all of loopback, and the network of an IPv6 address, are one.
fn neighbourhood(peer: IpAddr) -> IpAddr {
    let peer = peer.to_canonical();
    match peer {
        _ if peer.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        IpAddr::V4(_) => peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_empties_and_fills_by_itself() {
        let (mut guesses, now, peer) = (Guesses::default(), Instant::now(), address("10.0.0.1"));
        for _ in 0..BURST {
            assert_eq!(guesses.count(peer, now).1, None);
        }
        assert_eq!(guesses.count(peer, now).1, Some(EVERY));
        assert_eq!(guesses.count(peer, now + EVERY / 2).1, Some(EVERY / 2), "asking does not make it longer");
        assert_eq!(guesses.count(address("10.0.0.2"), now).1, None, "another address has its own");
        assert_eq!(guesses.count(peer, now + EVERY).1, None);
        assert!(guesses.count(peer, now + EVERY).1.is_some());
    }

    #[test]
    fn many_addresses_of_one_machine_are_one() {
        let rows = [("127.0.0.1", "127.9.9.9"), ("::1", "::ffff:127.0.0.3"), ("2001:db8::1", "2001:db8::9:9:9:9")];
        for (one, other) in rows {
            assert_eq!(neighbourhood(address(one)), neighbourhood(address(other)));
        }
        assert_ne!(neighbourhood(address("10.0.0.1")), neighbourhood(address("10.0.0.2")));
    }

    #[test]
    fn addresses_without_end_cost_no_memory_and_gain_no_guesses() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        let answered = (0..10_000_u32).filter(|at| guesses.count(Ipv4Addr::from_bits(*at).into(), now).1.is_none());
        assert_eq!(answered.count(), ADDRESSES_MAX + BURST as usize);
        assert_eq!(guesses.full_at.len(), ADDRESSES_MAX);
        assert_eq!(guesses.count(address("10.9.9.9"), now + 2 * EVERY * BURST).1, None);
        assert_eq!(guesses.full_at.len(), 1, "full buckets are forgotten");
    }
}
