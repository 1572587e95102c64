//! What one interaction with a Thing carries and how it can fail, in the words of WoT and of no protocol.
//!
//! Bindings translate: `binding_http::problem` turns an [`InteractionError`] into a status and a problem document.
//! Nothing here knows HTTP, MQTT or Wasm memory.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use handler_host::HandlerError;
use thing_descriptions::FieldError;
use uuid::Uuid;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody is signed in.
    Anonymous,
    /// A person or a program, by the name under which it signed in.
    User(String),
    /// The gateway itself: it reads back what it publishes.
    Gateway,
}

/// What an interaction carries beside its input.
#[derive(Debug, Clone)]
pub struct Context {
    /// Unique over all nodes; the action that an invocation starts keeps it.
    pub id: Uuid,
    /// Who asks.
    pub caller: Caller,
    /// The values of the Form's URI variables (TD 1.1 section 5.3.1.1, `uriVariables`).
    pub uri_variables: BTreeMap<String, String>,
}

impl Context {
    /// A new interaction of nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of(Caller::Anonymous)
    }

    /// A new interaction of `caller`.
    #[must_use]
    pub fn of(caller: Caller) -> Self {
        Self { id: Uuid::new_v4(), caller, uri_variables: BTreeMap::new() }
    }
}

/// The input of a write or an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// `application/json`.
    Json(serde_json::Value),
    /// Any other content, as it came.
    Media {
        /// Its media type, without parameters, in lower case.
        content_type: String,
        /// Its bytes.
        bytes: Bytes,
    },
}

/// The three kinds of interaction affordance (TD 1.1 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AffordanceKind {
    /// A state that can be read, written or observed.
    Property,
    /// A function that can be invoked.
    Action,
    /// A source of notifications.
    Event,
}

impl AffordanceKind {
    /// The word in messages: `property`, `action`, `event`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Property => "property",
            Self::Action => "action",
            Self::Event => "event",
        }
    }
}

/// Why an interaction has no good answer. Closed: every binding maps every variant.
#[derive(Debug, thiserror::Error)]
pub enum InteractionError {
    /// No Thing of that name or id.
    #[error("there is no Thing `{thing}` here")]
    UnknownThing {
        /// The name or id that was asked for.
        thing: String,
    },
    /// The Thing offers no such affordance.
    #[error("the Thing `{thing}` has no {} `{name}`", kind.as_str())]
    UnknownAffordance {
        /// The Thing's name.
        thing: String,
        /// What kind was asked for.
        kind: AffordanceKind,
        /// The name that was asked for.
        name: String,
    },
    /// No such running or kept invocation.
    #[error("there is no invocation `{id}` of this action: it never was, was cancelled, or its status was dropped")]
    UnknownActionInstance {
        /// The invocation's id as it was given.
        id: String,
    },
    /// The affordance does not offer this operation.
    #[error("{operation}")]
    NotAllowed {
        /// A sentence that names the operation and why it isn't offered.
        operation: String,
        /// What is offered: HTTP methods, comma-separated.
        allow: &'static str,
    },
    /// Understood and refused.
    #[error("{detail}")]
    Forbidden {
        /// Why.
        detail: String,
    },
    /// The input does not fit the affordance's `DataSchema`, or can't be read at all.
    #[error("{detail}")]
    InvalidInput {
        /// One sentence on the whole.
        detail: String,
        /// One entry per field that does not fit.
        errors: Vec<FieldError>,
    },
    /// The input is of a kind of content that the affordance does not take.
    #[error("{detail}")]
    UnsupportedMediaType {
        /// What is taken.
        detail: String,
    },
    /// The caller wants a kind of content that the affordance does not give.
    #[error("{detail}")]
    NotAcceptable {
        /// What is given.
        detail: String,
    },
    /// The input is larger than the limit.
    #[error("the input is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The behavior answered what its own Thing Model forbids.
    #[error("{detail}")]
    InvalidOutput {
        /// One sentence on the whole.
        detail: String,
        /// One entry per field that does not fit.
        errors: Vec<FieldError>,
    },
    /// The state of the Thing forbids it now.
    #[error("{detail}")]
    Conflict {
        /// What is in the way.
        detail: String,
    },
    /// A queue is full.
    #[error("{detail}")]
    Overloaded {
        /// Which one.
        detail: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// The Thing is off, in transit, or its handler doesn't stay up.
    #[error("{detail}")]
    Suspended {
        /// Why.
        detail: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// The handler has no answer now and says why.
    #[error("{detail}")]
    Unavailable {
        /// The handler's reason.
        detail: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// The invocation ended because its handler was replaced while it ran.
    #[error("the handler was replaced while this action ran")]
    HandlerReplaced,
    /// The change could not be made durable, so it was not made.
    #[error("the store could not keep the change: {detail}")]
    Storage {
        /// What the store said.
        detail: String,
    },
    /// The handler failed.
    #[error(transparent)]
    Handler(#[from] HandlerError),
}

impl From<crate::store::StoreError> for InteractionError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Storage { detail: error.reason() }
    }
}

impl InteractionError {
    /// The input is wrong as a whole.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::InvalidInput { detail: detail.into(), errors: Vec::new() }
    }
}
