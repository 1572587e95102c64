//! Values: shown to people with their unit, and read from the command line as their `DataSchema` wants them.

use serde_json::{Map, Value};
use thing_descriptions::{DataSchema, SchemaType, Validator};

use super::{Exit, Failure};
use crate::config::nearest;

/// Signs of the units that our Things use; of any other unit its name is shown.
const SIGNS: [(&str, &str); 14] = [
    ("DEG_C", "°C"),
    ("PERCENT", "%"),
    ("PERCENT_RH", "% RH"),
    ("HectoPA", "hPa"),
    ("PA", "Pa"),
    ("SEC", "s"),
    ("MilliSEC", "ms"),
    ("MicroSEC", "µs"),
    ("BYTE", "B"),
    ("HZ", "Hz"),
    ("LUX", "lx"),
    ("V", "V"),
    ("A", "A"),
    ("W", "W"),
];

/// The sign of a unit: `qudt:DEG_C` is `°C`.
pub(super) fn unit(name: &str) -> &str {
    let term = name.rsplit([':', '/', '#']).next().unwrap_or(name);
    SIGNS.iter().find(|(known, _)| *known == term).map_or(term, |(_, sign)| sign)
}

/// A value on one line: text without quotes, the rest as JSON, with the unit of a quantity.
pub(super) fn shown(value: &Value, schema: Option<&DataSchema>) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match schema.and_then(|schema| schema.unit.as_deref()) {
        Some(name) if value.is_number() => format!("{text} {}", unit(name)),
        _ => text,
    }
}

/// What a schema allows, in a few words: `integer 0..100 %`, `on | off`.
pub(super) fn allowed(schema: &DataSchema) -> String {
    if let Some(choices) = &schema.choices {
        return choices.iter().map(|choice| shown(choice, None)).collect::<Vec<_>>().join(" | ");
    }
    let kind = schema.kind.map_or("any", SchemaType::as_str);
    let range = match (&schema.minimum, &schema.maximum) {
        (Some(least), Some(greatest)) => format!(" {least}..{greatest}"),
        (Some(least), None) => format!(" from {least}"),
        (None, Some(greatest)) => format!(" to {greatest}"),
        (None, None) => String::new(),
    };
    let sign = schema.unit.as_deref().map(|name| format!(" {}", unit(name))).unwrap_or_default();
    format!("{kind}{range}{sign}")
}

/// The members of an object that is wanted: `to=integer 0..100 %, [duration=..]`; those in brackets may be left out.
pub(super) fn members(schema: &DataSchema) -> String {
    let required = schema.required.as_deref().unwrap_or_default();
    let member = |(name, schema): (&String, &DataSchema)| match required.contains(name) {
        true => format!("{name}=<{}>", allowed(schema)),
        false => format!("[{name}=<{}>]", allowed(schema)),
    };
    schema.properties.iter().map(member).collect::<Vec<_>>().join(" ")
}

/// A value as typed: JSON, or a bare word or number where the schema says what it is.
pub(super) fn typed(text: &str, schema: &DataSchema) -> Result<Value, Failure> {
    let json = serde_json::from_str::<Value>(text);
    let value = match (schema.kind, json) {
        (Some(SchemaType::String), Ok(Value::String(quoted))) => Value::String(quoted),
        (Some(SchemaType::String), _) => Value::String(text.to_owned()),
        (Some(SchemaType::Boolean), _) if ["on", "yes"].contains(&text) => Value::Bool(true),
        (Some(SchemaType::Boolean), _) if ["off", "no"].contains(&text) => Value::Bool(false),
        (_, Ok(value)) => value,
        (None, Err(_)) => Value::String(text.to_owned()),
        (Some(SchemaType::Object | SchemaType::Array), Err(error)) => {
            return Err(Failure::caused(Exit::Usage, "the value is no JSON", &error)
                .with_hint(format!("wanted: {}; a shell needs quotes around JSON", allowed(schema))));
        }
        // The schema says what is wrong with it.
        (Some(_), Err(_)) => Value::String(text.to_owned()),
    };
    Ok(value)
}

/// An action's input as typed: one JSON document, one bare value, or `key=value` for each member.
pub(super) fn input(words: &[String], schema: Option<&DataSchema>) -> Result<Option<Value>, Failure> {
    let Some(schema) = schema else {
        return match words {
            [] => Ok(None),
            _ => Err(Failure::new(Exit::Usage, "this action takes no input").with_hint("leave it out")),
        };
    };
    let is_object = schema.kind == Some(SchemaType::Object);
    match words {
        [] if is_object && schema.required.as_ref().is_none_or(Vec::is_empty) => Ok(None),
        [] => Err(Failure::new(Exit::Usage, "this action wants an input").with_hint(wanted(schema))),
        [word] if !is_object => typed(word, schema).map(Some),
        [word] if word.trim_start().starts_with('{') => typed(word, schema).map(Some),
        words if is_object => pairs(words, schema).map(Some),
        _ => Err(Failure::new(Exit::Usage, "this action takes one value").with_hint(wanted(schema))),
    }
}

fn wanted(schema: &DataSchema) -> String {
    match schema.kind {
        Some(SchemaType::Object) => format!("wanted: {}", members(schema)),
        _ => format!("wanted: {}", allowed(schema)),
    }
}

fn pairs(words: &[String], schema: &DataSchema) -> Result<Value, Failure> {
    let mut members = Map::new();
    let mut wrong = Vec::new();
    for word in words {
        let Some((name, text)) = word.split_once('=') else {
            wrong.push(format!("`{word}` is no `name=value`"));
            continue;
        };
        let Some(member) = schema.properties.get(name) else {
            let near = nearest(name, schema.properties.keys().map(String::as_str));
            wrong.push(format!(
                "{name}: there is no such member{}",
                near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
            ));
            continue;
        };
        match typed(text, member) {
            Ok(value) => {
                if members.insert(name.to_owned(), value).is_some() {
                    wrong.push(format!("{name}: given twice"));
                }
            }
            Err(failure) => wrong.push(format!("{name}: {}", failure.sentence())),
        }
    }
    match wrong.is_empty() {
        true => Ok(Value::Object(members)),
        false => {
            Err(Failure { causes: wrong, ..Failure::new(Exit::Usage, "the input is wrong") }.with_hint(wanted(schema)))
        }
    }
}

/// Checks a value before it is sent. A schema that cannot be compiled leaves that to the gateway.
pub(super) fn check(value: &Value, schema: &DataSchema, what: &str) -> Result<(), Failure> {
    let Ok(validator) = Validator::compile(schema) else { return Ok(()) };
    let Err(errors) = validator.check(value) else { return Ok(()) };
    let causes = errors.iter().map(|error| match error.field.trim_start_matches('/') {
        "" => error.description.clone(),
        field => format!("{field}: {}", error.description),
    });
    Err(Failure { causes: causes.collect(), ..Failure::new(Exit::Usage, format!("{what} does not fit its schema")) }
        .with_hint(wanted(schema)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: Value) -> DataSchema {
        DataSchema::from_value(value).unwrap()
    }

    fn fade() -> DataSchema {
        schema(json!({"type": "object", "required": ["to"], "properties": {
            "to": {"type": "integer", "minimum": 0, "maximum": 100, "unit": "qudt:PERCENT"},
            "label": {"type": "string"}, "deep": {"type": "object"}}}))
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_word_is_what_the_schema_says() {
        let rows = [
            ("string", "21", json!("21")),
            ("string", "\"a b\"", json!("a b")),
            ("string", "{x", json!("{x")),
            ("boolean", "true", json!(true)),
            ("boolean", "off", json!(false)),
            ("integer", "-5", json!(-5)),
            ("number", "1.5e3", json!(1.5e3)),
            ("array", "[1]", json!([1])),
            ("null", "null", Value::Null),
        ];
        for (kind, text, expected) in rows {
            assert_eq!(typed(text, &schema(json!({"type": kind}))).unwrap(), expected, "{kind} {text}");
        }
        assert_eq!(typed("eco", &schema(json!({}))).unwrap(), "eco");
        assert_eq!(typed("{x", &fade()).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn an_input_is_json_or_pairs_and_every_wrong_field_is_named() {
        let fade = fade();
        let of = |given: &[&str]| input(&words(given), Some(&fade));
        assert_eq!(of(&["to=50", "label=7"]).unwrap(), Some(json!({"to": 50, "label": "7"})));
        assert_eq!(of(&["{\"to\": 5}"]).unwrap(), Some(json!({"to": 5})));
        let failure = of(&["too=5", "label", "to=1", "to=2", "deep=x"]).unwrap_err();
        assert_eq!(failure.causes.len(), 4, "{failure:?}");
        assert!(failure.causes[0].contains("did you mean `to`?"));
        assert_eq!(failure.hint.as_deref(), Some("wanted: to=<integer 0..100 %> [label=<string>] [deep=<object>]"));
        assert!(of(&[]).unwrap_err().what.contains("wants an input"));
        assert!(input(&words(&["x"]), None).is_err() && input(&[], None).unwrap().is_none());
        let failure = check(&json!({"to": 150, "label": 3}), &fade, "the input").unwrap_err();
        assert_eq!(failure.causes.len(), 2, "{failure:?}");
        assert!(failure.causes.iter().any(|cause| cause.starts_with("to: ")), "{failure:?}");
    }

    #[test]
    fn people_see_units_and_ranges() {
        let degrees = schema(json!({"type": "number", "unit": "qudt:DEG_C"}));
        assert_eq!(shown(&json!(21.5), Some(&degrees)), "21.5 °C");
        assert_eq!(shown(&json!("on"), None), "on");
        assert_eq!(unit("http://qudt.org/vocab/unit/FURLONG"), "FURLONG");
        assert_eq!(allowed(&schema(json!({"enum": ["eco", 1]}))), "eco | 1");
        assert_eq!(allowed(&schema(json!({"type": "integer", "minimum": 0}))), "integer from 0");
    }
}
