//! JSON from outside: length, nesting and repeated members are checked while it is parsed.
//!
//! Nothing deeper or longer than the limits is ever built, so whoever walks the result may recurse.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::pointer::At;
use crate::{JsonLimits, TdError};

/// Parses one JSON document.
///
/// # Errors
/// [`TdError::Syntax`] when the bytes are longer than `bytes_max`, nested deeper than `depth_max`, no JSON, or when an
/// object names a member twice (what such an object means depends on the reader: RFC 8259 section 4).
pub fn parse_json(bytes: &[u8], limits: JsonLimits) -> Result<Value, TdError> {
    if bytes.len() > limits.bytes_max {
        let reason = format!("the document is {} bytes long, at most {} are allowed", bytes.len(), limits.bytes_max);
        return Err(TdError::Syntax { pointer: String::new(), reason });
    }
    let place = RefCell::new(String::new());
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let seed = Bounded { depth_left: limits.depth_max, at: &At::Root, place: &place };
    let parsed = seed.deserialize(&mut source).and_then(|value| source.end().map(|()| value));
    parsed.map_err(|error| TdError::Syntax { pointer: place.take(), reason: error.to_string() })
}

/// Whether arrays and objects are nested deeper than `depth_max`; looks no deeper than that.
pub(crate) fn is_deeper(value: &Value, depth_max: usize) -> bool {
    match value {
        Value::Array(elements) => depth_max == 0 || elements.iter().any(|value| is_deeper(value, depth_max - 1)),
        Value::Object(members) => depth_max == 0 || members.values().any(|value| is_deeper(value, depth_max - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Builds one value; `place` keeps the pointer of what was refused, because a serde error cannot carry it.
struct Bounded<'a> {
    depth_left: usize,
    at: &'a At<'a>,
    place: &'a RefCell<String>,
}

impl Bounded<'_> {
    fn descend<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.depth_left.checked_sub(1).ok_or_else(|| {
            self.place.replace(self.at.pointer());
            E::custom("arrays and objects are nested too deeply")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let depth_left = self.descend()?;
        let mut array = Vec::new();
        loop {
            let at = self.at.element(array.len());
            match elements.next_element_seed(Bounded { depth_left, at: &at, place: self.place })? {
                Some(value) => array.push(value),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth_left = self.descend()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let at = self.at.member(&name);
            if object.contains_key(&name) {
                self.place.replace(at.pointer());
                return Err(A::Error::custom("the member is there twice"));
            }
            let value = members.next_value_seed(Bounded { depth_left, at: &at, place: self.place })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<Value, TdError> {
        parse_json(text.as_bytes(), JsonLimits::DEFAULT)
    }

    #[test]
    fn values_are_what_serde_json_makes_of_them() {
        for text in ["null", "true", "-1", "18446744073709551615", "1.5", r#""aä\n""#, r#"{"b":[1,{"a":{}}],"a":[]}"#]
        {
            assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        assert_eq!(parse(r#"{"b":1,"a":2}"#).unwrap().to_string(), r#"{"b":1,"a":2}"#, "order is kept");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "[1,]", "1 2", "nul", "1e999", "\"\u{0}\"", "{\"a\":1,}"] {
            assert!(matches!(parse(text), Err(TdError::Syntax { .. })), "{text}");
        }
        assert!(matches!(parse_json(b"\"\xff\"", JsonLimits::DEFAULT), Err(TdError::Syntax { .. })));
    }

    #[test]
    fn a_mebibyte_of_brackets_is_refused_with_a_reason() {
        let error = parse(&"[".repeat(1024 * 1024)).unwrap_err();
        assert!(error.to_string().contains("nested too deeply"), "{error}");
        assert_eq!(error.pointer(), "/0".repeat(64));
        let error = parse(&"{\"a\":".repeat(200_000)).unwrap_err();
        assert!(error.to_string().contains("nested too deeply"), "{error}");
    }

    #[test]
    fn depth_and_length_limits_are_exact() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(64)).is_ok());
        assert!(parse(&nested(65)).is_err());
        let limits = JsonLimits { bytes_max: 4, depth_max: 0 };
        assert_eq!(parse_json(b"1234", limits).unwrap(), json!(1234));
        assert!(parse_json(b"12345", limits).unwrap_err().to_string().contains("5 bytes"));
        assert!(parse_json(b"[]", limits).is_err());
    }

    #[test]
    fn a_repeated_member_is_refused_at_its_place() {
        let error = parse(r#"{"a":[{"b":1,"b":2}]}"#).unwrap_err();
        assert_eq!(error.pointer(), "/a/0/b");
    }
}
