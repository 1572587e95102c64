//! Who stays and who leaves.

use super::*;

fn peer(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 1))
}

fn is_told(seat: &Seat) -> bool {
    seat.guest.turn.load(Ordering::Relaxed) == Turn::Leaving as u8
}

#[test]
fn who_waits_for_us_stays_and_who_we_wait_for_longest_leaves() {
    let room = Room::new(4, 0);
    let seats: Vec<Seat> = (0..4).map(|_| room.enter(peer(1)).unwrap()).collect();
    assert!(seats[0].asked(false) && seats[1].asked(true) && seats[2].asked(false));
    seats[2].answered();
    // Silent, then answered, then with half a request; the one at work never.
    let mut newcomers = Vec::new();
    for first in [3, 2, 1] {
        newcomers.push(room.enter(peer(1)).unwrap());
        assert!(newcomers[3 - first].asked(false));
        assert!(is_told(&seats[first]), "{first}");
    }
    assert!(room.enter(peer(1)).is_none() && room.enter(peer(2)).is_none());
    assert!(!is_told(&seats[0]));
    assert!(!seats[1].asked(false), "who was told to leave is not served");
    assert_eq!(room.turned_away(), (2, 3));
    assert_eq!(room.standing(), Standing { requests: 4, observers: 0, leaving: 3 });
    drop(seats);
    assert_eq!(room.standing(), Standing { requests: 3, observers: 0, leaving: 0 });
}

#[test]
fn the_address_that_has_most_gives_first() {
    let room = Room::new(5, 0);
    let few = room.enter(peer(1)).unwrap();
    let many: Vec<Seat> = (0..4).map(|_| room.enter(peer(2)).unwrap()).collect();
    let _new = room.enter(peer(3)).unwrap();
    assert!(is_told(&many[0]) && !is_told(&few));
    let _greedy: Vec<Seat> = (0..9).map(|_| room.enter(peer(2)).unwrap()).collect();
    assert!(!is_told(&few), "an address takes from those that have fewer");
}

#[test]
fn observers_take_no_place_of_requests_and_give_way_to_other_addresses_alone() {
    let room = Room::new(1, 3);
    let observers: Vec<Seat> = (0..3)
        .map(|_| {
            let seat = room.enter(peer(1)).unwrap();
            assert!(seat.asked(false) && seat.observes() && seat.observes());
            seat
        })
        .collect();
    assert_eq!(room.standing(), Standing { requests: 0, observers: 3, leaving: 0 });
    let fourth = room.enter(peer(1)).unwrap();
    assert!(!fourth.observes());
    drop(fourth);
    let other = room.enter(peer(2)).unwrap();
    assert!(other.observes() && is_told(&observers[0]));
    let third = room.enter(peer(3)).unwrap();
    assert!(third.observes(), "two of one address are more than one");
    let last = room.enter(peer(2)).unwrap();
    assert!(!last.observes(), "no address has more than this one would");
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    let of = |text: &str| source(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
}

#[tokio::test]
async fn a_room_is_empty_when_the_last_has_left() {
    let room = Room::new(2, 2);
    let seat = room.enter(peer(1)).unwrap();
    let emptied = room.emptied();
    let mut emptied = std::pin::pin!(emptied);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), emptied.as_mut()).await.is_err());
    drop(seat);
    emptied.await;
}
