//! What a path names: the Thing, and below it an affordance and an invocation.
//!
//! One extractor for the tree of a Thing and for the same tree of the Thing of its handler, so that both share every route.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, Uri};
use uuid::Uuid;

use super::Shared;
use super::methods::Answered;
use super::problem::{Kind, Problem};
use crate::access::Principal;
use crate::exposed_thing::ExposedThing;
use crate::interaction::{AffordanceKind, Context, InteractionError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) thing: Arc<ExposedThing>,
    /// Name of the affordance; empty where the path names none.
    pub(crate) name: Box<str>,
    /// Id of the invocation, as it was given; empty where the path names none.
    id: Box<str>,
}

impl Target {
    /// The affordance is not there.
    pub(crate) fn unknown(&self, kind: AffordanceKind) -> Problem {
        let (thing, name) = (self.thing.name().to_string(), self.name.to_string());
        InteractionError::UnknownAffordance { thing, kind, name }.into()
    }

    /// The invocation that the path names.
    pub(crate) fn invocation(&self) -> Result<Uuid, InteractionError> {
        // Only the hyphenated form, so that an invocation has one URL.
        let id = Uuid::try_parse(&self.id).ok().filter(|id| id.hyphenated().to_string() == *self.id);
        id.ok_or_else(|| InteractionError::UnknownActionInstance { id: self.id.to_string() })
    }
}

impl FromRequestParts<Shared> for Target {
    type Rejection = Answered;

    async fn from_request_parts(parts: &mut Parts, http: &Shared) -> Result<Self, Answered> {
        let unreadable = |_| Problem::new(Kind::BAD_REQUEST, "a segment of the path is no percent-encoded UTF-8");
        let params = RawPathParams::from_request_parts(parts, http).await.map_err(unreadable)?;
        let (mut thing, mut name, mut id) = (None, Box::default(), Box::default());
        for (key, value) in &params {
            match key {
                "thing" => thing = Some(http.servient.thing(value)?),
                "controlled" => thing = Some(handler_of(&*http.servient.thing(value)?)?),
                "name" => name = value.into(),
                "id" => id = value.into(),
                _ => {}
            }
        }
        let missing = || Problem::new(Kind::NOT_FOUND, "the path names no Thing");
        Ok(Self { thing: thing.ok_or_else(missing)?, name, id })
    }
}

fn handler_of(thing: &ExposedThing) -> Result<Arc<ExposedThing>, InteractionError> {
    thing.handler().ok_or_else(|| InteractionError::UnknownThing { thing: format!("{}/handler", thing.name()) })
}

/// What an interaction carries beside its input.
pub(crate) fn context(request: &Request) -> Result<Context, Problem> {
    let caller = principal(request.extensions()).caller();
    Ok(Context { uri_variables: query(request.uri())?, ..Context::of(caller) })
}

/// Who was let in.
pub(crate) fn principal(extensions: &Extensions) -> Principal {
    extensions.get().copied().unwrap_or_default()
}

/// The arguments of the query; of one that is given twice the last counts.
pub(crate) fn query(uri: &Uri) -> Result<BTreeMap<String, String>, Problem> {
    if uri.query().is_none() {
        return Ok(BTreeMap::new());
    }
    let Query(arguments) = Query::try_from_uri(uri)
        .map_err(|error| Problem::new(Kind::BAD_REQUEST, format!("the query cannot be read: {error}")))?;
    Ok(arguments)
}
