//! Every way in which a request can fail, as a status and a problem document (RFC 9457).
//!
//! The one map from [`InteractionError`] to HTTP: exhaustive, so a new failure does not compile before it has its status.
//! A [`Problem`] travels as an extension of an empty response; [`edge`](super::edge) writes the body, because only there
//! the `instance` is known for failures of layers too.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use handler_host::{Fault, HandlerError};
use serde_json::{Map, Value, json};
use thing_descriptions::FieldError;

use super::methods::Methods;
use crate::interaction::InteractionError;

/// Media type of every error body.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// How a token can be shown (RFC 9110 section 11.6.1).
const CHALLENGES: [&str; 2] = ["Bearer realm=\"tidegate\"", "Basic realm=\"tidegate\", charset=\"UTF-8\""];
/// `type` is this and the kind's name.
const TYPE_PREFIX: &str = "urn:tidegate:problem:";
/// What `Retry-After` says where nothing better is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// One kind of problem: what its `type`, `title` and `status` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    name: &'static str,
    title: &'static str,
    status: StatusCode,
}

macro_rules! kinds {
    ($($constant:ident = $status:ident, $name:literal, $title:literal;)*) => {
        impl Kind {
            $(pub(crate) const $constant: Self =
                Self { name: $name, title: $title, status: StatusCode::$status };)*
            /// Every kind, for the generic ones by status.
            const ALL: &[Self] = &[$(Self::$constant,)*];
        }
    };
}

// The first kind of a status is the generic one of layers that only set a status.
kinds! {
    BAD_REQUEST = BAD_REQUEST, "bad-request", "The request cannot be read";
    INVALID_INPUT = BAD_REQUEST, "invalid-input", "The input does not fit";
    UNAUTHORIZED = UNAUTHORIZED, "unauthorized", "A token is needed";
    FORBIDDEN = FORBIDDEN, "forbidden", "Not permitted";
    CROSS_ORIGIN = FORBIDDEN, "cross-origin", "A page of another origin may not change anything here";
    NOT_FOUND = NOT_FOUND, "not-found", "There is nothing here";
    UNKNOWN_THING = NOT_FOUND, "unknown-thing", "No such Thing";
    UNKNOWN_AFFORDANCE = NOT_FOUND, "unknown-affordance", "No such affordance";
    UNKNOWN_INVOCATION = NOT_FOUND, "unknown-invocation", "No such invocation";
    NOT_ALLOWED = METHOD_NOT_ALLOWED, "not-allowed", "Not offered here";
    NOT_ACCEPTABLE = NOT_ACCEPTABLE, "not-acceptable", "No representation that was asked for";
    TIMEOUT = REQUEST_TIMEOUT, "request-timeout", "The request did not arrive in time";
    CONFLICT = CONFLICT, "conflict", "Not in this state";
    TOO_LARGE = PAYLOAD_TOO_LARGE, "too-large", "The body is too large";
    UNSUPPORTED = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Not taken in this format";
    MISDIRECTED = MISDIRECTED_REQUEST, "misdirected", "Not the host that was asked for";
    TOO_MANY_GUESSES = TOO_MANY_REQUESTS, "too-many-guesses", "Too many wrong credentials";
    HEADERS_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "The headers are too large";
    INTERNAL = INTERNAL_SERVER_ERROR, "internal", "The gateway failed";
    HANDLER_FAILED = INTERNAL_SERVER_ERROR, "handler-failed", "The handler failed";
    HANDLER_TRAP = INTERNAL_SERVER_ERROR, "handler-trap", "The handler trapped";
    HANDLER_REPLACED = INTERNAL_SERVER_ERROR, "handler-replaced", "The handler was replaced";
    INVALID_OUTPUT = INTERNAL_SERVER_ERROR, "invalid-output", "The answer does not fit its own schema";
    BAD_COMPONENT = INTERNAL_SERVER_ERROR, "bad-component", "The handler cannot be used";
    DENIED = INTERNAL_SERVER_ERROR, "denied", "The handler was not granted what it needs";
    DEADLINE = SERVICE_UNAVAILABLE, "deadline", "No answer in time";
    OVERLOADED = SERVICE_UNAVAILABLE, "overloaded", "Too much at once";
    SUSPENDED = SERVICE_UNAVAILABLE, "suspended", "The Thing is suspended";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable", "No answer now";
    STORAGE = INSUFFICIENT_STORAGE, "storage", "The change could not be kept";
}

/// A failure on its way to the client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<Methods>,
    close: bool,
    without_basic: bool,
}

impl Problem {
    /// A problem of `kind`; `detail` is one sentence for this occurrence.
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (kind.status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_DEFAULT);
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after,
            allow: None,
            close: false,
            without_basic: false,
        }
    }

    /// 405 with what is allowed.
    pub(crate) fn not_allowed(method: &axum::http::Method, allow: Methods) -> Self {
        let detail = format!("{method} is not offered here; offered: {}", allow.as_str());
        Self { allow: Some(allow), ..Self::new(Kind::NOT_ALLOWED, detail) }
    }

    /// What a layer means that set `status` alone.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let generic = Kind::ALL.iter().copied().find(|kind| kind.status == status);
        let kind = generic.unwrap_or(Kind { status, ..Kind::INTERNAL });
        Self::new(kind, kind.title)
    }

    fn with_errors(self, errors: &[FieldError]) -> Self {
        Self { errors: errors.to_vec(), ..self }
    }

    /// When to come again.
    pub(crate) fn retry(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// The connection cannot be used again: part of the request is still on its way.
    pub(crate) fn closing(self) -> Self {
        Self { close: true, ..self }
    }

    /// Of the ways to show a token the one is left out for which a browser has a window of its own.
    pub(crate) fn without_basic(self, without_basic: bool) -> Self {
        Self { without_basic, ..self }
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.kind.status
    }

    /// The document; `instance` is the path of the request, where there is one.
    pub(crate) fn to_json(&self, instance: Option<&str>) -> Value {
        let mut document = Map::new();
        document.insert("type".into(), format!("{TYPE_PREFIX}{}", self.kind.name).into());
        document.insert("title".into(), self.kind.title.into());
        document.insert("status".into(), self.kind.status.as_u16().into());
        document.insert("detail".into(), self.detail.as_ref().into());
        if let Some(instance) = instance {
            document.insert("instance".into(), instance.into());
        }
        if !self.errors.is_empty() {
            document.insert("validationErrors".into(), json!(self.errors));
        }
        Value::Object(document)
    }

    /// The whole response, for the request of path `instance`.
    pub(crate) fn render(&self, instance: &str) -> Response {
        let mut response = Response::new(Body::from(self.to_json(Some(instance)).to_string()));
        *response.status_mut() = self.kind.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, allow.header());
        }
        if let Some(after) = self.retry_after {
            // Whole seconds, never 0: a client that takes 0 at its word would spin.
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.kind == Kind::UNAUTHORIZED {
            let ways = if self.without_basic { &CHALLENGES[..1] } else { &CHALLENGES };
            headers.extend(ways.iter().map(|way| (WWW_AUTHENTICATE, HeaderValue::from_static(way))));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<InteractionError> for Problem {
    fn from(error: InteractionError) -> Self {
        Self::from(&error)
    }
}

impl From<&InteractionError> for Problem {
    fn from(error: &InteractionError) -> Self {
        let as_kind = |kind| Self::new(kind, error.to_string());
        match error {
            InteractionError::UnknownThing { .. } => as_kind(Kind::UNKNOWN_THING),
            InteractionError::UnknownAffordance { .. } => as_kind(Kind::UNKNOWN_AFFORDANCE),
            InteractionError::UnknownActionInstance { .. } => as_kind(Kind::UNKNOWN_INVOCATION),
            InteractionError::NotAllowed { allow, .. } => {
                Self { allow: Some(Methods::parse(allow)), ..as_kind(Kind::NOT_ALLOWED) }
            }
            InteractionError::Forbidden { .. } => as_kind(Kind::FORBIDDEN),
            InteractionError::InvalidInput { errors, .. } => as_kind(Kind::INVALID_INPUT).with_errors(errors),
            InteractionError::UnsupportedMediaType { .. } => as_kind(Kind::UNSUPPORTED),
            InteractionError::NotAcceptable { .. } => as_kind(Kind::NOT_ACCEPTABLE),
            InteractionError::TooLarge { .. } => as_kind(Kind::TOO_LARGE),
            InteractionError::InvalidOutput { errors, .. } => as_kind(Kind::INVALID_OUTPUT).with_errors(errors),
            InteractionError::Conflict { .. } => as_kind(Kind::CONFLICT),
            InteractionError::Overloaded { retry_after, .. } => as_kind(Kind::OVERLOADED).retry(*retry_after),
            InteractionError::Suspended { retry_after, .. } => as_kind(Kind::SUSPENDED).retry(*retry_after),
            InteractionError::Unavailable { retry_after, .. } => as_kind(Kind::UNAVAILABLE).retry(*retry_after),
            InteractionError::HandlerReplaced => as_kind(Kind::HANDLER_REPLACED),
            InteractionError::Storage { .. } => as_kind(Kind::STORAGE),
            InteractionError::Handler(error) => of_handler(error),
        }
    }
}

/// What the handler host says: a fault of the handler is never the caller's.
fn of_handler(error: &HandlerError) -> Problem {
    let as_kind = |kind| Problem::new(kind, error.to_string());
    match error {
        HandlerError::BadComponent { .. } | HandlerError::MissingExport { .. } => as_kind(Kind::BAD_COMPONENT),
        HandlerError::Denied { .. } => as_kind(Kind::DENIED),
        HandlerError::Trap { .. } => as_kind(Kind::HANDLER_TRAP),
        HandlerError::MemoryLimit { .. } | HandlerError::StateVersion { .. } | HandlerError::Host { .. } => {
            as_kind(Kind::HANDLER_FAILED)
        }
        HandlerError::Deadline { .. } => as_kind(Kind::DEADLINE),
        HandlerError::CpuBudget { retry_ms } => {
            as_kind(Kind::OVERLOADED).retry(Duration::from_millis((*retry_ms).into()))
        }
        HandlerError::Overloaded => as_kind(Kind::OVERLOADED),
        HandlerError::Fault(fault) => of_fault(fault, error.to_string()),
    }
}

/// The handler's own answer. `not-found`, `read-only` and `write-only` come here only when the handler contradicts its
/// Thing Model: what the model says was checked before it was asked.
fn of_fault(fault: &Fault, detail: String) -> Problem {
    let kind = match fault {
        Fault::NotFound => Kind::UNKNOWN_AFFORDANCE,
        Fault::ReadOnly => return Problem { allow: Some(Methods::READ), ..Problem::new(Kind::NOT_ALLOWED, detail) },
        Fault::WriteOnly => return Problem { allow: Some(Methods::WRITE), ..Problem::new(Kind::NOT_ALLOWED, detail) },
        Fault::Invalid(_) => Kind::INVALID_INPUT,
        Fault::Busy => Kind::OVERLOADED,
        Fault::Denied(_) => Kind::DENIED,
        Fault::Unavailable(_) => Kind::UNAVAILABLE,
        Fault::Failed(_) => Kind::HANDLER_FAILED,
    };
    Problem::new(kind, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: InteractionError) -> (u16, Value, axum::http::HeaderMap) {
        let problem = Problem::from(error);
        let headers = problem.render("/x").headers().clone();
        (problem.status().as_u16(), problem.to_json(Some("/x")), headers)
    }

    #[test]
    fn bad_input_names_its_fields() {
        let errors = vec![FieldError { field: "/on".into(), description: "must be a boolean".into() }];
        let (status, body, _) = of(InteractionError::InvalidInput { detail: "the input does not fit".into(), errors });
        assert_eq!(status, 400);
        let expected = json!({
            "type": "urn:tidegate:problem:invalid-input", "title": "The input does not fit", "status": 400,
            "detail": "the input does not fit", "instance": "/x",
            "validationErrors": [{"field": "/on", "description": "must be a boolean"}],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn each_failure_has_its_status_and_headers() {
        let second = Duration::from_secs(3);
        let unavailable = InteractionError::Unavailable { detail: "no sample yet".into(), retry_after: second };
        let (status, body, headers) = of(unavailable);
        assert_eq!((status, &headers[RETRY_AFTER]), (503, &HeaderValue::from_static("3")));
        assert_eq!(body["detail"], "no sample yet");
        let denied = HandlerError::Denied { capability: "i2c".into() };
        assert_eq!(of(InteractionError::Handler(denied)).0, 500);
        assert_eq!(of(InteractionError::Handler(HandlerError::Deadline { budget_ms: 100 })).0, 503);
        assert_eq!(of(InteractionError::Handler(HandlerError::Fault(Fault::Invalid("no".into())))).0, 400);
        assert_eq!(of(InteractionError::Storage { detail: "full".into() }).0, 507);
        let (status, _, headers) =
            of(InteractionError::NotAllowed { operation: "read only".into(), allow: "GET, HEAD" });
        assert_eq!((status, headers[ALLOW].to_str().unwrap()), (405, "GET, HEAD, OPTIONS"));
    }

    #[test]
    fn a_naked_status_is_a_problem_too() {
        assert_eq!(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).kind, Kind::TOO_LARGE);
        assert_eq!(Problem::of_status(StatusCode::GATEWAY_TIMEOUT).status(), StatusCode::GATEWAY_TIMEOUT);
    }
}
