//! Thing: the root of a Thing Description (TD 1.1 section 5.3.1.1).
//!
//! A `Thing` is what the types can hold; whether it is a valid TD is for [`check_td`](crate::check_td).

use serde_json::{Map, Value};

use crate::affordance::{ActionAffordance, EventAffordance, PropertyAffordance};
use crate::context::Context;
use crate::data_schema::DataSchema;
use crate::form::Form;
use crate::json::parse_json;
use crate::link::Link;
use crate::member::{Named, OneOrMany};
use crate::object::object;
use crate::security::SecurityScheme;
use crate::{JsonLimits, TdError};

object! {
    /// A Thing Description.
    pub struct Thing {
        /// `@context`: vocabularies.
        pub context: Context = "@context",
        /// `@type`: semantic types.
        pub semantic_type: Option<OneOrMany<String>> = "@type",
        /// Identifier, a URI.
        pub id: Option<String> = "id",
        /// A title for people.
        pub title: String = "title",
        /// Titles by language.
        pub titles: Option<Named<String>> = "titles",
        /// A sentence for people.
        pub description: Option<String> = "description",
        /// Descriptions by language.
        pub descriptions: Option<Named<String>> = "descriptions",
        /// Versions of the Thing and of its model.
        pub version: Option<Version> = "version",
        /// When the TD was made (RFC 3339).
        pub created: Option<String> = "created",
        /// When the TD was changed (RFC 3339).
        pub modified: Option<String> = "modified",
        /// Where its maker is found, a URI.
        pub support: Option<String> = "support",
        /// What relative references are relative to.
        pub base: Option<String> = "base",
        /// Profiles that it keeps.
        pub profile: Option<OneOrMany<String>> = "profile",
        /// Names of the security definitions that hold for every form.
        pub security: Option<OneOrMany<String>> = "security",
        /// Security definitions by name.
        pub security_definitions: Named<SecurityScheme> = "securityDefinitions",
        /// Links to other resources.
        pub links: Vec<Link> = "links",
        /// Forms of the Thing as a whole; each needs `op`.
        pub forms: Option<Vec<Form>> = "forms",
        /// Variables of the hrefs.
        pub uri_variables: Named<DataSchema> = "uriVariables",
        /// Schemas by name, for additional responses.
        pub schema_definitions: Named<DataSchema> = "schemaDefinitions",
        /// Properties by name.
        pub properties: Named<PropertyAffordance> = "properties",
        /// Actions by name.
        pub actions: Named<ActionAffordance> = "actions",
        /// Events by name.
        pub events: Named<EventAffordance> = "events",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

object! {
    /// Versions of a Thing (TD 1.1 section 5.3.1.6).
    pub struct Version {
        /// Version of the Thing Description; a Thing Model has none.
        pub instance: Option<String> = "instance",
        /// Version of the Thing Model.
        pub model: Option<String> = "model",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

impl Thing {
    /// A Thing without affordances and without security.
    #[must_use]
    pub fn new(id: &str, title: &str) -> Self {
        Self { id: Some(id.to_owned()), title: title.to_owned(), ..Self::default() }
    }

    /// Parses a Thing Description within [`JsonLimits::DEFAULT`].
    ///
    /// # Errors
    /// [`TdError`] with the place of what is no JSON, missing or of the wrong kind. It is not checked against the
    /// JSON Schema of the specification.
    pub fn parse(bytes: &[u8]) -> Result<Self, TdError> {
        Self::from_value(parse_json(bytes, JsonLimits::DEFAULT)?)
    }

    /// Makes one security scheme hold for every form, and defines no other.
    pub fn secure(&mut self, name: &str, scheme: SecurityScheme) {
        self.security = Some(name.into());
        self.security_definitions = Named::from([(name.to_owned(), scheme)]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check_td;

    /// A TD that uses every member once, in an order of its own, with unknown members at every level.
    const FULL: &str = include_str!("thing/full.td.json");

    #[test]
    fn a_thing_is_written_back_as_it_was_read() {
        let document: Value = serde_json::from_str(FULL).unwrap();
        assert_eq!(check_td(&document), Ok(()));
        let thing = Thing::parse(FULL.as_bytes()).unwrap();
        assert_eq!(thing.to_value().to_string(), document.to_string(), "members, order and digits are kept");
        let through_serde: Thing = serde_json::from_str(FULL).unwrap();
        assert_eq!(through_serde, thing);
        assert_eq!(serde_json::to_string(&thing).unwrap(), document.to_string());
    }

    #[test]
    fn members_are_where_the_types_say() {
        let thing = Thing::parse(FULL.as_bytes()).unwrap();
        let level = &thing.properties["level"];
        assert!(level.is_observable() && level.is_readable() && level.is_writable());
        assert_eq!(level.schema.maximum.as_ref().map(ToString::to_string).as_deref(), Some("100.0"));
        assert_eq!(level.forms[0].other["htv:methodName"], "GET");
        assert_eq!(thing.properties["nothing"].schema.constant, Some(Value::Null), "a const of null is a const");
        assert_eq!(thing.actions["fill"].synchronous, Some(false));
        assert_eq!(
            thing.security_definitions["any"].one_of.as_deref(),
            Some(&["basic".to_owned(), "bearer".to_owned()][..])
        );
        assert_eq!(thing.security.unwrap().as_slice(), ["any"]);
        assert_eq!(thing.other["x:unknown"], json!({ "kept": [null, 1.50, "yes"] }));
    }

    #[test]
    fn what_was_added_follows_and_what_was_removed_is_gone() {
        let mut thing = Thing::from_value(json!({ "title": "T", "x": 1, "@context": "urn:c", "links": [] })).unwrap();
        assert_eq!(thing.to_value().to_string(), r#"{"title":"T","x":1,"@context":"urn:c","links":[]}"#);
        thing.id = Some("urn:i".to_owned());
        thing.other.clear();
        thing.secure("nosec", SecurityScheme::nosec());
        let expected = json!({
            "title": "T", "@context": "urn:c", "links": [], "id": "urn:i",
            "security": "nosec", "securityDefinitions": { "nosec": { "scheme": "nosec" } }
        });
        assert_eq!(thing.to_value().to_string(), expected.to_string());
        assert_eq!(
            Thing::new("urn:i", "T").to_value(),
            json!({ "@context": "https://www.w3.org/2022/wot/td/v1.1", "id": "urn:i", "title": "T" })
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let cases = [
            (json!({ "@context": "urn:c" }), "/title"),
            (json!({ "title": "T" }), "/@context"),
            (json!({ "title": 1, "@context": "urn:c" }), "/title"),
            (
                json!({ "title": "T", "@context": "urn:c", "properties": { "a/b": { "forms": [{ "href": 1 }] } } }),
                "/properties/a~1b/forms/0/href",
            ),
            (
                json!({ "title": "T", "@context": "urn:c", "actions": { "a": { "input": { "items": [{}, { "type": "real" }] } } } }),
                "/actions/a/input/items/1/type",
            ),
            (json!({ "title": "T", "@context": "urn:c", "events": [] }), "/events"),
            (json!([]), ""),
        ];
        for (document, pointer) in cases {
            assert_eq!(Thing::from_value(document.clone()).unwrap_err().pointer(), pointer, "{document}");
        }
    }
}
