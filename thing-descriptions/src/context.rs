//! `@context`: the vocabularies of a description (TD 1.1 section 5.3.1.1, rules on `@context`).
//!
//! The entries stay JSON, in order. No context is ever fetched: the words that the gateway knows are in
//! [`vocabulary`](crate::vocabulary).

use serde_json::{Map, Value};

use crate::TdError;
use crate::member::Member;
use crate::pointer::At;
use crate::vocabulary::{CONTEXT_V1, CONTEXT_V1_1};

/// IRIs and prefix maps, in order, as they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Context(Value);

impl Default for Context {
    /// TD 1.1 alone.
    fn default() -> Self {
        Self(CONTEXT_V1_1.into())
    }
}

impl Context {
    /// The same vocabularies with TD 1.0 first and TD 1.1 second: consumers that were built for 1.0 understand it, and
    /// those for 1.1 know it as theirs (TD 1.1 section 5.3.1.1).
    #[must_use]
    pub fn with_v1(&self) -> Self {
        let ours = [Value::from(CONTEXT_V1), Value::from(CONTEXT_V1_1)];
        let others = self.entries().iter().filter(|entry| !ours.contains(entry)).cloned();
        Self(ours.iter().cloned().chain(others).collect())
    }

    /// The entries: IRIs as strings, prefixes as objects.
    #[must_use]
    pub fn entries(&self) -> &[Value] {
        if let Value::Array(entries) = &self.0 { entries } else { std::slice::from_ref(&self.0) }
    }

    /// Adds a prefix, such as [`HTV`](crate::vocabulary::HTV), unless it is there.
    pub fn add_prefix(&mut self, (prefix, namespace): (&str, &str)) {
        if self.entries().iter().any(|entry| entry.get(prefix).is_some()) {
            return;
        }
        self.push(Value::Object(Map::from_iter([(prefix.to_owned(), namespace.into())])));
    }

    /// Adds a vocabulary, unless it is there.
    pub fn add(&mut self, iri: &str) {
        if !self.entries().iter().any(|entry| entry == iri) {
            self.push(iri.into());
        }
    }

    fn push(&mut self, entry: Value) {
        let mut entries = self.entries().to_vec();
        entries.push(entry);
        self.0 = Value::Array(entries);
    }
}

impl Member for Context {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        let context = Self(value);
        let sound = |entry: &Value| entry.is_string() || entry.is_object();
        if context.entries().iter().all(sound) {
            return Ok(context);
        }
        Err(at.wrong("must be IRIs and objects of prefixes"))
    }

    fn to_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::vocabulary::HTV;

    fn context(value: Value) -> Result<Context, TdError> {
        Context::from_json(value, &At::Root)
    }

    #[test]
    fn both_versions_come_first_whatever_was_there() {
        let both = json!([CONTEXT_V1, CONTEXT_V1_1]);
        for value in [json!(CONTEXT_V1_1), json!(CONTEXT_V1), json!([CONTEXT_V1_1]), both.clone()] {
            assert_eq!(context(value).unwrap().with_v1().to_json(), Some(both.clone()));
        }
        let extended = context(json!([CONTEXT_V1_1, { "x": "urn:x#" }])).unwrap().with_v1();
        assert_eq!(extended.to_json(), Some(json!([CONTEXT_V1, CONTEXT_V1_1, { "x": "urn:x#" }])));
    }

    #[test]
    fn vocabularies_are_added_once() {
        let mut context = Context::default();
        for _ in 0..2 {
            context.add("urn:a");
            context.add_prefix(HTV);
        }
        let expected = json!([CONTEXT_V1_1, "urn:a", { "htv": "http://www.w3.org/2011/http#" }]);
        assert_eq!(context.to_json(), Some(expected));
    }

    #[test]
    fn what_is_no_context_is_refused() {
        for value in [json!(1), json!([null]), json!([["urn:a"]])] {
            assert!(context(value.clone()).is_err(), "{value}");
        }
    }
}
