//! The plain values that cross between the gateway and a handler: the contract's own types under their own names.
//!
//! Generated types are re-exported where they say all there is to say, so that no call converts them; only what names an
//! action by UUID, and the configuration, have types of the host.

use uuid::Uuid;

use crate::bindings::tidegate::thing::types;

pub use types::{
    Binary, Caller, DeviceError, Edge, Fault, Level, NoAcknowledgeSource, Origin, Outcome, Quality, Reading, Signal,
    ThingEvent, Value, WantKind,
};

/// Who asks, for how long, and with which URI variables. An action started by the call keeps `id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Unique over all nodes.
    pub id: Uuid,
    /// Who asks.
    pub caller: Caller,
    /// Wall time after which the call is ended, in milliseconds.
    pub budget_ms: u32,
    /// URI variables by name, as text.
    pub uri_variables: Vec<(String, String)>,
}

impl Call {
    /// A call of the gateway itself, under a new id.
    #[must_use]
    pub fn gateway(budget_ms: u32) -> Self {
        Self { id: Uuid::now_v7(), caller: Caller::Gateway, budget_ms, uri_variables: Vec::new() }
    }
}

impl From<Call> for types::Call {
    fn from(call: Call) -> Self {
        Self { id: call.id.into(), caller: call.caller, budget_ms: call.budget_ms, uri_variables: call.uri_variables }
    }
}

impl From<Uuid> for types::Uuid {
    fn from(id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        Self { high, low }
    }
}

impl From<types::Uuid> for Uuid {
    fn from(id: types::Uuid) -> Self {
        Self::from_u64_pair(id.high, id.low)
    }
}

/// What a handler is told when it starts. The wants come from its [`Capabilities`](crate::Capabilities).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The Thing's name.
    pub thing: String,
    /// The deployment's settings, by name.
    pub settings: Vec<(String, Value)>,
}

/// Bytes of a value's text, media or JSON; scalars count nothing.
#[must_use]
pub fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => 0,
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Binary(binary) => binary.content_type.len() + binary.bytes.len(),
    }
}

/// A fault as a sentence for people; the variants' own words first.
pub(crate) fn sentence(fault: &Fault) -> String {
    let (word, text) = match fault {
        Fault::NotFound => ("not found", ""),
        Fault::ReadOnly => ("read-only", ""),
        Fault::WriteOnly => ("write-only", ""),
        Fault::Invalid(text) => ("invalid", text.as_str()),
        Fault::Busy => ("busy", ""),
        Fault::Denied(text) => ("denied", text.as_str()),
        Fault::Unavailable(text) => ("unavailable", text.as_str()),
        Fault::Failed(text) => ("failed", text.as_str()),
    };
    if text.is_empty() { word.to_owned() } else { format!("{word}: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_crosses_unchanged() {
        let id = Uuid::now_v7();
        assert_eq!(Uuid::from(types::Uuid::from(id)), id);
    }
}
