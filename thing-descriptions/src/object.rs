//! Objects of the TD information model: typed members, the unknown ones kept, the order of the document remembered.
//!
//! `object!` writes the reading and the writing of one such struct, so that the file of a concept is its list of
//! members. Invariant: what was read and not changed is written back member by member, in the same order.

use serde_json::{Map, Value};

use crate::TdError;
use crate::member::Member;
use crate::pointer::At;

/// The names of an object's members as the document had them. Two objects that differ in order alone are equal.
#[derive(Clone, Debug, Default)]
pub struct MemberOrder(Vec<Box<str>>);

impl PartialEq for MemberOrder {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl MemberOrder {
    pub(crate) fn of(members: &Map<String, Value>) -> Self {
        Self(members.keys().map(|name| name.as_str().into()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| **known == *name)
    }

    /// Refuses an object that lacks a mandatory member.
    pub(crate) fn require<T: Member>(&self, name: &str, at: &At<'_>) -> Result<(), TdError> {
        if T::MANDATORY && !self.has(name) { Err(at.member(name).missing("the member")) } else { Ok(()) }
    }

    /// The members in the order of the document; new ones follow as they are.
    pub(crate) fn apply(&self, mut members: Map<String, Value>) -> Map<String, Value> {
        if self.0.is_empty() {
            return members;
        }
        let mut ordered = Map::with_capacity(members.len());
        for name in &self.0 {
            if let Some(value) = members.get_mut(&**name) {
                ordered.insert(name.to_string(), value.take());
            }
        }
        for (name, value) in members {
            if !ordered.contains_key(&name) {
                ordered.insert(name, value);
            }
        }
        ordered
    }

    /// Writes a member unless it is absent, or empty without having been in the document.
    pub(crate) fn put<T: Member>(&self, into: &mut Map<String, Value>, name: &str, member: &T) {
        if member.is_vacant() && !self.has(name) {
            return;
        }
        if let Some(value) = member.to_json() {
            into.insert(name.to_owned(), value);
        }
    }
}

/// Where a typed member goes, whatever its type.
pub(crate) trait Place {
    fn read(&mut self, value: Value, at: &At<'_>) -> Result<(), TdError>;
}

impl<T: Member> Place for T {
    fn read(&mut self, value: Value, at: &At<'_>) -> Result<(), TdError> {
        *self = T::from_json(value, at)?;
        Ok(())
    }
}

/// The members of an object, or an error at its place.
pub(crate) fn members(value: Value, at: &At<'_>) -> Result<Map<String, Value>, TdError> {
    at.check_depth()?;
    if let Value::Object(members) = value { Ok(members) } else { Err(at.wrong("must be an object")) }
}

macro_rules! object {
    ($(#[$about:meta])* pub struct $name:ident {
        $($(#[$doc:meta])* pub $field:ident: $kind:ty = $json:literal,)*
        ..
        $(#[$rest_doc:meta])* pub $rest:ident: $rest_kind:ty,
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $kind,)*
            $(#[$rest_doc])* pub $rest: $rest_kind,
            /// How its members were ordered; the default for a new object.
            pub order: crate::object::MemberOrder,
        }

        impl $name {
            /// Reads it from JSON.
            ///
            /// # Errors
            /// [`TdError`](crate::TdError) with the place of what is missing or of the wrong kind.
            pub fn from_value(value: serde_json::Value) -> Result<Self, crate::TdError> {
                crate::member::Member::from_json(value, &crate::pointer::At::Root)
            }

            /// The JSON, members in the order in which they were read.
            #[must_use]
            pub fn to_value(&self) -> serde_json::Value {
                let mut members = serde_json::Map::new();
                self.write_members(&mut members);
                serde_json::Value::Object(self.order.apply(members))
            }

            fn from_members(
                members: serde_json::Map<String, serde_json::Value>,
                at: &crate::pointer::At<'_>,
            ) -> Result<Self, crate::TdError> {
                let order = crate::object::MemberOrder::of(&members);
                $(order.require::<$kind>($json, at)?;)*
                // On the heap and member by member: schemas nest, and a frame with all of them would be large.
                let mut object = Box::new(Self { order, ..Self::default() });
                let mut rest = serde_json::Map::new();
                for (name, value) in members {
                    let place: &mut dyn crate::object::Place = match name.as_str() {
                        $($json => &mut object.$field,)*
                        _ => {
                            rest.insert(name, value);
                            continue;
                        }
                    };
                    place.read(value, &at.member(&name))?;
                }
                crate::member::Rest::read_rest(&mut object.$rest, rest, at)?;
                Ok(*object)
            }

            fn write_members(&self, into: &mut serde_json::Map<String, serde_json::Value>) {
                $(self.order.put(into, $json, &self.$field);)*
                crate::member::Rest::write_rest(&self.$rest, into);
            }
        }

        impl crate::member::Member for $name {
            fn from_json(value: serde_json::Value, at: &crate::pointer::At<'_>) -> Result<Self, crate::TdError> {
                Self::from_members(crate::object::members(value, at)?, at)
            }

            fn to_json(&self) -> Option<serde_json::Value> {
                Some(self.to_value())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                self.to_value().serialize(out)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(source)?;
                Self::from_value(value).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use object;
