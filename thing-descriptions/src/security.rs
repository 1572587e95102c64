//! `SecurityScheme`: how a consumer shows that it may (TD 1.1 section 5.3.3).
//!
//! One struct for all schemes: the gateway writes a few and has to keep any. Which members a scheme needs is for
//! [`check_td`](crate::check_td).

use serde_json::{Map, Value};

use crate::member::{Named, OneOrMany};
use crate::object::object;

object! {
    /// One way to authenticate.
    pub struct SecurityScheme {
        /// `nosec`, `basic`, `bearer`, `apikey`, `combo`, .. or a term of an extension.
        pub scheme: String = "scheme",
        /// `@type`: semantic types.
        pub semantic_type: Option<OneOrMany<String>> = "@type",
        /// A sentence for people.
        pub description: Option<String> = "description",
        /// Descriptions by language.
        pub descriptions: Option<Named<String>> = "descriptions",
        /// URI of the proxy that asks for it.
        pub proxy: Option<String> = "proxy",
        /// Where the secret goes: `header`, `query`, `body`, `cookie`, `uri` or `auto`.
        pub location: Option<String> = "in",
        /// Name of the header, the query parameter, ..
        pub name: Option<String> = "name",
        /// Combo: one of these definitions is enough.
        pub one_of: Option<Vec<String>> = "oneOf",
        /// Combo: all of these definitions are needed.
        pub all_of: Option<Vec<String>> = "allOf",
        ..
        /// Every other member, as it was.
        pub other: Map<String, Value>,
    }
}

impl SecurityScheme {
    /// No security: anyone may.
    #[must_use]
    pub fn nosec() -> Self {
        Self { scheme: "nosec".to_owned(), ..Self::default() }
    }

    /// User name and password in the `Authorization` header (RFC 7617).
    #[must_use]
    pub fn basic() -> Self {
        let location = Some("header".to_owned());
        Self { scheme: "basic".to_owned(), location, name: Some("Authorization".to_owned()), ..Self::default() }
    }

    /// A token in the `Authorization` header (RFC 6750).
    #[must_use]
    pub fn bearer() -> Self {
        Self { scheme: "bearer".to_owned(), ..Self::basic() }
    }

    /// Any one of these definitions.
    #[must_use]
    pub fn any_of(definitions: &[&str]) -> Self {
        let one_of = Some(definitions.iter().map(|name| (*name).to_owned()).collect());
        Self { scheme: "combo".to_owned(), one_of, ..Self::default() }
    }
}
