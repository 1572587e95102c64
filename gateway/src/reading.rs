//! A reading: a property's value, serialized once, with when it was taken and how good it is.
//!
//! `taken` is monotonic time. It becomes UTC only where it leaves the gateway, so no jump of the wall clock can age or
//! rejuvenate a reading.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
pub use handler_host::Quality;

/// Largest body that is copied for each consumer, in bytes.
const COPIED_MAX: usize = 256;

/// What kind of content a reading is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`.
    Json,
    /// Any other media type.
    Other(Arc<str>),
}

/// How good a reading is, in the words of every binding; the gateway itself says whether hardware was simulated.
pub(crate) fn quality_word(quality: Quality, simulated: bool) -> &'static str {
    match (quality, simulated) {
        (Quality::Good, false) => "good",
        (Quality::Good, true) => "good; simulated",
        (Quality::Uncertain, false) => "uncertain",
        (Quality::Uncertain, true) => "uncertain; simulated",
    }
}

/// A property's value, ready to leave.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The value: JSON text on one line, or the bytes of a medium.
    pub body: Bytes,
    /// What `body` is.
    pub content_type: ContentType,
    /// When the value was taken.
    pub taken: Instant,
    /// What the handler says of it.
    pub quality: Quality,
    /// Whether simulated hardware stands behind it; stamped by the gateway, never by a handler.
    pub simulated: bool,
}

impl Reading {
    /// A good JSON reading taken `now`.
    #[must_use]
    pub fn json(body: Bytes, now: Instant) -> Self {
        Self { body, content_type: ContentType::Json, taken: now, quality: Quality::Good, simulated: false }
    }

    /// A copy for one consumer. A small body is copied: that is cheaper than a count of its users which the processors
    /// would fight over at every read.
    #[must_use]
    pub(crate) fn unshared(&self) -> Self {
        let body = match self.body.len() {
            ..=COPIED_MAX => Bytes::copy_from_slice(&self.body),
            _ => self.body.clone(),
        };
        let content_type = self.content_type.clone();
        Self { body, content_type, taken: self.taken, quality: self.quality, simulated: self.simulated }
    }

    /// How old it is.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.taken)
    }

    /// When it was taken, in UTC as the wall clock stands now.
    #[must_use]
    pub fn taken_utc(&self, now: Instant, now_utc: SystemTime) -> SystemTime {
        now_utc.checked_sub(self.age(now)).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
