//! MQTT: a broker of the test's own, and clients as people have them (mosquitto's programs, paho).
//!
//! The machine's own broker on port 1883 is never used. Every wait has a deadline, and what is waited for is an event:
//! the broker's word that it is ready, the SUBACK, the PUBACK.

mod broker;
mod cut;
mod events;
mod paho;
mod programs;
mod subscriber;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub use broker::Mosquitto;
pub use cut::Cuttable;
pub use paho::Paho;
pub use programs::{publish, request};
pub use subscriber::Subscriber;

/// The protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Protocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V311, Self::V5];

    /// As mosquitto's programs name it after `-V`.
    fn option(self) -> &'static str {
        match self {
            Self::V311 => "mqttv311",
            Self::V5 => "mqttv5",
        }
    }
}

/// A message as a client got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// It is what the broker had kept, not news.
    pub retain: bool,
    /// Quality of service, as granted.
    pub qos: u64,
    /// MQTT 5 only: `content-type`, `response-topic`, `user-properties` (an object), ..; null when there are none.
    pub properties: Value,
}

impl Message {
    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn value(&self) -> Result<Value> {
        serde_json::from_slice(&self.payload).with_context(|| format!("no JSON on {}: {}", self.topic, self.text()))
    }

    /// From the members `topic`, `qos`, `retain` (a number or a boolean) and `properties`; the payload comes beside them.
    fn of(members: &Value, payload: Vec<u8>) -> Option<Self> {
        let retain = members["retain"].as_bool().or_else(|| Some(members["retain"].as_u64()? != 0))?;
        Some(Self {
            topic: members["topic"].as_str()?.to_owned(),
            payload,
            retain,
            qos: members["qos"].as_u64()?,
            properties: members["properties"].clone(),
        })
    }
}

/// Bytes written in hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
