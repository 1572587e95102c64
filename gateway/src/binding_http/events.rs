//! Events: streams only. A plain GET on an event's URL is 406, because an event has no value between two of them.

use axum::extract::{Request, State};

use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::sse::EVENT_STREAM;
use super::target::Target;
use super::{Shared, negotiate, observe};
use crate::exposed_thing::Observed;
use crate::interaction::AffordanceKind;

/// `/events/{name}`
pub(crate) async fn one(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    if !target.thing.description().kind.events.contains_key(&*target.name) {
        return Err(target.unknown(AffordanceKind::Event).into());
    }
    let observed = Observed::Event(target.name.to_string());
    stream(&http, &target, observed, &request)
}

/// `/events`
pub(crate) async fn all(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    stream(&http, &target, Observed::AllEvents, &request)
}

fn stream(http: &Shared, target: &Target, observed: Observed, request: &Request) -> Answer {
    Methods::READ.admit(request.method())?;
    if !negotiate::names(request.headers(), EVENT_STREAM) {
        let detail = "events come as a stream: ask with `Accept: text/event-stream`, or at the long poll's own URL";
        return Err(Problem::new(Kind::NOT_ACCEPTABLE, detail).into());
    }
    observe::stream(http, &target.thing, observed, request)
}
