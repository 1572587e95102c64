//! Link: from a Thing to another resource (TD 1.1 section 5.3.4.1).
//!
//! Relation types that the gateway writes are in [`vocabulary`](crate::vocabulary); any other is kept.

use serde_json::{Map, Value};

use crate::member::OneOrMany;
use crate::object::object;

object! {
    /// A typed link.
    pub struct Link {
        /// Target, an IRI or a reference relative to `base`.
        pub href: String = "href",
        /// Media type of the target.
        pub media_type: Option<String> = "type",
        /// Relation type, such as `item`, `collection`, `controlledBy`, `icon` or `type`.
        pub rel: Option<String> = "rel",
        /// Overrides the link's context.
        pub anchor: Option<String> = "anchor",
        /// Size of an icon, such as `64x64`.
        pub sizes: Option<String> = "sizes",
        /// Languages of the target.
        pub hreflang: Option<OneOrMany<String>> = "hreflang",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

impl Link {
    /// A link of one relation type.
    #[must_use]
    pub fn new(rel: &str, href: impl Into<String>) -> Self {
        Self { href: href.into(), rel: Some(rel.to_owned()), ..Self::default() }
    }

    /// The same link with the media type of its target.
    #[must_use]
    pub fn media_type(mut self, media_type: &str) -> Self {
        self.media_type = Some(media_type.to_owned());
        self
    }
}
