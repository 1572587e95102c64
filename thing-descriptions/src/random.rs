//! Random documents: whatever arrives, nothing panics, nothing is lost and the checks agree with each other.
//!
//! Names and texts are drawn from those that mean something, so that the documents get past the first check.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Number, Value, json};

use crate::{DataSchema, Instance, JsonLimits, SchemaType, Thing, ThingModel, Validator, check_td, parse_json};

/// Names that mean something to the types and to the derivation, and some that do not.
const NAMES: [&str; 24] = [
    "@context",
    "@type",
    "title",
    "id",
    "properties",
    "actions",
    "events",
    "forms",
    "href",
    "op",
    "type",
    "items",
    "oneOf",
    "enum",
    "const",
    "required",
    "pattern",
    "links",
    "rel",
    "tm:ref",
    "tm:optional",
    "tidegate:x",
    "version",
    "",
];

/// Texts of the same sort.
const TEXTS: [&str; 16] = [
    "tm:ThingModel",
    "object",
    "array",
    "number",
    "string",
    "readproperty",
    "tm:extends",
    "tm:submodel",
    "#/properties",
    "#/properties/title",
    "{{A}}",
    "x{{A}}{{",
    "{{B}}",
    "^a+$",
    "a",
    "ä/~0",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![6 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        text().prop_map(Value::String),
    ];
    scalar.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..6).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// Schemas that compile, most of them.
fn schema() -> impl Strategy<Value = Value> {
    let keyword = prop_oneof![
        prop::sample::select(vec!["object", "array", "number", "integer", "string", "boolean", "null"])
            .prop_map(|kind| ("type".to_owned(), json!(kind))),
        any::<i8>().prop_map(|number| ("minimum".to_owned(), json!(number))),
        any::<i8>().prop_map(|number| ("exclusiveMaximum".to_owned(), json!(number))),
        (0..4_u8).prop_map(|length| ("minItems".to_owned(), json!(length))),
        (0..4_u8).prop_map(|length| ("maxLength".to_owned(), json!(length))),
        json_value().prop_map(|value| ("const".to_owned(), value)),
        prop::collection::vec(name(), 0..2).prop_map(|names| ("required".to_owned(), json!(names))),
        text().prop_map(|pattern| ("pattern".to_owned(), json!(pattern))),
        (name(), json_value()),
    ];
    let flat = prop::collection::vec(keyword, 0..3).prop_map(|members| Value::Object(Map::from_iter(members)));
    flat.prop_recursive(4, 24, 4, |inner| {
        (inner.clone(), prop::collection::vec((name(), inner), 1..4)).prop_map(|(items, members)| {
            let one_of: Vec<&Value> = members.iter().map(|(_, schema)| schema).collect();
            json!({ "items": items, "oneOf": one_of, "properties": Map::from_iter(members.clone()) })
        })
    })
}

proptest! {
    #[test]
    fn json_is_parsed_as_it_was_written(value in json_value()) {
        let parsed = parse_json(value.to_string().as_bytes(), JsonLimits::DEFAULT).unwrap();
        prop_assert_eq!(parsed.to_string(), value.to_string());
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let parsed = parse_json(&bytes, JsonLimits::DEFAULT);
        if let Ok(value) = parsed {
            prop_assert_eq!(value, serde_json::from_slice::<Value>(&bytes).unwrap());
        }
    }

    #[test]
    fn a_thing_is_refused_or_written_back_member_by_member(value in json_value()) {
        let mut document = value;
        if let Value::Object(members) = &mut document {
            members.insert("@context".to_owned(), json!("https://www.w3.org/2022/wot/td/v1.1"));
            members.insert("title".to_owned(), json!("T"));
        }
        drop(check_td(&document));
        if let Ok(thing) = Thing::from_value(document.clone()) {
            prop_assert_eq!(thing.to_value().to_string(), document.to_string());
        }
    }

    #[test]
    fn a_data_schema_is_refused_or_written_back_member_by_member(document in schema()) {
        if let Ok(schema) = DataSchema::from_value(document.clone()) {
            prop_assert_eq!(schema.to_value().to_string(), document.to_string());
        }
    }

    #[test]
    fn both_ways_of_checking_a_value_agree(document in schema(), value in json_value()) {
        let Ok(schema) = DataSchema::from_value(document) else { return Ok(()) };
        if let Ok(validator) = Validator::compile(&schema) {
            let errors = validator.check(&value);
            prop_assert_eq!(validator.accepts(&value), errors.is_ok(), "{:?}", errors);
            if let Some(kind) = schema.kind && errors.is_ok() {
                prop_assert_eq!(kind == SchemaType::Object, value.is_object());
            }
        }
    }

    #[test]
    fn a_model_is_refused_or_leaves_nothing_of_a_model(value in json_value()) {
        let mut document = value;
        let Value::Object(members) = &mut document else { return Ok(()) };
        members.insert("@context".to_owned(), json!("https://www.w3.org/2022/wot/td/v1.1"));
        members.insert("@type".to_owned(), json!(["tm:ThingModel"]));
        members.insert("title".to_owned(), json!("{{A}}"));
        let placeholders = Map::from_iter([("A".to_owned(), json!("a")), ("B".to_owned(), json!([1]))]);
        let instance = Instance { placeholders: Some(&placeholders), ..Instance::new("urn:x") };
        if let Ok(thing) = ThingModel::from_value(document).unwrap().instantiate(&instance) {
            let names: Vec<&String> = thing.other.keys().collect();
            prop_assert_eq!(names.iter().find(|name| name.starts_with("tm:") || name.starts_with("tidegate:")), None);
            prop_assert_eq!(thing.title, "a");
        }
    }
}
