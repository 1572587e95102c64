//! The Thing Model that a component carries: its author's text, bounded before anything is made of it.
//!
//! What a model means is the gateway's; here it is JSON of a size, and a list of wants.

use serde_json::Value as Json;

use crate::capabilities::Want;
use crate::error::HandlerError;

const WANTS_MEMBER: &str = "tidegate:wants";
const WANTS_MAX: usize = 64;
const BYTES_MAX: usize = 1 << 20;
const DEPTH_MAX: usize = 64;
/// Values of any kind in it: a schema is compiled from them, which takes a thousand times their text.
const VALUES_MAX: usize = 20_000;
/// Patterns in its schemas, each of which may compile to a megabyte.
const PATTERNS_MAX: usize = 64;

/// Parses a model and bounds it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, HandlerError> {
    if bytes.len() > BYTES_MAX {
        return Err(HandlerError::bad(format!("its Thing Model has more than {BYTES_MAX} bytes")));
    }
    let model: Json = serde_json::from_slice(bytes)
        .map_err(|error| HandlerError::bad(format!("its Thing Model is no JSON: {error}")))?;
    let extent = Extent::of(&model);
    if !model.is_object() || extent.depth > DEPTH_MAX {
        return Err(HandlerError::bad(format!("its Thing Model is no object, or deeper than {DEPTH_MAX}")));
    }
    if extent.values > VALUES_MAX || extent.patterns > PATTERNS_MAX {
        return Err(HandlerError::bad(format!(
            "its Thing Model has more than {VALUES_MAX} values or {PATTERNS_MAX} patterns"
        )));
    }
    Ok(model)
}

struct Extent {
    depth: usize,
    values: usize,
    patterns: usize,
}

impl Extent {
    /// `serde_json` itself ends at a depth of 128, which bounds this recursion.
    fn of(json: &Json) -> Self {
        let mut extent = Self { depth: 0, values: 1, patterns: 0 };
        match json {
            Json::Array(items) => items.iter().for_each(|item| extent.take(&Self::of(item))),
            Json::Object(members) => {
                extent.patterns += usize::from(members.get("pattern").is_some_and(Json::is_string));
                members.values().for_each(|member| extent.take(&Self::of(member)));
            }
            _ => {}
        }
        extent.depth += 1;
        extent
    }

    fn take(&mut self, part: &Self) {
        self.depth = self.depth.max(part.depth);
        self.values += part.values;
        self.patterns += part.patterns;
    }
}

/// What the handler wants, in the order of its slots.
pub(crate) fn wants(model: &Json) -> Result<Vec<Want>, HandlerError> {
    let Some(member) = model.get(WANTS_MEMBER) else { return Ok(Vec::new()) };
    let wants: Vec<Want> = serde_json::from_value(member.clone())
        .map_err(|error| HandlerError::bad(format!("`{WANTS_MEMBER}` of its Thing Model: {error}")))?;
    let repeated = wants.iter().enumerate().any(|(at, want)| wants[..at].iter().any(|other| other.label == want.label));
    if wants.len() > WANTS_MAX || repeated || wants.iter().any(|want| want.label.is_empty()) {
        return Err(HandlerError::bad(format!(
            "`{WANTS_MEMBER}` of its Thing Model: at most {WANTS_MAX} wants, each with a label of its own"
        )));
    }
    Ok(wants)
}
