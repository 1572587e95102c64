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
        /// Its media type; absent: the answer has no body (assertion
        /// `td-expectedResponse-missing-contentType`).
        pub content_type: Option<String> = "contentType",
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
        let content_type = Some(media_type.to_owned());
        self.response = Some(ExpectedResponse { content_type, ..ExpectedResponse::default() });
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

    /// Media type of the answer, the default included; none when the form says that the answer has no body.
    #[must_use]
    pub fn response_type(&self) -> Option<&str> {
        self.response.as_ref().map_or_else(|| Some(self.request_type()), |response| response.content_type.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ActionAffordance, DataSchema, EventAffordance, PropertyAffordance, TdError};

    #[test]
    fn a_built_form_is_what_a_consumer_expects() {
        let form = Form::new("https://gateway.example/things/pump/handler/actions/replace{?approve,expect}")
            .op(&[Op::InvokeAction])
            .content_type("application/wasm")
            .response("application/json")
            .method("POST");
        let expected = json!({
            "href": "https://gateway.example/things/pump/handler/actions/replace{?approve,expect}",
            "contentType": "application/wasm",
            "op": "invokeaction",
            "response": { "contentType": "application/json" },
            "htv:methodName": "POST"
        });
        assert_eq!(form.to_value(), expected);
        assert_eq!((form.request_type(), form.response_type()), ("application/wasm", Some("application/json")));

        let form = Form::new("/x").op(&[Op::ObserveProperty, Op::UnobserveProperty]).subprotocol("longpoll");
        let expected =
            json!({ "href": "/x", "op": ["observeproperty", "unobserveproperty"], "subprotocol": "longpoll" });
        assert_eq!(form.to_value(), expected);
        assert_eq!(Form::new("/x").op(&[]).to_value(), json!({ "href": "/x" }));
    }

    #[test]
    fn defaults_are_those_of_the_specification() {
        let form = Form::new("/x");
        assert_eq!((form.ops(), form.request_type()), (&[][..], "application/json"));
        assert_eq!(form.response_type(), Some("application/json"));
        let silent = Form::from_value(json!({ "href": "/x", "response": {} })).unwrap();
        assert_eq!(silent.response_type(), None, "a response without contentType has no body");

        let property = |read_only, write_only| PropertyAffordance {
            schema: DataSchema { read_only, write_only, ..DataSchema::default() },
            ..PropertyAffordance::default()
        };
        assert_eq!(property(None, None).default_ops(), [Op::ReadProperty, Op::WriteProperty]);
        assert_eq!(property(Some(true), None).default_ops(), [Op::ReadProperty]);
        assert_eq!(property(Some(false), Some(true)).default_ops(), [Op::WriteProperty]);
        assert_eq!(ActionAffordance::DEFAULT_OPS, [Op::InvokeAction]);
        assert_eq!(EventAffordance::DEFAULT_OPS, [Op::SubscribeEvent, Op::UnsubscribeEvent]);
    }

    #[test]
    fn every_operation_is_read_and_written_and_no_other() {
        assert_eq!(Op::ALL.len(), 18);
        for op in Op::ALL {
            let form = Form::from_value(json!({ "href": "", "op": op.as_str() })).unwrap();
            assert_eq!(form.ops(), [*op]);
            assert_eq!(form.to_value()["op"], op.as_str());
        }
        let error = Form::from_value(json!({ "href": "", "op": ["readproperty", "levitate"] })).unwrap_err();
        assert_eq!(error.pointer(), "/op/1");
        let error = Form::from_value(json!({ "op": "readproperty" })).unwrap_err();
        assert_eq!(error, TdError::Missing { pointer: "/href".into(), what: "the member".into() });
    }

    #[test]
    fn a_typed_member_wins_over_one_of_the_same_name() {
        assert_eq!(
            Form::new("/x").with("href", "/y").with("mqv:qos", "1").to_value(),
            json!({ "href": "/x", "mqv:qos": "1" })
        );
    }
}
