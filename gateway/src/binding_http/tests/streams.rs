//! Server-Sent Events and long polls: what comes, in what order, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use handler_host::Value;
use serde_json::json;

use super::bed::Bed;
use crate::exposed_thing::outlet::Answer;
use crate::exposed_thing::{Observed, ObservedItem};

const SSE: (&str, &str) = ("accept", "text/event-stream");
const SECOND: Duration = Duration::from_secs(5);

/// Reads a stream until it has seen `wanted`.
async fn until(stream: &mut BodyDataStream, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let chunk =
            tokio::time::timeout(SECOND, stream.next()).await.unwrap_or_else(|_| panic!("no {wanted:?} in {seen:?}"));
        seen.push_str(std::str::from_utf8(&chunk.expect("the stream goes on").unwrap()).unwrap());
    }
    seen
}

async fn stream(bed: &Bed, path: &str, headers: &[(&str, &str)]) -> BodyDataStream {
    let response = bed.open(path, headers).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body().into_data_stream()
}

fn id_of(message: &str) -> String {
    message.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
}

#[tokio::test]
async fn an_observer_gets_the_current_value_then_each_change() {
    let bed = Bed::new();
    bed.json("PUT", "/things/lamp/properties/on", &json!(true)).await;
    for path in ["/things/lamp/properties/on", "/things/lamp/properties"] {
        let mut stream = stream(&bed, path, &[SSE]).await;
        assert!(until(&mut stream, "\n\n").await.starts_with("event: on\ndata: "), "{path}");
        bed.json("PUT", "/things/lamp/properties/on", &json!(false)).await;
        until(&mut stream, "event: on\ndata: false\nid: ").await;
        bed.json("PUT", "/things/lamp/properties/on", &json!(true)).await;
        until(&mut stream, "data: true").await;
    }
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed() {
    let bed = Bed::new();
    let mut first = stream(&bed, "/things/lamp/events/hot", &[SSE]).await;
    bed.lamp.emit("hot", Value::Number(61.0)).unwrap();
    let id = id_of(&until(&mut first, "data: 61").await);
    drop(first);
    bed.lamp.emit("hot", Value::Number(62.0)).unwrap();
    bed.lamp.emit("hot", Value::Number(63.0)).unwrap();
    let mut second = stream(&bed, "/things/lamp/events", &[SSE, ("last-event-id", &id)]).await;
    let seen = until(&mut second, "data: 63").await;
    assert!(seen.contains("event: hot\ndata: 62") && !seen.contains("data: 61") && !seen.contains(": gap"), "{seen}");
    let mut third = stream(&bed, "/things/lamp/events/hot", &[SSE, ("last-event-id", "1")]).await;
    assert!(until(&mut third, "data: 63").await.contains("data: 61"));
}

#[tokio::test]
async fn a_long_poll_answers_with_the_next_change() {
    let bed = Bed::new();
    bed.json("PUT", "/things/lamp/properties/on", &json!(true)).await;
    let poll = bed.get("/things/lamp/properties/on/longpoll");
    let change = async {
        while bed.lamp.notifications.listeners() == 0 {
            tokio::task::yield_now().await;
        }
        bed.json("PUT", "/things/lamp/properties/on", &json!(false)).await
    };
    let (answer, _) = tokio::time::timeout(SECOND, async { tokio::join!(poll, change) }).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"false".as_slice()));
    assert!(!answer.header("last-modified").is_empty());
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let bed = Bed::new();
    for _ in 0..10 {
        let first = stream(&bed, "/things/lamp/properties", &[SSE]).await;
        let second = stream(&bed, "/things/lamp/events", &[SSE]).await;
        assert_eq!(bed.lamp.notifications.listeners(), 2);
        drop((first, second));
        assert_eq!(bed.lamp.notifications.listeners(), 0);
    }
}

#[tokio::test]
async fn streams_and_polls_end_at_the_shutdown() {
    let bed = Bed::new();
    let mut open = stream(&bed, "/things/lamp/events", &[SSE]).await;
    until(&mut open, ":").await;
    let poll = bed.get("/things/lamp/events/hot/longpoll");
    let stop = async { bed.servient.stop() };
    let (poll, ()) = tokio::time::timeout(SECOND, async { tokio::join!(poll, stop) }).await.unwrap();
    assert_eq!(poll.status, 503);
    assert!(tokio::time::timeout(SECOND, open.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lapse_is_told_and_a_heartbeat_comes_at_once() {
    let bed = Bed::new();
    let mut stream = stream(&bed, "/things/lamp/properties/on", &[SSE]).await;
    until(&mut stream, ":\n\n").await;
    bed.lamp.publish("on", Answer::now(Value::Boolean(true)), Duration::from_millis(20)).unwrap();
    let seen = until(&mut stream, ": lapsed on\n\n").await;
    assert!(seen.contains("data: true"), "{seen}");
}

#[tokio::test]
async fn a_reading_that_is_taken_again_in_time_has_not_lapsed() {
    let bed = Bed::new();
    let mut stream = stream(&bed, "/things/lamp/properties/on", &[SSE]).await;
    until(&mut stream, ":\n\n").await;
    bed.lamp.publish("on", Answer::now(Value::Boolean(true)), Duration::from_millis(100)).unwrap();
    until(&mut stream, "data: true").await;
    // The observer waits for the first reading's end; the same value again is no news.
    let mut lapsed = std::pin::pin!(until(&mut stream, ": lapsed on\n\n"));
    assert!(tokio::time::timeout(Duration::from_millis(10), lapsed.as_mut()).await.is_err());
    bed.lamp.publish("on", Answer::now(Value::Boolean(true)), Duration::from_secs(60)).unwrap();
    let lapsed = tokio::time::timeout(Duration::from_millis(300), lapsed).await;
    assert!(lapsed.is_err(), "{lapsed:?}");
}

#[tokio::test]
async fn who_begins_in_the_middle_of_a_change_is_not_told_it_twice() {
    let bed = Bed::new();
    let lamp = bed.servient.thing("lamp").unwrap();
    let (outlet, done) = (Arc::clone(&bed.lamp), Arc::new(AtomicBool::new(false)));
    let publisher = {
        let done = Arc::clone(&done);
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            let _runtime = runtime.enter();
            for change in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let value = Answer::now(Value::Boolean(change % 2 == 0));
                outlet.publish("on", value, Duration::from_secs(60)).unwrap();
            }
        })
    };
    for _ in 0..2_000 {
        let mut observation = lamp.observe(Observed::Property("on".to_owned()), None).unwrap();
        let (first, second) = (taken(observation.next().await), taken(observation.next().await));
        assert!(first < second, "the same reading came twice");
    }
    done.store(true, Ordering::Relaxed);
    publisher.join().unwrap();
}

fn taken(item: Option<ObservedItem>) -> Instant {
    match item {
        Some(ObservedItem::Notification(notification)) => notification.taken,
        other => panic!("no value: {other:?}"),
    }
}
