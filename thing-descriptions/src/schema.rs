//! The JSON Schemas of the specifications, as published, and the checks against them.
//!
//! Each is compiled at its first use and kept: see `schema/README.md` for where they come from.

use std::sync::LazyLock;

use jsonschema::Draft;
use serde_json::Value;

use crate::FieldError;
use crate::limits::EXPLAINED_DOCUMENT_NODES_MAX;
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
        Ok(validator) => field_errors(validator, document, EXPLAINED_DOCUMENT_NODES_MAX),
        Err(error) => Err(vec![FieldError { field: String::new(), description: error.clone() }]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    const DIRECTORY: &str = include_str!("../schema/directory.tm.json");

    const ID: &str = "urn:uuid:53d6b2b3-7f3b-4a43-a1d7-0f1d7f8e2e90";

    /// A valid TD with some members replaced.
    fn thing(changes: &Value) -> Value {
        let mut thing = json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "id": ID,
            "title": "Lamp",
            "security": "nosec",
            "securityDefinitions": { "nosec": { "scheme": "nosec" } },
            "properties": { "on": { "type": "boolean", "forms": [{ "href": "/on" }] } }
        });
        let members = changes.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone()));
        thing.as_object_mut().unwrap().extend(members);
        thing
    }

    #[test]
    fn a_thing_description_is_told_from_what_is_none() {
        let both = json!(["https://www.w3.org/2019/wot/td/v1", "https://www.w3.org/2022/wot/td/v1.1"]);
        for changes in [
            json!({}),
            json!({ "@context": both }),
            json!({ "properties": {} }),
            json!({ "version": { "instance": "1" } }),
        ] {
            assert_eq!(check_td(&thing(&changes)), Ok(()), "{changes}");
        }
        for (changes, field) in [
            (json!({ "@context": "https://www.w3.org/ns/wot-next/td" }), "/@context"),
            (json!({ "title": 1 }), "/title"),
            (json!({ "id": "lamp" }), "/id"),
            (json!({ "version": { "model": "1" } }), "/version"),
            (json!({ "properties": { "on": { "type": "boolean" } } }), "/properties/on"),
            (json!({ "properties": { "on": { "forms": [] } } }), "/properties/on/forms"),
            (
                json!({ "properties": { "on": { "forms": [{ "href": "/on", "op": "invokeaction" }] } } }),
                "/properties/on/forms/0/op",
            ),
            (json!({ "forms": [{ "href": "/all" }] }), "/forms/0"),
        ] {
            let errors = check_td(&thing(&changes)).unwrap_err();
            assert!(errors.iter().any(|error| error.field.starts_with(field)), "{changes}: {errors:?}");
        }
    }

    #[test]
    fn a_model_is_told_from_a_thing() {
        assert_eq!(check_tm(&thing(&json!({ "@type": "tm:ThingModel" }))), Ok(()));
        assert!(check_tm(&thing(&json!({}))).is_err());
        assert!(check_tm(&thing(&json!({ "@type": "tm:ThingModel", "tm:optional": ["/on"] }))).is_err());
        assert_eq!(check_tm(&serde_json::from_str(DIRECTORY).unwrap()), Ok(()));
    }

    #[test]
    fn the_directory_offers_what_the_published_model_says() {
        let published: Value = serde_json::from_str(DIRECTORY).unwrap();
        let ours = crate::model("directory").unwrap().to_json().clone();
        for pointer in
            ["/properties/things/uriVariables", "/actions/retrieveThing/uriVariables", "/actions/retrieveThing/output"]
        {
            assert_eq!(ours.pointer(pointer), published.pointer(pointer), "{pointer}");
        }
        assert_eq!(ours["properties"]["things"]["oneOf"], published["properties"]["things"]["oneOf"]);
        assert_eq!(ours["@type"], published["@type"]);
        assert_eq!(ours["@context"], published["@context"]);
    }

    #[test]
    fn a_large_document_is_refused_without_a_list() {
        let many: Map<String, Value> = (0..20_000).map(|n| (n.to_string(), json!({ "forms": [] }))).collect();
        let errors = check_td(&thing(&json!({ "properties": many }))).unwrap_err();
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, ""));
    }

    #[test]
    fn the_pinned_schemas_compile() {
        assert_eq!(TD_VALIDATOR.as_ref().err(), None);
        assert_eq!(TM_VALIDATOR.as_ref().err(), None);
    }
}
