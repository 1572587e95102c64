//! Begins an observation for one client: a place among the observers, and where to go on.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;

use super::caller::Caller;
use super::methods::Answer;
use super::problem::{Kind, Problem};
use super::target::principal;
use super::{Shared, sse};
use crate::exposed_thing::{ExposedThing, Observed};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The stream of `observed`, from the `Last-Event-ID` of the request on. To `HEAD` only its headers.
pub(crate) fn stream(http: &Shared, thing: &ExposedThing, observed: Observed, request: &Request) -> Answer {
    let body = if request.method() == Method::HEAD {
        // Of unknown length, as the stream is.
        Body::from_stream(futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>())
    } else {
        place(request.extensions())?;
        let observation = thing.observe(observed, last_event_id(request.headers()))?;
        let stay = http.servient.access().stay(principal(request.extensions()));
        sse::body(observation, http.servient.stopping(), stay)
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sse::EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    // nginx would keep events until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Who is told that there is no place for another observer should not come again at once.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// Gives the connection of a request its place among the event streams and long polls, for as long as it is there.
pub(crate) fn place(extensions: &Extensions) -> Result<(), Problem> {
    match extensions.get::<Arc<Caller>>() {
        Some(caller) if !caller.seat.observes() => {
            let full = "too many event streams and long polls are open (`observers-max`)";
            Err(Problem::new(Kind::OVERLOADED, full).retry(FULL_RETRY))
        }
        _ => Ok(()),
    }
}

/// What is no id of ours is treated as none: the client gets the current values.
fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.trim().parse().ok()
}
