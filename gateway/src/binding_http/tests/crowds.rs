//! Crowds over real sockets: half requests, idle connections, observers that are too many, vanish, or never read.

use std::sync::Arc;
use std::time::Duration;

use handler_host::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::Bed;
use super::connections::{DEADLINE, GET, all_of, ask, served};
use crate::config::Limits;
use crate::exposed_thing::outlet::Answer;

const STREAM: &str = "GET /things/lamp/events/hot HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

fn patient(connections_max: usize) -> Limits {
    let long = Duration::from_secs(60);
    Limits { connections_max, header_timeout: long, body_timeout: long, ..Limits::default() }
}

/// Reads until the answer's head is there.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(DEADLINE, stream.read_u8()).await.expect("a head comes");
        head.push(byte.expect("the connection is open"));
    }
    String::from_utf8(head).unwrap()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn half_a_body_makes_room() {
    let bed = Bed::new();
    let served = served(&bed, patient(3)).await;
    let half = "PUT /things/lamp/properties/on HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntr";
    let mut halves = Vec::new();
    for _ in 0..12 {
        halves.push(ask(served.address, half).await);
    }
    for _ in 0..5 {
        assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(all_of(halves.remove(0)).await, "", "the oldest is turned out");
}

#[tokio::test]
async fn idle_connections_make_room() {
    let bed = Bed::new();
    let served = served(&bed, patient(3)).await;
    let mut idle = Vec::new();
    for _ in 0..9 {
        let mut stream = ask(served.address, "HEAD /things/lamp HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        idle.push(stream);
    }
    let mut last = idle.pop().unwrap();
    last.write_all(GET.as_bytes()).await.unwrap();
    assert!(all_of(last).await.starts_with("HTTP/1.1 200"), "the newest is still there");
    assert_eq!(all_of(idle.remove(0)).await, "");
}

#[tokio::test]
async fn observers_have_places_of_their_own_and_leave_nothing_behind() {
    let bed = Bed::new();
    let served = served(&bed, Limits { connections_max: 1, observers_max: 4, ..Limits::default() }).await;
    for _ in 0..3 {
        let mut observers = Vec::new();
        for _ in 0..4 {
            let mut observer = ask(served.address, STREAM).await;
            let head = head(&mut observer).await;
            assert!(head.contains("content-type: text/event-stream") && head.contains("\r\ndate: "), "{head}");
            observers.push(observer);
        }
        assert_eq!(bed.lamp.notifications.listeners(), 4);
        let refused =
            all_of(ask(served.address, &STREAM.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await).await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 10"), "{refused}");
        assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
        drop(observers);
        eventually("observers that are gone are forgotten", || bed.lamp.notifications.listeners() == 0).await;
    }
}

#[tokio::test]
async fn a_long_poll_takes_the_place_of_an_observer() {
    let bed = Bed::new();
    let served = served(&bed, Limits { connections_max: 1, observers_max: 1, ..Limits::default() }).await;
    let poll = "GET /things/lamp/events/hot/longpoll HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut waiting = ask(served.address, poll).await;
    for round in 0..3 {
        eventually("it waits", || bed.lamp.notifications.listeners() == 1).await;
        assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
        bed.lamp.emit("hot", Value::Integer(round)).unwrap();
        assert!(head(&mut waiting).await.starts_with("HTTP/1.1 200"));
        assert_eq!(waiting.read_u8().await.unwrap(), b'0' + u8::try_from(round).unwrap());
        // The next one on the same connection needs no other place.
        waiting.write_all(poll.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_does_not_read_is_told_how_many_events_it_missed() {
    const EVENTS: i64 = 30_000;
    let bed = Bed::new();
    let served = served(&bed, Limits::default()).await;
    let mut observer = ask(served.address, STREAM).await;
    head(&mut observer).await;
    let outlet = Arc::clone(&bed.lamp);
    tokio::task::spawn_blocking(move || (1..=EVENTS).for_each(|n| outlet.emit("hot", Value::Integer(n)).unwrap()))
        .await
        .unwrap();
    let mut text = String::new();
    while !text.contains(&format!("\ndata: {EVENTS}\n")) {
        let mut piece = [0; 4_096];
        let read =
            tokio::time::timeout(DEADLINE, observer.read(&mut piece)).await.expect("the last one comes").unwrap();
        assert!(read > 0, "the stream goes on");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    let received = i64::try_from(text.matches("\ndata: ").count()).unwrap();
    let gaps = text.lines().filter_map(|line| line.strip_prefix(": gap ")).map(|count| count.parse::<i64>().unwrap());
    let missed: i64 = gaps.sum();
    assert!(missed > 0, "{EVENTS} events cannot have waited");
    assert_eq!(received + missed, EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_does_not_read_sees_the_latest_value_when_it_does() {
    let bed = Bed::new();
    let served = served(&bed, Limits::default()).await;
    let mut observer = ask(served.address, &STREAM.replace("events/hot", "properties/on")).await;
    head(&mut observer).await;
    let outlet = Arc::clone(&bed.lamp);
    let publishing = move || {
        for n in 0..30_001 {
            outlet.publish("on", Answer::now(Value::Boolean(n % 2 == 0)), Duration::from_secs(60)).unwrap();
        }
    };
    tokio::task::spawn_blocking(publishing).await.unwrap();
    let last = bed.lamp.notifications.subscribe().0;
    let mut text = String::new();
    while !text.contains(&format!("\nid: {last}\n\n")) {
        let mut piece = [0; 4_096];
        let read =
            tokio::time::timeout(DEADLINE, observer.read(&mut piece)).await.expect("the last one comes").unwrap();
        assert!(read > 0, "the stream goes on");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    assert!(text.matches("\ndata: ").count() < 30_001, "all cannot have waited");
    assert!(text.ends_with(&format!("data: true\nid: {last}\n\n")), "{}", &text[text.len() - 200..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_never_reads_is_closed() {
    let bed = Bed::new();
    let stall_timeout = Duration::from_millis(300);
    let served = served(&bed, Limits { stall_timeout, ..Limits::default() }).await;
    let mut observer = ask(served.address, STREAM).await;
    head(&mut observer).await;
    eventually("it is closed", || {
        for n in 0..1_000 {
            bed.lamp.emit("hot", Value::Integer(n)).unwrap();
        }
        bed.lamp.notifications.listeners() == 0
    })
    .await;
}
