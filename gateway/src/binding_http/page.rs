//! The page of `web-ui`, embedded: an ordinary consumer without private endpoints, signing in excepted.
//!
//! The content security policy lets nothing in but what is served here, and nobody frame it.

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::stamp::NO_CACHE;

const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const PAGE: &str = include_str!("../../../web-ui/index.html");
const SCRIPT: &str = include_str!("../../../web-ui/app.js");
const CONSUMER: &str = include_str!("../../../web-ui/consumer.js");
const SESSION: &str = include_str!("../../../web-ui/session.js");
const ICON: &str = include_str!("../../../web-ui/icon.svg");
const STYLE: &str = include_str!("../../../web-ui/style.css");

/// `/` and `/ui`
pub(crate) async fn page(request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    Ok(asset("text/html; charset=utf-8", PAGE))
}

/// `/ui/{file}`
pub(crate) async fn file(
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    request: Request,
) -> Answer {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let (media, text) = match name.as_str() {
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "consumer.js" => ("text/javascript; charset=utf-8", CONSUMER),
        "session.js" => ("text/javascript; charset=utf-8", SESSION),
        "icon.svg" => ("image/svg+xml", ICON),
        "style.css" => ("text/css; charset=utf-8", STYLE),
        _ => return Err(Problem::new(Kind::NOT_FOUND, "the page has no such part").into()),
    };
    Methods::READ.admit(request.method())?;
    Ok(asset(media, text))
}

fn asset(media: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, NO_CACHE);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
