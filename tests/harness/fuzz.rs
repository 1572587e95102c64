//! What fuzzers and property tests throw at the gateway's readers: bytes go in, and what must hold of every input is
//! asserted. A panic is a finding. Each answers whether the input was taken.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz TARGET` goes on from here with coverage; `it/fuzz.rs` runs each on a fixed number
//! of cases.

use std::path::{Path, PathBuf};

use handler_host::{EngineConfig, HandlerEngine};
use thing_descriptions::{
    DESCRIPTION_BYTES_MAX, DataSchema, FIELD_ERRORS_MAX, Instance, JsonLimits, Thing, ThingModel, Validator, parse_json,
};

/// Largest MQTT packet that is taken, in bytes.
const PACKET_BYTES_MAX: usize = 4_096;

/// A Thing Description that is taken comes out as it went in: written and read again it is the same.
#[must_use]
pub fn thing_description(bytes: &[u8]) -> bool {
    let Ok(value) = parse_json(bytes, JsonLimits::DEFAULT) else { return false };
    let Ok(thing) = Thing::from_value(value) else { return false };
    let written = thing.to_value();
    let again = Thing::from_value(written.clone()).map(|thing| thing.to_value());
    assert_eq!(again.as_ref(), Ok(&written), "not read back");
    true
}

/// A Thing Model makes a Thing or is refused with a place.
#[must_use]
pub fn thing_model(bytes: &[u8]) -> bool {
    let Ok(model) = ThingModel::parse(bytes) else { return false };
    match model.instantiate(&Instance::new("urn:uuid:00000000-0000-0000-0000-000000000000")) {
        Ok(thing) => {
            assert_eq!(thing.to_value()["id"], "urn:uuid:00000000-0000-0000-0000-000000000000");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// A schema on the first line, a value after it: the fast answer and the explained one agree, and errors are bounded.
#[must_use]
pub fn data_schema(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(schema), Some(value)) = (parts.next(), parts.next()) else { return false };
    let Ok(schema) = parse_json(schema, JsonLimits::DEFAULT) else { return false };
    let Ok(value) = parse_json(value, JsonLimits::DEFAULT) else { return false };
    let Ok(schema) = DataSchema::from_value(schema) else { return false };
    let Ok(validator) = Validator::compile(&schema) else { return false };
    match validator.check(&value) {
        Ok(()) => assert!(validator.accepts(&value), "explained as good, refused"),
        Err(errors) => {
            assert!(!validator.accepts(&value), "accepted, explained as bad");
            assert!((1..=FIELD_ERRORS_MAX).contains(&errors.len()));
            assert!(errors.iter().all(|error| error.description.len() <= DESCRIPTION_BYTES_MAX));
        }
    }
    true
}

/// MQTT packets of both versions; no packet is shorter than its two bytes.
#[must_use]
pub fn mqtt_packets(bytes: &[u8]) -> bool {
    let packets = tidegate::fuzzing::mqtt_packets(bytes, PACKET_BYTES_MAX);
    // Each version reads the stream once.
    assert!(packets <= bytes.len());
    packets > 0
}

/// The gateway's file and a Thing's: taken, or refused with faults that name a place in the text.
#[must_use]
pub fn configuration(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let things = [(PathBuf::from("things.d/lamp.toml"), text.to_owned())];
    let taken = [(text, [].as_slice()), ("[board]\nsimulated = true\n", things.as_slice())].map(|(gateway, things)| {
        let parsed = tidegate::config::parse_tree((Path::new("tidegate.toml"), gateway), things);
        let told = parsed.err().map(|faults| faults.to_string());
        let named = |told: &String| told.contains("tidegate.toml") || told.contains("lamp.toml");
        assert!(told.as_ref().is_none_or(named), "no file is named: {told:?}");
        told.is_none()
    });
    taken.contains(&true)
}

/// Admission of a component: an engine of its own, without a cache.
#[derive(Debug)]
pub struct Admission(HandlerEngine);

impl Admission {
    /// The engine as the gateway has it.
    ///
    /// # Errors
    /// When this machine can have none.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(HandlerEngine::new(EngineConfig::default())?))
    }

    /// A component is admitted, or refused with a reason.
    #[must_use]
    pub fn component(&self, bytes: &[u8]) -> bool {
        match self.0.load(bytes) {
            Ok(_) => true,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                false
            }
        }
    }
}
