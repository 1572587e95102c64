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
