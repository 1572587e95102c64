//! Validator: a `DataSchema` compiled for checking values, on every read, write and action.
//!
//! Only the keywords that TD 1.1 section 5.3.2 gives to a `DataSchema` are compiled, at every level: a `$ref` or a
//! `format` that a Thing Model carries has no effect. Patterns run on an engine whose time is linear in the text, with
//! bounded memory, so neither a schema nor a value from outside can make a check slow.

use jsonschema::{Draft, PatternOptions};
use serde_json::{Map, Value};

use crate::data_schema::DataSchema;
use crate::json::is_deeper;
use crate::limits::{
    DESCRIPTION_BYTES_MAX, EXPLAINED_NODES_MAX, FIELD_ERRORS_MAX, PATTERN_BYTES_MAX, SCHEMA_NODES_MAX, VALUE_DEPTH_MAX,
};
use crate::pointer::At;
use crate::{FieldError, TdError};

/// A `DataSchema` that is ready to check values.
#[derive(Clone, Debug)]
pub struct Validator(jsonschema::Validator);

impl Validator {
    /// Compiles a schema; some ten microseconds for a small one, so once per affordance.
    ///
    /// # Errors
    /// [`TdError::Schema`] when the schema is nested deeper than [`VALUE_DEPTH_MAX`], too large, or holds a keyword that
    /// cannot be compiled, such as a `pattern` with look-around.
    pub fn compile(schema: &DataSchema) -> Result<Self, TdError> {
        let mut nodes_left = SCHEMA_NODES_MAX;
        let keywords = keywords_of(&schema.to_value(), &At::Root, &mut nodes_left)?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let options = jsonschema::options()
            .with_draft(Draft::Draft7)
            .with_pattern_options(patterns)
            .should_validate_formats(false)
            .offline();
        match options.build(&keywords) {
            Ok(compiled) => Ok(Self(compiled)),
            Err(error) => Err(TdError::Schema {
                pointer: error.instance_path().to_string(),
                reason: bounded(error.masked().to_string()),
            }),
        }
    }

    /// Whether the schema accepts the value: the fast way, without reasons.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        (!is_compound(value) || !is_deeper(value, VALUE_DEPTH_MAX)) && self.0.is_valid(value)
    }

    /// Checks a value and says what is wrong with it.
    ///
    /// # Errors
    /// At most [`FIELD_ERRORS_MAX`] errors, each at its place in the value.
    pub fn check(&self, value: &Value) -> Result<(), Vec<FieldError>> {
        if is_compound(value) && is_deeper(value, VALUE_DEPTH_MAX) {
            let description = format!("nested deeper than {VALUE_DEPTH_MAX} levels");
            return Err(vec![FieldError { field: String::new(), description }]);
        }
        field_errors(&self.0, value, EXPLAINED_NODES_MAX)
    }
}

/// The errors of one check, none of which repeats the value: it may be large, or secret. A value with more than
/// `nodes_max` members and elements is refused without saying where.
pub(crate) fn field_errors(
    validator: &jsonschema::Validator,
    value: &Value,
    nodes_max: usize,
) -> Result<(), Vec<FieldError>> {
    if validator.is_valid(value) {
        return Ok(());
    }
    if nodes_left(value, nodes_max).is_none() {
        let description = "does not match its schema, and is too large to say where".to_owned();
        return Err(vec![FieldError { field: String::new(), description }]);
    }
    let errors = validator.iter_errors(value).take(FIELD_ERRORS_MAX).map(|error| FieldError {
        field: error.instance_path().to_string(),
        description: bounded(error.masked().to_string()),
    });
    Err(errors.collect())
}

fn bounded(mut text: String) -> String {
    if text.len() > DESCRIPTION_BYTES_MAX {
        text.truncate(text.floor_char_boundary(DESCRIPTION_BYTES_MAX));
        text.push_str(" ..");
    }
    text
}

/// What is left of `nodes` after those of the value, or nothing when it has more.
fn nodes_left(value: &Value, nodes: usize) -> Option<usize> {
    let nodes = nodes.checked_sub(1)?;
    match value {
        Value::Array(elements) => elements.iter().try_fold(nodes, |nodes, element| nodes_left(element, nodes)),
        Value::Object(members) => members.values().try_fold(nodes, |nodes, member| nodes_left(member, nodes)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(nodes),
    }
}

fn is_compound(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// What the member of a `DataSchema` holds.
enum Keyword {
    Plain,
    Schema,
    Schemas,
    NamedSchemas,
}

fn keyword(name: &str) -> Option<Keyword> {
    match name {
        "type" | "const" | "enum" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf"
        | "minLength" | "maxLength" | "pattern" | "minItems" | "maxItems" | "required" => Some(Keyword::Plain),
        "items" => Some(Keyword::Schema),
        "oneOf" => Some(Keyword::Schemas),
        "properties" => Some(Keyword::NamedSchemas),
        _ => None,
    }
}

/// The schema with nothing but the keywords of a `DataSchema`.
fn keywords_of(schema: &Value, at: &At<'_>, nodes_left: &mut usize) -> Result<Value, TdError> {
    let Value::Object(members) = schema else { return Err(at.wrong("a schema must be an object")) };
    if at.depth() > 2 * VALUE_DEPTH_MAX {
        return Err(At::Root.wrong("the schema is nested too deeply"));
    }
    let mut kept = Map::new();
    // An empty schema counts too.
    count(nodes_left)?;
    for (name, value) in members {
        let at = at.member(name);
        let value = match keyword(name) {
            Some(Keyword::Plain) => value.clone(),
            Some(Keyword::Schema) if value.is_object() => keywords_of(value, &at, nodes_left)?,
            Some(Keyword::Schema | Keyword::Schemas) => each(value, &at, nodes_left)?,
            Some(Keyword::NamedSchemas) => named(value, &at, nodes_left)?,
            None => continue,
        };
        count(nodes_left)?;
        kept.insert(name.clone(), value);
    }
    Ok(Value::Object(kept))
}

fn count(nodes_left: &mut usize) -> Result<(), TdError> {
    *nodes_left = nodes_left.checked_sub(1).ok_or_else(|| At::Root.wrong("the schema is too large"))?;
    Ok(())
}

fn each(value: &Value, at: &At<'_>, nodes_left: &mut usize) -> Result<Value, TdError> {
    let Value::Array(schemas) = value else { return Err(at.wrong("must be an array of schemas")) };
    schemas.iter().enumerate().map(|(index, schema)| keywords_of(schema, &at.element(index), nodes_left)).collect()
}

fn named(value: &Value, at: &At<'_>, nodes_left: &mut usize) -> Result<Value, TdError> {
    let Value::Object(schemas) = value else { return Err(at.wrong("must be an object of schemas")) };
    let kept = schemas
        .iter()
        .map(|(name, schema)| keywords_of(schema, &at.member(name), nodes_left).map(|schema| (name.clone(), schema)));
    kept.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

#[cfg(test)]
mod tests;
