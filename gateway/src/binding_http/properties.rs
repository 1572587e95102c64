//! Properties: read, write, readall, writemultiple, and their streams by `Accept` (WoT Profile, HTTP Basic and HTTP SSE).

use std::future::ready;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::methods::{Answer, Answered, Methods};
use super::problem::{Kind, Problem};
use super::sse::EVENT_STREAM;
use super::stamp::{JSON, NO_CACHE, stamp};
use super::target::{Target, context};
use super::{Shared, body, negotiate, observe};
use crate::exposed_thing::Description;
use crate::exposed_thing::Observed;
use crate::exposed_thing::kind::Property;
use crate::interaction::{AffordanceKind, Context, Payload};
use crate::reading::Reading;

const MEDIA_JSON: &str = "application/json";

/// `/properties/{name}`
///
/// Each branch is a future of its own, in a box of its own: together they are larger than what the allocator keeps at
/// hand, and a read, which is most of what a gateway does, would pay for the others.
pub(crate) fn one(State(http): State<Shared>, target: Target, request: Request) -> BoxFuture<'static, Answer> {
    match chosen(&http, target, request) {
        Ok(Chosen::Read(target, context)) => Box::pin(read(target, context)),
        Ok(Chosen::Write(target, request, media)) => Box::pin(write(http, target, request, media)),
        Ok(Chosen::Answered(response)) => Box::pin(ready(Ok(response))),
        Err(answered) => Box::pin(ready(Err(answered))),
    }
}

/// What a request to one property asks for.
enum Chosen {
    Read(Target, Context),
    Write(Target, Request, Option<Arc<str>>),
    Answered(Response),
}

fn chosen(http: &Shared, target: Target, request: Request) -> Result<Chosen, Answered> {
    let (media, observable) = admitted(&target, request.method())?;
    if request.method() == Method::PUT {
        return Ok(Chosen::Write(target, request, media));
    }
    match offers(request.headers(), media.as_deref().unwrap_or(MEDIA_JSON), observable)? {
        EVENT_STREAM => {
            let observed = Observed::Property((*target.name).into());
            observe::stream(http, &target.thing, observed, &request).map(Chosen::Answered)
        }
        // Most reads of sensors end here, without a message to the Thing and without a future.
        _ => match target.thing.good_reading(&target.name) {
            Some(reading) => Ok(Chosen::Answered(response(reading))),
            None => Ok(Chosen::Read(target, context(&request)?)),
        },
    }
}

/// The property's media type, where it is no JSON, and whether it can be observed, if it takes this method.
fn admitted(target: &Target, method: &Method) -> Result<(Option<Arc<str>>, bool), Answered> {
    let description = target.thing.described();
    let property =
        description.kind.properties.get(&*target.name).ok_or_else(|| target.unknown(AffordanceKind::Property))?;
    methods_of(property).admit(method)?;
    Ok((property.schema.media.clone(), property.observable))
}

/// What one property offers.
pub(crate) fn methods_of(property: &Property) -> Methods {
    Methods::READ.when(property.readable).and(Methods::WRITE.when(property.writable))
}

/// Decides between a value and a stream of values.
fn offers<'a>(headers: &HeaderMap, media: &'a str, observable: bool) -> Result<&'a str, Problem> {
    let offers = [media, EVENT_STREAM];
    let offers = if observable { &offers[..] } else { &offers[..1] };
    negotiate::media(headers, offers)
        .ok_or_else(|| Problem::new(Kind::NOT_ACCEPTABLE, format!("what can be given: {}", offers.join(", "))))
}

async fn read(target: Target, context: Context) -> Answer {
    target.thing.read_property(&target.name, &context).await.map(response).map_err(Answered::from)
}

fn response(reading: Reading) -> Response {
    let mut response = Response::new(Body::empty());
    stamp(response.headers_mut(), &reading, Instant::now(), SystemTime::now());
    *response.body_mut() = Body::from(reading.body);
    response
}

async fn write(http: Shared, target: Target, request: Request, media: Option<Arc<str>>) -> Answer {
    let context = context(&request)?;
    let input = body::input(request, media.as_deref().unwrap_or(MEDIA_JSON), &http.body_limits()).await?;
    let input = input.ok_or_else(|| Problem::new(Kind::INVALID_INPUT, "a value is expected in the body"))?;
    target.thing.write_property(&target.name, input, &context).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `/properties`
pub(crate) async fn all(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    let description = target.thing.description();
    methods_of_all(&description).admit(request.method())?;
    if request.method() == Method::PUT {
        return write_multiple(&http, &target, request).await;
    }
    let observable = description.kind.properties.values().any(|property| property.observable);
    if offers(request.headers(), MEDIA_JSON, observable)? == EVENT_STREAM {
        return observe::stream(&http, &target.thing, Observed::AllProperties, &request);
    }
    let body = target.thing.read_all_properties(&context(&request)?).await?;
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_CACHE);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

fn methods_of_all(description: &Description) -> Methods {
    let json = || description.kind.properties.values().filter(|property| property.schema.media.is_none());
    Methods::READ.and(Methods::WRITE.when(json().any(|property| property.writable)))
}

async fn write_multiple(http: &Shared, target: &Target, request: Request) -> Answer {
    let context = context(&request)?;
    match body::input(request, MEDIA_JSON, &http.body_limits()).await? {
        Some(Payload::Json(Value::Object(values))) => {
            target.thing.write_multiple_properties(values, &context).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(Problem::new(Kind::INVALID_INPUT, "a JSON object with one member per property is expected").into()),
    }
}
