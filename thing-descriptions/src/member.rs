//! How one member of a description is read from JSON and written back.
//!
//! Reading keeps the place for the error; writing gives back what was read: a string stays a string where an array
//! would do, an integer an integer.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use crate::TdError;
use crate::pointer::At;

/// Members by name, in the order of the document.
pub type Named<T> = IndexMap<String, T>;

/// A type that can be the value of a member.
pub(crate) trait Member: Sized {
    /// Whether an object without the member is refused.
    const MANDATORY: bool = true;

    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError>;

    /// The JSON, or nothing when the member is absent.
    fn to_json(&self) -> Option<Value>;

    /// Whether the member holds nothing, and is written only if the document had it.
    fn is_vacant(&self) -> bool {
        false
    }
}

impl<T: Member> Member for Option<T> {
    const MANDATORY: bool = false;

    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        T::from_json(value, at).map(Some)
    }

    fn to_json(&self) -> Option<Value> {
        self.as_ref().and_then(T::to_json)
    }
}

impl<T: Member> Member for Vec<T> {
    const MANDATORY: bool = false;

    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        at.check_depth()?;
        let Value::Array(elements) = value else { return Err(at.wrong("must be an array")) };
        elements.into_iter().enumerate().map(|(index, value)| T::from_json(value, &at.element(index))).collect()
    }

    fn to_json(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(T::to_json).collect()))
    }

    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Member> Member for Named<T> {
    const MANDATORY: bool = false;

    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        at.check_depth()?;
        let Value::Object(members) = value else { return Err(at.wrong("must be an object")) };
        let mut named = Self::with_capacity(members.len());
        for (name, value) in members {
            let member = T::from_json(value, &at.member(&name))?;
            named.insert(name, member);
        }
        Ok(named)
    }

    fn to_json(&self) -> Option<Value> {
        let members = self.iter().filter_map(|(name, member)| Some((name.clone(), member.to_json()?)));
        Some(Value::Object(members.collect()))
    }

    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
}

impl Member for Value {
    fn from_json(value: Value, _: &At<'_>) -> Result<Self, TdError> {
        Ok(value)
    }

    fn to_json(&self) -> Option<Value> {
        Some(self.clone())
    }
}

impl Member for String {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        if let Value::String(text) = value { Ok(text) } else { Err(at.wrong("must be a string")) }
    }

    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Member for bool {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        value.as_bool().ok_or_else(|| at.wrong("must be true or false"))
    }

    fn to_json(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
}

impl Member for Number {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        if let Value::Number(number) = value { Ok(number) } else { Err(at.wrong("must be a number")) }
    }

    fn to_json(&self) -> Option<Value> {
        Some(Value::Number(self.clone()))
    }
}

/// A member that may be one value or an array of them (`op`, `@type`, `security`).
#[derive(Clone, Debug, PartialEq)]
pub enum OneOrMany<T> {
    /// A bare value.
    One(T),
    /// An array.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values, however they were written.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Many(values)
    }
}

impl From<&str> for OneOrMany<String> {
    fn from(value: &str) -> Self {
        Self::One(value.to_owned())
    }
}

impl<T: Member> Member for OneOrMany<T> {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        if value.is_array() {
            Vec::from_json(value, at).map(Self::Many)
        } else {
            T::from_json(value, at).map(Self::One)
        }
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            Self::One(value) => value.to_json(),
            Self::Many(values) => values.to_json(),
        }
    }
}

/// What an object holds beyond its named members: unknown ones as they are, or a `DataSchema` that shares the object.
pub(crate) trait Rest: Sized {
    fn read_rest(&mut self, members: Map<String, Value>, at: &At<'_>) -> Result<(), TdError>;
    fn write_rest(&self, into: &mut Map<String, Value>);
}

impl Rest for Map<String, Value> {
    fn read_rest(&mut self, members: Map<String, Value>, _: &At<'_>) -> Result<(), TdError> {
        *self = members;
        Ok(())
    }

    fn write_rest(&self, into: &mut Map<String, Value>) {
        for (name, value) in self {
            if !into.contains_key(name) {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}
