//! Values: what crosses between a handler and its gateway, and how Rust's own types become them.
//!
//! A scalar keeps its type, media stay bytes, and everything compound is JSON text. A conversion never guesses: a
//! value of another kind, or out of range, is a [`Fault::Invalid`] that says what was wanted.

pub use crate::bindings::tidegate::thing::types::{Binary, Value};
use crate::{Fault, json};
use serde::{Serialize, de::DeserializeOwned};

impl Value {
    /// Any serializable value as JSON text; for objects and arrays.
    ///
    /// # Errors
    /// [`Fault::Failed`] when the value has no JSON form (a map whose keys are no strings).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Fault> {
        serde_json::to_string(value).map(Self::Json).map_err(|error| Fault::Failed(error.to_string()))
    }

    /// One member of an object; [`Value::Null`] when it is not there, or this is no object. For an input of a few
    /// scalars it is all that is needed, at a fraction of the code of [`Value::parse`].
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        if let Self::Json(text) = self { json::member(text, name).unwrap_or(Self::Null) } else { Self::Null }
    }

    /// This value as a deserializable type: the input of an action, an object that was written.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the value does not have the shape of `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let parsed = match self {
            Self::Json(text) => serde_json::from_str(text),
            Self::Null => serde_json::from_str("null"),
            Self::Boolean(boolean) => T::deserialize(serde_json::Value::from(*boolean)),
            Self::Integer(integer) => T::deserialize(serde_json::Value::from(*integer)),
            Self::Number(number) => T::deserialize(serde_json::Value::from(*number)),
            Self::Text(text) => T::deserialize(serde_json::Value::from(text.as_str())),
            Self::Binary(_) => return Err(Fault::invalid("JSON is wanted, not media")),
        };
        parsed.map_err(|error| Fault::Invalid(error.to_string()))
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}
from!(bool => Boolean, i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer, u8 => Integer, u16 => Integer,
    u32 => Integer, f32 => Number, f64 => Number, &str => Text, String => Text);

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

/// Beyond 2^53 an integer is no longer exact in every JSON reader; beyond `i64::MAX` it becomes a number.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(
            |_| {
                // 2^63 and above: the nearest f64 is what JSON readers would make of it anyway.
                let (high, low) = ((value >> 32) as u32, (value & 0xffff_ffff) as u32);
                Self::Number(f64::from(high) * 4_294_967_296.0 + f64::from(low))
            },
            Self::Integer,
        )
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl TryFrom<Value> for bool {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Boolean(boolean) => Ok(boolean),
            _ => Err(Fault::invalid("a boolean is wanted")),
        }
    }
}

/// A whole number, also when JSON spelled it `1e3` or `5.0`.
impl TryFrom<Value> for i64 {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Integer(integer) => Ok(integer),
            Value::Number(number) => exact(number).ok_or_else(|| Fault::invalid("a whole number is wanted")),
            _ => Err(Fault::invalid("an integer is wanted")),
        }
    }
}

/// The integer that `number` is, if it is one that an `f64` holds exactly (|n| <= 2^53).
fn exact(number: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    (number.is_finite() && number.abs() <= LARGEST && number.trunc() == number).then_some(number as i64)
}

macro_rules! narrow {
    ($($integer:ty),*) => {
        $(impl TryFrom<Value> for $integer {
            type Error = Fault;
            fn try_from(value: Value) -> Result<Self, Fault> {
                i64::try_from(value)?.try_into().map_err(|_| Fault::invalid("this integer is out of range"))
            }
        })*
    };
}
narrow!(i8, i16, i32, u8, u16, u32, u64, usize);

impl TryFrom<Value> for f64 {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Number(number) => Ok(number),
            #[expect(clippy::cast_precision_loss, reason = "what a JSON reader would do with the same digits")]
            Value::Integer(integer) => Ok(integer as Self),
            _ => Err(Fault::invalid("a number is wanted")),
        }
    }
}

impl TryFrom<Value> for String {
    type Error = Fault;
    fn try_from(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(Fault::invalid("a text is wanted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_go_there_and_back() {
        assert_eq!(u32::try_from(Value::from(7_u32)), Ok(7));
        assert_eq!(bool::try_from(Value::from(true)), Ok(true));
        assert_eq!(f64::try_from(Value::from(85_i32)), Ok(85.0));
        assert_eq!(String::try_from(Value::from("text")), Ok("text".into()));
        assert_eq!(Value::from(None::<f64>), Value::Null);
    }

    #[test]
    fn an_integer_may_be_spelled_as_a_number_but_not_be_a_fraction() {
        assert_eq!(i64::try_from(Value::Number(1e3)), Ok(1_000));
        assert!(i64::try_from(Value::Number(0.5)).is_err());
        assert!(i64::try_from(Value::Number(f64::NAN)).is_err());
        assert!(i64::try_from(Value::Number(1e300)).is_err());
        assert!(u8::try_from(Value::Integer(256)).is_err());
        assert!(u32::try_from(Value::Integer(-1)).is_err());
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        assert_eq!(bool::try_from(Value::Integer(1)), Err(Fault::invalid("a boolean is wanted")));
        assert!(String::try_from(Value::Null).is_err());
        assert!(f64::try_from(Value::Text("1".into())).is_err());
    }

    #[test]
    fn json_is_text_and_parses_back() {
        let value = Value::json(&[1, 2]).unwrap();
        assert_eq!(value, Value::Json("[1,2]".into()));
        assert_eq!(value.parse::<Vec<i32>>(), Ok(vec![1, 2]));
        assert_eq!(Value::Integer(3).parse::<i32>(), Ok(3));
        assert!(value.parse::<bool>().is_err());
    }

    #[test]
    fn the_largest_u64_becomes_a_number() {
        assert_eq!(Value::from(u64::MAX), Value::Number(18_446_744_073_709_551_616.0));
        assert_eq!(Value::from(1_u64), Value::Integer(1));
    }
}
