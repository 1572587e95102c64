//! The JSON Schemas of the specifications, as published, and the checks against them.
//!
//! Each is compiled at its first use and kept: see `schema/README.md` for where they come from.

use std::sync::LazyLock;

use jsonschema::Draft;
use serde_json::Value;

use crate::FieldError;
use crate::validator::field_errors;

const TD: &str = include_str!("../schema/td-json-schema-validation.json");
const TM: &str = include_str!("../schema/tm-json-schema-validation.json");

/// A schema, or why it does not compile: a fault of this crate that its tests rule out.
type Compiled = Result<jsonschema::Validator, String>;

static TD_VALIDATOR: LazyLock<Compiled> = LazyLock::new(|| compile(TD));
static TM_VALIDATOR: LazyLock<Compiled> = LazyLock::new(|| compile(TM));

/// Checks a document against the JSON Schema of TD 1.1.
///
/// # Errors
/// At most [`FIELD_ERRORS_MAX`](crate::FIELD_ERRORS_MAX) errors.
pub fn check_td(document: &Value) -> Result<(), Vec<FieldError>> {
    check(&TD_VALIDATOR, document)
}

/// Checks a document against the JSON Schema of Thing Models 1.1.
///
/// # Errors
/// At most [`FIELD_ERRORS_MAX`](crate::FIELD_ERRORS_MAX) errors.
pub fn check_tm(document: &Value) -> Result<(), Vec<FieldError>> {
    check(&TM_VALIDATOR, document)
}

fn compile(schema: &str) -> Compiled {
    let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    jsonschema::options().with_draft(Draft::Draft7).offline().build(&schema).map_err(|error| error.to_string())
}

fn check(compiled: &Compiled, document: &Value) -> Result<(), Vec<FieldError>> {
    match compiled {
        Ok(validator) => field_errors(validator, document),
        Err(error) => Err(vec![FieldError { field: String::new(), description: error.clone() }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_schemas_compile() {
        assert_eq!(TD_VALIDATOR.as_ref().err(), None);
        assert_eq!(TM_VALIDATOR.as_ref().err(), None);
    }
}
