//! Long poll: the answer comes with the next change, and is always a value.
//!
//! On its own URL, because node-wot would spin on the read URL; outside the time-out layer. node-wot asks with `HEAD` first
//! and wants a 2xx at once; a 204 would reach its listener as a value, a 503 would end its subscription.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, LAST_MODIFIED};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::response::Response;

use super::door::unauthorized;
use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::stamp::{JSON, http_date};
use super::target::{Target, principal};
use super::{Shared, observe};
use crate::exposed_thing::observation::ONLY_WHAT_FOLLOWS;
use crate::exposed_thing::{Notification, Observation, Observed, ObservedItem};
use crate::interaction::AffordanceKind;

/// After this long without news the poll is given up, as node-wot itself does.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// `/properties/{name}/longpoll`
pub(crate) async fn property(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    let description = target.thing.description();
    let property =
        description.kind.properties.get(&*target.name).ok_or_else(|| target.unknown(AffordanceKind::Property))?;
    if !property.observable {
        return Err(Problem::new(Kind::NOT_FOUND, format!("the property `{}` is not observable", target.name)).into());
    }
    poll(&http, &target, Observed::Property(target.name.to_string()), &request.into_parts().0).await
}

/// `/events/{name}/longpoll`
pub(crate) async fn event(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    if !target.thing.description().kind.events.contains_key(&*target.name) {
        return Err(target.unknown(AffordanceKind::Event).into());
    }
    poll(&http, &target, Observed::Event(target.name.to_string()), &request.into_parts().0).await
}

async fn poll(http: &Shared, target: &Target, observed: Observed, request: &Parts) -> Answer {
    Methods::READ.admit(&request.method)?;
    if request.method == Method::HEAD {
        return Ok(answer(Body::empty()));
    }
    observe::place(&request.extensions)?;
    // From beyond the last id: no current value, no replay, only what follows.
    let observation = target.thing.observe(observed, Some(ONLY_WHAT_FOLLOWS))?;
    let mut shutdown = http.servient.stopping();
    let mut stay = http.servient.access().stay(principal(&request.extensions));
    let news = tokio::select! {
        news = next(observation) => news,
        _ = shutdown.wait_for(|down| *down) => None,
        () = tokio::time::sleep(WAIT_MAX) => None,
        () = stay.ended() => None,
    };
    if !stay.stands() {
        return Err(unauthorized(&request.headers).closing().into());
    }
    let ended = || Problem::new(Kind::UNAVAILABLE, "the wait ended without news").closing();
    let news = news.ok_or_else(ended)?;
    let mut response = answer(Body::from(news.body.clone()));
    let (now, now_utc) = (Instant::now(), SystemTime::now());
    let age = now.saturating_duration_since(news.taken);
    response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    response.headers_mut().insert(LAST_MODIFIED, http_date(now_utc.checked_sub(age).unwrap_or(now_utc)));
    Ok(response)
}

async fn next(mut observation: Observation) -> Option<Arc<Notification>> {
    loop {
        if let ObservedItem::Notification(notification) = observation.next().await? {
            return Some(notification);
        }
    }
}

fn answer(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
