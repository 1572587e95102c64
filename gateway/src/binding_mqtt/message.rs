//! What leaves over MQTT: a topic, a payload, and what a reader of MQTT 5 is told beside it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::exposed_thing::ExposedThing;
use crate::reading::{Quality, quality_word};
use crate::utc::Rfc3339;

/// A message on its way to whoever subscribed.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) topic: Arc<str>,
    /// Never empty: an empty message breaks subscribers that expect JSON.
    pub(crate) payload: Bytes,
    pub(crate) kind: Kind,
    pub(crate) content_type: &'static str,
    /// When the value was taken or the event happened, and how good it is.
    pub(crate) stamp: Option<Stamp>,
    /// Only in answers to a request: its correlation data, and the status in HTTP's numbers.
    pub(crate) reply: Option<Reply>,
}

/// What kind of message it is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A property's value: the latest is retained, and of many that wait the older ones may be left out.
    Value(Source),
    /// Retained: how a Thing or the gateway stands, or a description.
    Retained,
    /// An event or an action's status: none is left out.
    Event,
}

/// Whose value it is.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) thing: Arc<ExposedThing>,
    pub(crate) property: Arc<str>,
}

/// See [`Message::stamp`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) taken: Instant,
    pub(crate) quality: Quality,
    pub(crate) simulated: bool,
}

/// See [`Message::reply`].
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) correlation: Option<Bytes>,
    pub(crate) status: u16,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const PROBLEM: &str = "application/problem+json";
pub(crate) const TD: &str = "application/td+json";
pub(crate) const TEXT: &str = "text/plain";

impl Message {
    /// A message of `kind`, JSON unless said otherwise.
    pub(crate) fn new(topic: impl Into<Arc<str>>, payload: impl Into<Bytes>, kind: Kind) -> Self {
        Self { topic: topic.into(), payload: payload.into(), kind, content_type: JSON, stamp: None, reply: None }
    }

    pub(crate) fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    /// What it holds: topic, payload and what identifies a request, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let correlation = self.reply.as_ref().and_then(|reply| reply.correlation.as_ref());
        self.topic.len() + self.payload.len() + correlation.map_or(0, Bytes::len)
    }

    pub(crate) fn is_retained(&self) -> bool {
        matches!(self.kind, Kind::Value(_) | Kind::Retained)
    }

    /// Whether a later value of the same topic makes this one unnecessary.
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.kind, Kind::Value(_))
    }

    /// How long the value is still good; `None`: it does not lapse.
    pub(crate) fn good_for(&self, now: Instant) -> Option<Duration> {
        let Kind::Value(Source { thing, property }) = &self.kind else { return None };
        thing.good_until(property).map(|until| until.saturating_duration_since(now))
    }

    /// The MQTT 5 user properties: `taken` and `quality` of a reading, `status` of an answer.
    pub(crate) fn user_properties(&self) -> Vec<(String, String)> {
        let mut properties = Vec::new();
        if let Some(stamp) = &self.stamp {
            let age = Instant::now().saturating_duration_since(stamp.taken);
            let taken = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
            properties.push(("taken".to_owned(), Rfc3339(taken).to_string()));
            let quality = quality_word(stamp.quality, stamp.simulated);
            properties.push(("quality".to_owned(), quality.to_owned()));
        }
        if let Some(reply) = &self.reply {
            properties.push(("status".to_owned(), reply.status.to_string()));
        }
        properties
    }
}
