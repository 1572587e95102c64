//! Placeholders: `{{NAME}}` in a model's strings (assertions `tm-placeholder-*` of TD 1.1).
//!
//! A string that is one placeholder becomes the given value whatever its type; within a longer string the value must be
//! a string, a number or a boolean. What is filled in is not searched again, so a value cannot smuggle in a placeholder.

use serde_json::{Map, Value};

use crate::TdError;
use crate::pointer::At;

use super::expand::pay;

/// The values that were given, by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placeholders<'a>(pub(super) Option<&'a Map<String, Value>>);

impl Placeholders<'_> {
    /// Fills every string value below `value`; names of members are never placeholders.
    pub(super) fn fill(self, value: &mut Value, at: &At<'_>, cost_left: &mut usize) -> Result<(), TdError> {
        match value {
            Value::String(text) => {
                if let Some(filled) = self.fill_text(text, at, cost_left)? {
                    *value = filled;
                }
                Ok(())
            }
            Value::Array(elements) => {
                let mut numbered = elements.iter_mut().enumerate();
                numbered.try_for_each(|(index, element)| self.fill(element, &at.element(index), cost_left))
            }
            Value::Object(members) => {
                members.iter_mut().try_for_each(|(name, member)| self.fill(member, &at.member(name), cost_left))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    /// What becomes of one string, or nothing when it has no placeholder.
    pub(super) fn fill_text(self, text: &str, at: &At<'_>, cost_left: &mut usize) -> Result<Option<Value>, TdError> {
        if let Some((before, name, after)) = next_placeholder(text)
            && before.is_empty()
            && after.is_empty()
        {
            let value = self.value(name, at)?;
            pay(value, cost_left)?;
            return Ok(Some(value.clone()));
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name, after)) = next_placeholder(rest) {
            filled.push_str(before);
            match self.value(name, at)? {
                Value::String(value) => filled.push_str(value),
                value @ (Value::Number(_) | Value::Bool(_)) => filled.push_str(&value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(at.wrong(format!("the value of {{{{{name}}}}} does not fit into a string")));
                }
            }
            *cost_left =
                cost_left.checked_sub(filled.len()).ok_or_else(|| at.wrong("the placeholders' values are too long"))?;
            rest = after;
        }
        if filled.is_empty() && rest.len() == text.len() {
            return Ok(None);
        }
        filled.push_str(rest);
        Ok(Some(Value::String(filled)))
    }

    fn value(&self, name: &str, at: &At<'_>) -> Result<&Value, TdError> {
        let value = self.0.and_then(|values| values.get(name));
        value.ok_or_else(|| at.missing(format!("a value for the placeholder {{{{{name}}}}}")))
    }
}

/// Splits a string at its first placeholder: before, name, after. A name is one or more printable ASCII characters.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    let printable = !name.is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    printable.then_some((before, name, after))
}
