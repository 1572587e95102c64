//! What schemas accept and refuse, and that none of it is slow, deep or talkative.
//!
//! The table has a line for each keyword; the tests after it are about what a hostile schema or value may try.

use serde_json::{Value, json};

use super::Validator;
use crate::{DESCRIPTION_BYTES_MAX, DataSchema, FIELD_ERRORS_MAX, TdError};

fn compile(schema: Value) -> Result<Validator, TdError> {
    Validator::compile(&DataSchema::from_value(schema)?)
}

fn array(values: Value) -> Vec<Value> {
    let Value::Array(values) = values else { panic!("cases are arrays") };
    values
}

#[test]
fn each_keyword_accepts_and_refuses() {
    // Schema, accepted, refused.
    let table = json!([
        [{}, [null, 1, "a", [], {}], []],
        [{ "type": "boolean" }, [true, false], [0, "true", null]],
        [{ "type": "integer" }, [0, -3, 4.0, 9007199254740993_u64], [0.5, "1", true]],
        [{ "type": "number" }, [0, 1.5, -1e300], ["1", null]],
        [{ "type": "string" }, ["", "ä"], [1, ["a"]]],
        [{ "type": "null" }, [null], [0, false, ""]],
        [{ "type": "object" }, [{}], [[], null]],
        [{ "type": "array" }, [[]], [{}, ""]],
        [{ "const": { "a": 1 } }, [{ "a": 1 }, { "a": 1.0 }], [{ "a": 2 }, { "a": 1, "b": 2 }]],
        [{ "const": null }, [null], [0]],
        [{ "enum": ["on", "off", 1] }, ["on", 1], ["ON", 2, null]],
        [{ "oneOf": [{ "type": "integer" }, { "minimum": 5 }] }, [1, 5.5], [7, 1.5]],
        [{ "minimum": 0, "maximum": 10 }, [0, 10, "text is not compared"], [-0.1, 10.1]],
        [{ "exclusiveMinimum": 0, "exclusiveMaximum": 10 }, [0.1, 9.9], [0, 10]],
        [{ "multipleOf": 0.1 }, [0.3, 7], [0.25]],
        [{ "minLength": 2, "maxLength": 3 }, ["ää", "abc"], ["ä", "abcd"]],
        [{ "pattern": "^[a-z]+$" }, ["abc"], ["aBc", ""]],
        [{ "minItems": 1, "maxItems": 2 }, [[1], [1, 2]], [[], [1, 2, 3]]],
        [{ "items": { "type": "number" } }, [[], [1, 2.5]], [["1"], [1, null]]],
        [{ "items": [{ "type": "string" }, { "type": "number" }] }, [["a", 1], ["a"], ["a", 1, true]], [[1, 1]]],
        [{ "properties": { "a": { "type": "number" } }, "required": ["a"] }, [{ "a": 1 }, { "a": 1, "b": "x" }], [{}, { "a": "1" }]]
    ]);
    for case in array(table) {
        let [schema, accepted, refused] = <[Value; 3]>::try_from(array(case)).unwrap();
        let validator = compile(schema.clone()).unwrap();
        for value in array(accepted) {
            assert!(validator.accepts(&value) && validator.check(&value).is_ok(), "{schema} accepts {value}");
        }
        for value in array(refused) {
            assert!(!validator.accepts(&value) && validator.check(&value).is_err(), "{schema} refuses {value}");
        }
    }
}

#[test]
fn what_is_no_keyword_of_a_data_schema_has_no_effect() {
    let schema = json!({
        "$ref": "https://elsewhere.example/schema.json",
        "$id": "urn:x",
        "$schema": "urn:no-such-draft",
        "format": "email",
        "readOnly": true,
        "unit": "x",
        "not": {},
        "allOf": [false],
        "additionalProperties": false,
        "contentMediaType": "application/json",
        "contentEncoding": "base64",
        "properties": { "$ref": { "$ref": "#/nowhere", "type": "string", "format": "date-time" }, "enum": {} },
        "oneOf": [{ "$ref": "#/nowhere", "properties": { "n": { "not": {}, "const": { "$ref": "#/nowhere" } } } }]
    });
    let validator = compile(schema).unwrap();
    assert!(validator.accepts(&json!({ "$ref": "no date", "other": 1, "n": { "$ref": "#/nowhere" } })));
    assert!(!validator.accepts(&json!({ "$ref": 1 })), "a property may be called $ref");
    assert!(!validator.accepts(&json!({ "n": 1 })));
}

#[test]
fn errors_name_their_place_and_do_not_repeat_the_value() {
    let validator = compile(json!({
        "type": "object",
        "properties": { "a/b": { "type": "array", "items": { "type": "number", "maximum": 5 } } },
        "required": ["c"]
    }))
    .unwrap();
    let errors = validator.check(&json!({ "a/b": [1, "secret", 6] })).unwrap_err();
    let mut fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["", "/a~1b/1", "/a~1b/2"]);
    assert!(errors.iter().all(|error| !error.description.contains("secret")), "{errors:?}");
    assert!(errors.iter().any(|error| error.description.contains("\"c\" is a required")), "{errors:?}");
    let error = serde_json::to_value(&errors[0]).unwrap();
    assert!(error["field"].is_string() && error["description"].is_string());
}

#[test]
fn errors_are_bounded_in_number_and_length() {
    let validator = compile(json!({ "items": { "enum": ["long".repeat(1000)] } })).unwrap();
    let errors = validator.check(&json!(vec![0; 500])).unwrap_err();
    assert_eq!(errors.len(), FIELD_ERRORS_MAX);
    assert!(errors.iter().all(|error| error.description.len() <= DESCRIPTION_BYTES_MAX + 3));

    let errors = validator.check(&json!(vec![0; 5000])).unwrap_err();
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, ""), "a large value is not explained");
}

#[test]
fn depth_is_limited_in_schemas_and_values() {
    let nested = |depth: usize| (0..depth).fold(json!({ "type": "null" }), |inner, _| json!({ "items": inner }));
    assert!(compile(nested(60)).is_ok());
    assert!(compile(nested(100)).is_err());
    let any = compile(json!({})).unwrap();
    let value = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(any.accepts(&value(64)) && any.check(&value(64)).is_ok());
    assert!(!any.accepts(&value(65)));
    assert!(any.check(&value(65)).unwrap_err()[0].description.contains("nested deeper than 64"));
}

#[test]
fn a_schema_that_cannot_be_compiled_is_refused() {
    let look_around = compile(json!({ "properties": { "p": { "pattern": "(?=a)b" } } })).unwrap_err();
    assert!(matches!(&look_around, TdError::Schema { pointer, .. } if pointer.contains("pattern")), "{look_around:?}");
    for schema in [
        json!({ "pattern": "(" }),
        json!({ "pattern": "(a{1000}){1000}" }),
        json!({ "minLength": -1 }),
        json!({ "multipleOf": 0 }),
        json!({ "oneOf": [] }),
        json!({ "required": ["a", "a"] }),
    ] {
        assert!(matches!(compile(schema.clone()), Err(TdError::Schema { .. })), "{schema}");
    }
    let many: Vec<Value> = vec![json!({ "type": "null" }); 30_000];
    assert!(compile(json!({ "oneOf": many })).unwrap_err().to_string().contains("too large"));
}

#[test]
fn a_schema_as_deep_as_a_document_fits_on_a_small_stack() {
    let deep = (0..60).fold(json!({ "type": "null" }), |inner, _| json!({ "items": inner }));
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let compiled = thread.spawn(move || compile(deep).is_ok());
    assert!(compiled.unwrap().join().unwrap());
}

#[test]
fn a_pattern_takes_time_linear_in_the_text() {
    // A backtracking engine would not come back from this one.
    let validator = compile(json!({ "pattern": "^(a+)+$" })).unwrap();
    assert!(!validator.accepts(&json!(format!("{}b", "a".repeat(50_000)))));
}
