//! Interaction affordances: what a Thing offers (TD 1.1 section 5.3.1.2 to 5.3.1.5).
//!
//! A property is its own `DataSchema`, so its title and its semantic types are members of `schema`.

use serde_json::{Map, Value};

use crate::data_schema::DataSchema;
use crate::form::Form;
use crate::member::{Named, OneOrMany};
use crate::object::object;
use crate::op::Op;

object! {
    /// A state that can be read, written or observed.
    pub struct PropertyAffordance {
        /// Whether it can be observed; absent: false.
        pub observable: Option<bool> = "observable",
        /// Variables of the hrefs.
        pub uri_variables: Named<DataSchema> = "uriVariables",
        /// Where and how.
        pub forms: Vec<Form> = "forms",
        ..
        /// What its value may be; `title`, `readOnly`, `unit` and unknown members are here too.
        pub schema: DataSchema,
    }
}

object! {
    /// A function that can be invoked.
    pub struct ActionAffordance {
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
        /// What it takes; absent: nothing.
        pub input: Option<DataSchema> = "input",
        /// What it gives; absent: nothing.
        pub output: Option<DataSchema> = "output",
        /// Whether it changes nothing; absent: false.
        pub safe: Option<bool> = "safe",
        /// Whether twice is the same as once; absent: false.
        pub idempotent: Option<bool> = "idempotent",
        /// Whether its answer is its end; absent: unknown.
        pub synchronous: Option<bool> = "synchronous",
        /// Variables of the hrefs.
        pub uri_variables: Named<DataSchema> = "uriVariables",
        /// Where and how.
        pub forms: Vec<Form> = "forms",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

object! {
    /// A source of messages.
    pub struct EventAffordance {
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
        /// What is sent to subscribe.
        pub subscription: Option<DataSchema> = "subscription",
        /// What a message may be; absent: nothing.
        pub data: Option<DataSchema> = "data",
        /// What a consumer answers to a message.
        pub data_response: Option<DataSchema> = "dataResponse",
        /// What is sent to cancel.
        pub cancellation: Option<DataSchema> = "cancellation",
        /// Variables of the hrefs.
        pub uri_variables: Named<DataSchema> = "uriVariables",
        /// Where and how.
        pub forms: Vec<Form> = "forms",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

impl PropertyAffordance {
    /// Whether it can be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.schema.write_only.unwrap_or(false)
    }

    /// Whether it can be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.schema.read_only.unwrap_or(false)
    }

    /// Whether it can be observed.
    #[must_use]
    pub fn is_observable(&self) -> bool {
        self.observable.unwrap_or(false)
    }

    /// What a form without `op` means: read and write, or the one that `readOnly` and `writeOnly` leave (TD 1.1
    /// section 5.4, default of `op`).
    #[must_use]
    pub fn default_ops(&self) -> &'static [Op] {
        match (self.is_readable(), self.is_writable()) {
            (true, false) => &[Op::ReadProperty],
            (false, true) => &[Op::WriteProperty],
            (true, true) | (false, false) => &[Op::ReadProperty, Op::WriteProperty],
        }
    }
}

impl ActionAffordance {
    /// What a form without `op` means.
    pub const DEFAULT_OPS: &'static [Op] = &[Op::InvokeAction];
}

impl EventAffordance {
    /// What a form without `op` means.
    pub const DEFAULT_OPS: &'static [Op] = &[Op::SubscribeEvent, Op::UnsubscribeEvent];
}
