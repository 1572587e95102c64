//! Server-Sent Events (WHATWG HTML section 9.2; WoT Profile, HTTP SSE).
//!
//! `event:` is the affordance's name, `data:` its value, `id:` the Thing's own sequence. What the Profile has no event for
//! (a gap, a lapsed reading, a sign of life) is a comment. A stream ends at the shutdown, with its Thing, with its client, or with what let it in.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::access::Stay;
use crate::exposed_thing::{Notification, Observation, ObservedItem};

/// Media type of a stream.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// A sign of life this often: proxies keep the stream, and a client that vanished is found.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct Stream {
    observation: Observation,
    shutdown: watch::Receiver<bool>,
    /// The token or the session of who observes.
    stay: Stay,
    heartbeat: Interval,
}

/// The body of a stream. It holds no task of its own: it is dropped with its connection.
pub(crate) fn body(observation: Observation, shutdown: watch::Receiver<bool>, stay: Stay) -> Body {
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream { observation, shutdown, stay, heartbeat };
    Body::from_stream(unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    }))
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            // An error says that the servient is gone.
            _ = self.shutdown.wait_for(|down| *down) => None,
            () = self.stay.ended() => None,
            item = self.observation.next() => item.map(|item| encode(&item)),
            // The first tick is at once: the client sees that the stream is open.
            _ = self.heartbeat.tick() => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

fn encode(item: &ObservedItem) -> Bytes {
    match item {
        ObservedItem::Notification(notification) => notification.encoded.get_or_init(|| message(notification)).clone(),
        ObservedItem::Gap { missed: 0 } => Bytes::from_static(b": gap\n\n"),
        ObservedItem::Gap { missed } => Bytes::from(format!(": gap {missed}\n\n")),
        ObservedItem::Lapsed { name } => Bytes::from(format!(": lapsed {name}\n\n")),
    }
}

fn message(notification: &Notification) -> Bytes {
    let mut text = Vec::with_capacity(notification.name.len() + notification.body.len() + 48);
    text.extend_from_slice(b"event: ");
    text.extend_from_slice(notification.name.as_bytes());
    // One line by contract; were it more, each would need its own field name.
    for line in notification.body.split(|byte| matches!(byte, b'\n' | b'\r')) {
        text.extend_from_slice(b"\ndata: ");
        text.extend_from_slice(line);
    }
    // Writing into a vector cannot fail.
    let written = write!(text, "\nid: {}\n\n", notification.id);
    debug_assert!(written.is_ok());
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposed_thing::EventCount;
    use crate::interaction::AffordanceKind;
    use crate::reading::Quality;
    use std::sync::{Arc, OnceLock};
    use std::time::Instant;

    #[test]
    fn a_message_has_the_name_the_value_and_the_id() {
        let notification = Notification {
            id: 42,
            affordance: AffordanceKind::Property,
            name: Arc::from("temperature"),
            body: Bytes::from_static(b"21.5"),
            taken: Instant::now(),
            quality: Quality::Good,
            count: EventCount::default(),
            encoded: OnceLock::new(),
        };
        assert_eq!(message(&notification), "event: temperature\ndata: 21.5\nid: 42\n\n");
    }

    #[test]
    fn what_is_no_event_is_a_comment() {
        assert_eq!(encode(&ObservedItem::Gap { missed: 3 }), ": gap 3\n\n");
        assert_eq!(encode(&ObservedItem::Lapsed { name: Arc::from("on") }), ": lapsed on\n\n");
    }
}
