//! `DataSchema`: what a value may be (TD 1.1 section 5.3.2).
//!
//! The members that the gateway reads are typed; every other one is kept in `other`. Checking values is the
//! [`Validator`](crate::Validator)'s matter, not this file's.

use serde_json::{Map, Number, Value};

use crate::TdError;
use crate::member::{Member, Named, OneOrMany, Rest};
use crate::object::object;
use crate::pointer::At;

object! {
    /// What a value may be.
    pub struct DataSchema {
        /// `@type`: semantic types.
        pub semantic_type: Option<OneOrMany<String>> = "@type",
        /// A title for people.
        pub title: Option<String> = "title",
        /// Titles by language.
        pub titles: Option<Named<String>> = "titles",
        /// A sentence for people.
        pub description: Option<String> = "description",
        /// Descriptions by language.
        pub descriptions: Option<Named<String>> = "descriptions",
        /// The JSON type; absent: any.
        pub kind: Option<SchemaType> = "type",
        /// The only value.
        pub constant: Option<Value> = "const",
        /// The value that is assumed when none is given.
        pub default: Option<Value> = "default",
        /// Unit of a quantity, as a term of a vocabulary.
        pub unit: Option<String> = "unit",
        /// Exactly one of these has to accept the value.
        pub one_of: Option<Vec<DataSchema>> = "oneOf",
        /// The values that are allowed.
        pub choices: Option<Vec<Value>> = "enum",
        /// Whether it can be read only; absent: false.
        pub read_only: Option<bool> = "readOnly",
        /// Whether it can be written only; absent: false.
        pub write_only: Option<bool> = "writeOnly",
        /// A format name; the gateway checks none.
        pub format: Option<String> = "format",
        /// Array: what each element, or each place, may be.
        pub items: Option<Items> = "items",
        /// Array: fewest elements.
        pub min_items: Option<Number> = "minItems",
        /// Array: most elements.
        pub max_items: Option<Number> = "maxItems",
        /// Number: least value.
        pub minimum: Option<Number> = "minimum",
        /// Number: greatest value.
        pub maximum: Option<Number> = "maximum",
        /// Number: it is greater than this.
        pub exclusive_minimum: Option<Number> = "exclusiveMinimum",
        /// Number: it is less than this.
        pub exclusive_maximum: Option<Number> = "exclusiveMaximum",
        /// Number: it is a multiple of this.
        pub multiple_of: Option<Number> = "multipleOf",
        /// String: fewest characters.
        pub min_length: Option<Number> = "minLength",
        /// String: most characters.
        pub max_length: Option<Number> = "maxLength",
        /// String: a regular expression that matches somewhere.
        pub pattern: Option<String> = "pattern",
        /// String: how bytes are encoded in it, such as `base64`.
        pub content_encoding: Option<String> = "contentEncoding",
        /// String: media type of the content.
        pub content_media_type: Option<String> = "contentMediaType",
        /// Object: what its members may be.
        pub properties: Named<DataSchema> = "properties",
        /// Object: the members that it must have.
        pub required: Option<Vec<String>> = "required",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

impl DataSchema {
    /// A schema that accepts values of one type.
    #[must_use]
    pub fn of(kind: SchemaType) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    /// Whether a value is bytes in a media type (`contentMediaType` without `contentEncoding`, or with base64) rather
    /// than JSON.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        self.content_media_type.as_deref().is_some_and(|media| media != "application/json")
    }
}

impl Rest for DataSchema {
    fn read_rest(&mut self, members: Map<String, Value>, at: &At<'_>) -> Result<(), TdError> {
        *self = Self::from_members(members, at)?;
        Ok(())
    }

    fn write_rest(&self, into: &mut Map<String, Value>) {
        self.write_members(into);
    }
}

/// The JSON types of TD 1.1 section 5.3.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaType {
    /// `boolean`
    Boolean,
    /// `integer`
    Integer,
    /// `number`
    Number,
    /// `string`
    String,
    /// `object`
    Object,
    /// `array`
    Array,
    /// `null`
    Null,
}

impl SchemaType {
    const ALL: [Self; 7] =
        [Self::Boolean, Self::Integer, Self::Number, Self::String, Self::Object, Self::Array, Self::Null];

    /// The word in a TD.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
            Self::Null => "null",
        }
    }
}

impl Member for SchemaType {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        let name = String::from_json(value, at)?;
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| at.wrong("must be boolean, integer, number, string, object, array or null"))
    }

    fn to_json(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

/// What the elements of an array may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    /// One schema for every element.
    Each(Box<DataSchema>),
    /// One schema per place.
    Places(Vec<DataSchema>),
}

impl Member for Items {
    fn from_json(value: Value, at: &At<'_>) -> Result<Self, TdError> {
        if value.is_array() {
            return Vec::from_json(value, at).map(Self::Places);
        }
        DataSchema::from_json(value, at).map(|schema| Self::Each(Box::new(schema)))
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Each(schema) => schema.to_json(),
            Self::Places(schemas) => schemas.to_json(),
        }
    }
}
