//! Values on their way through a Thing: JSON on the consumer's side, the contract's typed values on the handler's side.
//!
//! Each is checked once against its `DataSchema`, here, whichever way it goes. Serializing happens here too, once.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use handler_host::{Binary, Value as HandlerValue};
use serde_json::{Number, Value};
use thing_descriptions::{FieldError, JsonLimits, SchemaType, parse_json};

use super::kind::Schema;
use crate::interaction::{InteractionError, Payload};
use crate::reading::ContentType;

/// Most bytes of a compound value that a handler may answer.
const OUTPUT_LIMITS: JsonLimits = JsonLimits { bytes_max: 1024 * 1024, depth_max: 64 };

/// A value that was checked and serialized.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) body: Bytes,
    pub(crate) content_type: ContentType,
    /// The value itself, where it is JSON.
    pub(crate) json: Value,
}

/// Checks an input and makes it what a handler takes.
///
/// # Errors
/// `InvalidInput` with one entry per field, or `UnsupportedMediaType`.
pub(crate) fn input(what: &str, schema: &Schema, payload: Payload) -> Result<HandlerValue, InteractionError> {
    match (payload, &schema.media) {
        (Payload::Json(value), None) => {
            schema.check(&value).map_err(|errors| InteractionError::InvalidInput {
                detail: format!("the value for {what} does not fit its DataSchema"),
                errors,
            })?;
            Ok(to_handler(value, schema.kind))
        }
        (Payload::Media { content_type, bytes }, Some(media)) if *content_type == **media => {
            Ok(HandlerValue::Binary(Binary { content_type, bytes: bytes.to_vec() }))
        }
        (_, media) => Err(InteractionError::UnsupportedMediaType {
            detail: format!("{what} takes {}", media.as_deref().unwrap_or("application/json")),
        }),
    }
}

/// JSON as the contract's value: scalars typed, compound values as JSON text.
fn to_handler(value: Value, kind: Option<SchemaType>) -> HandlerValue {
    match value {
        Value::Null => HandlerValue::Null,
        Value::Bool(value) => HandlerValue::Boolean(value),
        Value::String(value) => HandlerValue::Text(value),
        Value::Number(number) => match (kind, integer(&number)) {
            (None | Some(SchemaType::Integer), Some(integer)) => HandlerValue::Integer(integer),
            _ => HandlerValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        compound @ (Value::Array(_) | Value::Object(_)) => HandlerValue::Json(compound.to_string()),
    }
}

/// The number as an integer; JSON Schema counts `5.0` as one.
fn integer(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9.0e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^63")]
        let whole = float as i64;
        Some(whole)
    })
}

/// Checks what a handler answered or published, and serializes it.
///
/// # Errors
/// `InvalidOutput`: the handler broke its own Thing Model.
pub(crate) fn output(
    what: &fmt::Arguments<'_>,
    schema: Option<&Schema>,
    value: HandlerValue,
) -> Result<Checked, InteractionError> {
    let refused = |errors: Vec<FieldError>| InteractionError::InvalidOutput {
        detail: format!("the handler's answer for {what} does not fit its own Thing Model"),
        errors,
    };
    let media = schema.and_then(|schema| schema.media.as_ref());
    if let HandlerValue::Binary(Binary { content_type, bytes }) = value {
        return match media {
            Some(media) if **media == *content_type => Ok(Checked {
                body: Bytes::from(bytes),
                content_type: ContentType::Other(Arc::clone(media)),
                json: Value::Null,
            }),
            _ => Err(refused(vec![whole(&format!("is {content_type}, which the model does not name"))])),
        };
    }
    if let Some(media) = media {
        return Err(refused(vec![whole(&format!("is JSON instead of {media}"))]));
    }
    let (json, body) = serialized(value).map_err(|description| refused(vec![whole(&description)]))?;
    if let Some(schema) = schema {
        schema.check(&json).map_err(refused)?;
    }
    Ok(Checked { body, content_type: ContentType::Json, json })
}

fn whole(description: &str) -> FieldError {
    FieldError { field: String::new(), description: description.to_owned() }
}

fn serialized(value: HandlerValue) -> Result<(Value, Bytes), String> {
    Ok(match value {
        HandlerValue::Null => (Value::Null, Bytes::from_static(b"null")),
        HandlerValue::Boolean(true) => (Value::Bool(true), Bytes::from_static(b"true")),
        HandlerValue::Boolean(false) => (Value::Bool(false), Bytes::from_static(b"false")),
        HandlerValue::Integer(value) => scalar(Value::from(value)),
        HandlerValue::Number(value) => match Number::from_f64(value) {
            Some(number) => scalar(Value::Number(number)),
            None => return Err("is not a finite number".to_owned()),
        },
        HandlerValue::Text(value) => scalar(Value::String(value)),
        HandlerValue::Json(text) => {
            let json = parse_json(text.as_bytes(), OUTPUT_LIMITS).map_err(|error| format!("is no JSON: {error}"))?;
            // One line, as server-sent events want it; a raw line break can only stand between tokens.
            if text.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
                scalar(json)
            } else {
                (json, Bytes::from(text))
            }
        }
        HandlerValue::Binary(_) => return Err("is binary".to_owned()),
    })
}

fn scalar(value: Value) -> (Value, Bytes) {
    let body = Bytes::from(value.to_string());
    (value, body)
}
