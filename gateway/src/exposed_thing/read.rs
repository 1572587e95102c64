//! Reading: the published reading while it is good, else the behavior's own answer.
//!
//! A read just after the start waits a moment for the first reading: a handler that samples has none before its first
//! sample, and a client that asks a second too early should not have to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};

use super::ExposedThing;
use crate::interaction::{AffordanceKind, Context, InteractionError};
use crate::reading::{ContentType, Reading};

/// How long after its start a Thing's first readings are waited for.
pub(crate) const FIRST_READING_MAX: Duration = Duration::from_secs(1);

pub(super) async fn property(thing: &ExposedThing, name: &str, context: &Context) -> Result<Reading, InteractionError> {
    if let Some(reading) = thing.good_reading(name) {
        return Ok(reading);
    }
    let shared = readable(thing, name)?;
    match ask(thing, &shared, context).await {
        Err(error @ InteractionError::Unavailable { .. }) if thing.outlet.begun() < FIRST_READING_MAX => {
            first_reading(thing, name).await.ok_or(error)
        }
        answer => answer,
    }
}

/// The property's name as the Thing itself has it.
fn readable(thing: &ExposedThing, name: &str) -> Result<Arc<str>, InteractionError> {
    let description = thing.outlet.described();
    let property =
        description.kind.properties.get(name).ok_or_else(|| thing.outlet.unknown(AffordanceKind::Property, name))?;
    if property.readable {
        return Ok(Arc::clone(&property.name));
    }
    let operation = format!("the property `{name}` is write-only");
    Err(InteractionError::NotAllowed { operation, allow: "PUT" })
}

async fn ask(thing: &ExposedThing, name: &Arc<str>, context: &Context) -> Result<Reading, InteractionError> {
    let answer = thing.behavior.read(name, context).await?;
    thing.outlet.reading(name, answer)
}

/// The first reading that is published within the first second of the Thing.
async fn first_reading(thing: &ExposedThing, name: &str) -> Option<Reading> {
    let mut changed = thing.outlet.published.changed();
    let published = async {
        loop {
            if let Some(reading) = thing.outlet.published.fresh(name, Instant::now()) {
                return Some(reading);
            }
            changed.changed().await.ok()?;
        }
    };
    let left = FIRST_READING_MAX.saturating_sub(thing.outlet.begun());
    tokio::time::timeout(left, published).await.ok().flatten()
}

pub(super) async fn all_properties(thing: &ExposedThing, context: &Context) -> Result<Bytes, InteractionError> {
    let description = thing.outlet.description();
    let mut object = BytesMut::from(&b"{"[..]);
    // In the order of the model: that is how its author wants them seen.
    for name in description.kind.thing.properties.keys() {
        let Some(property) = description.kind.properties.get(name.as_str()) else { continue };
        if !property.readable || property.schema.media.is_some() {
            continue;
        }
        let reading = self::property(thing, name, context).await.map_err(|error| naming(name, error))?;
        if reading.content_type != ContentType::Json {
            continue;
        }
        if object.len() > 1 {
            object.put_u8(b',');
        }
        // Affordance names are [A-Za-z0-9_-]: nothing to escape.
        object.put_u8(b'"');
        object.put_slice(name.as_bytes());
        object.put_slice(b"\":");
        object.put_slice(&reading.body);
    }
    object.put_u8(b'}');
    Ok(object.freeze())
}

/// Says which property it was that has no answer.
fn naming(name: &str, error: InteractionError) -> InteractionError {
    match error {
        InteractionError::Unavailable { detail, retry_after } => {
            InteractionError::Unavailable { detail: format!("property `{name}`: {detail}"), retry_after }
        }
        other => other,
    }
}
