//! Form: where and how an operation is done (TD 1.1 section 5.3.4.2).
//!
//! Built by chaining: `Form::new(href).op(..).subprotocol(..)`. Nothing is written that equals its default, except `op`
//! and `contentType` when they are asked for.

use serde_json::{Map, Value};

use crate::member::OneOrMany;
use crate::object::object;
use crate::op::Op;
use crate::vocabulary::{CONTENT_TYPE_DEFAULT, HTV_METHOD_NAME};

object! {
    /// How to do one or more operations.
    pub struct Form {
        /// Where: an IRI or a reference relative to `base`, possibly with URI variables.
        pub href: String = "href",
        /// Media type of what is sent, and of the answer unless `response` says otherwise; absent: `application/json`.
        pub content_type: Option<String> = "contentType",
        /// Coding such as `gzip`.
        pub content_coding: Option<String> = "contentCoding",
        /// What it is for; absent: the default of its affordance.
        pub op: Option<OneOrMany<Op>> = "op",
        /// The mechanism that goes beyond request and answer: `longpoll`, `sse`, `websub`, ..
        pub subprotocol: Option<String> = "subprotocol",
        /// Names of security definitions, instead of the Thing's.
        pub security: Option<OneOrMany<String>> = "security",
        /// OAuth scopes.
        pub scopes: Option<OneOrMany<String>> = "scopes",
        /// The answer, when its media type differs from `contentType`.
        pub response: Option<ExpectedResponse> = "response",
        /// Other answers, such as errors.
        pub additional_responses: Option<OneOrMany<AdditionalResponse>> = "additionalResponses",
        ..
        /// Every other member (`htv:methodName`, `mqv:topic`, ..), as it was.
        pub other: Map<String, Value>,
    }
}

object! {
    /// The answer that is expected.
    pub struct ExpectedResponse {
        /// Its media type.
        pub content_type: String = "contentType",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

object! {
    /// An answer besides the expected one.
    pub struct AdditionalResponse {
        /// Whether it means success; absent: false.
        pub success: Option<bool> = "success",
        /// Its media type; absent: that of the form.
        pub content_type: Option<String> = "contentType",
        /// Name of a definition in `schemaDefinitions`.
        pub schema: Option<String> = "schema",
        ..
        /// Unknown members, as they were.
        pub other: Map<String, Value>,
    }
}

impl Form {
    /// A form with nothing but its address.
    #[must_use]
    pub fn new(href: impl Into<String>) -> Self {
        Self { href: href.into(), ..Self::default() }
    }

    /// The operations, written as a bare word when there is one.
    #[must_use]
    pub fn op(mut self, ops: &[Op]) -> Self {
        self.op = match ops {
            [] => None,
            [op] => Some(OneOrMany::One(*op)),
            many => Some(OneOrMany::Many(many.to_vec())),
        };
        self
    }

    /// Media type of what is sent.
    #[must_use]
    pub fn content_type(mut self, media_type: &str) -> Self {
        self.content_type = Some(media_type.to_owned());
        self
    }

    /// The mechanism beyond request and answer.
    #[must_use]
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocol = Some(name.to_owned());
        self
    }

    /// Media type of the answer. Clients ask for `contentType` without it, so a form that sends something else than
    /// JSON and is answered with JSON needs it.
    #[must_use]
    pub fn response(mut self, media_type: &str) -> Self {
        self.response = Some(ExpectedResponse { content_type: media_type.to_owned(), ..ExpectedResponse::default() });
        self
    }

    /// HTTP method, where it is not the default of the operation.
    #[must_use]
    pub fn method(self, name: &str) -> Self {
        self.with(HTV_METHOD_NAME, name)
    }

    /// Any other member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.other.insert(name.to_owned(), value.into());
        self
    }

    /// The operations as written; none: the default of the affordance holds.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        self.op.as_ref().map_or(&[], OneOrMany::as_slice)
    }

    /// Media type of what is sent, the default included.
    #[must_use]
    pub fn request_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or(CONTENT_TYPE_DEFAULT)
    }

    /// Media type of the answer, the default included.
    #[must_use]
    pub fn response_type(&self) -> &str {
        self.response.as_ref().map_or_else(|| self.request_type(), |response| &response.content_type)
    }
}
