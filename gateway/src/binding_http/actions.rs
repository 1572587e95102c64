//! Actions: invoke, query, cancel, queryall (WoT Profile, HTTP Basic).
//!
//! A synchronous action answers with its output, any other with 201 and the URL of its status.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::host::origin;
use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::stamp::{JSON, NO_CACHE};
use super::target::{Target, context};
use super::{Shared, body, status};
use crate::exposed_thing::{ActionStatus, Invoked};
use crate::interaction::AffordanceKind;
use crate::td::MEDIA_WASM;

const MEDIA_JSON: &str = "application/json";

/// `/actions/{name}`
pub(crate) async fn one(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    let description = target.thing.description();
    let action = description.kind.actions.get(&*target.name).ok_or_else(|| target.unknown(AffordanceKind::Action))?;
    Methods::INVOKE.admit(request.method())?;
    let context = context(&request)?;
    let (parts, body) = request.into_parts();
    let base = base(&http, &target, &parts);
    let request = Request::from_parts(parts, body);
    let input = if target.thing.behavior().takes_media(&target.name, MEDIA_WASM) {
        let input = body::input(request, MEDIA_WASM, &http.component_limits()).await?;
        Some(input.ok_or_else(|| Problem::new(Kind::INVALID_INPUT, "the component is expected in the body"))?)
    } else {
        let media = action.input.as_ref().and_then(|input| input.media.as_deref()).unwrap_or(MEDIA_JSON);
        body::input(request, media, &http.body_limits()).await?
    };
    Ok(match target.thing.invoke_action(&target.name, input, context).await? {
        Invoked::Done(None) => StatusCode::NO_CONTENT.into_response(),
        Invoked::Done(Some(output)) => ([(CONTENT_TYPE, JSON)], Body::from(output)).into_response(),
        Invoked::Accepted(accepted) => created(&accepted, &base),
    })
}

/// The URL of the Thing, as the client reaches it.
fn base(http: &Shared, target: &Target, parts: &axum::http::request::Parts) -> String {
    format!("{}{}", origin(http.servient.config(), parts), target.thing.path())
}

fn created(accepted: &ActionStatus, base: &str) -> Response {
    let mut response = (StatusCode::CREATED, Json(status::to_json(accepted, base))).into_response();
    if let Ok(location) = HeaderValue::try_from(status::href(accepted, base)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// `/actions/{name}/{id}`
pub(crate) async fn invocation(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    let id = target.invocation()?;
    let known = target.thing.action_status(&target.name, id)?;
    Methods::QUERY_AND_CANCEL.admit(request.method())?;
    if request.method() == Method::DELETE {
        target.thing.cancel_action(&target.name, id).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (parts, _) = request.into_parts();
    let document = status::to_json(&known, &base(&http, &target, &parts));
    Ok(([(CACHE_CONTROL, NO_CACHE)], Json(document)).into_response())
}

/// `/actions`
pub(crate) async fn all(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    let (parts, _) = request.into_parts();
    let base = base(&http, &target, &parts);
    let listed = target.thing.query_all_actions().into_iter();
    let of_action =
        |statuses: Vec<ActionStatus>| statuses.iter().map(|status| status::to_json(status, &base)).collect();
    let document: Map<String, Value> = listed.map(|(name, statuses)| (name, of_action(statuses))).collect();
    Ok(([(CACHE_CONTROL, NO_CACHE)], Json(document)).into_response())
}
