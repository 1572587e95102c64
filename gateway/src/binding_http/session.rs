//! `/session`, where the page signs in: the one resource that is no part of the Web of Things.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Shared;
use super::body::{self, BodyLimits};
use super::cookie::SessionCookie;
use super::door::{peer, refused, unauthorized};
use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::target::query;
use crate::access::{Principal, SESSION_AT_MOST};
use crate::interaction::Payload;

/// Where it is.
pub(crate) const PATH: &str = "/session";
/// Largest body: a token and little else, in bytes.
const BODY_BYTES_MAX: usize = 4 << 10;
const FORM: &str = "application/x-www-form-urlencoded";

/// `/session`: GET how it stands, POST a token to sign in, DELETE to sign out.
pub(crate) async fn session(State(http): State<Shared>, request: Request) -> Answer {
    Methods::QUERY_AND_CANCEL.and(Methods::INVOKE).admit(request.method())?;
    let mut response = match *request.method() {
        Method::POST => sign_in(&http, request).await?,
        Method::DELETE => sign_out(&http, &request),
        _ => standing(&http, &request),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Whether a token is needed, whether the browser is signed in, and whether others on its way can read along.
fn standing(http: &Shared, request: &Request) -> Response {
    let (access, config) = (http.servient.access(), http.servient.config());
    let cookie = SessionCookie::of(config, request);
    let mut sessions = cookie.secrets(config, request.headers()).into_iter();
    let document = json!({
        "tokenNeeded": access.is_protected(),
        "signedIn": sessions.any(|secret| access.session(secret).is_some()),
        "readable": !cookie.is_private,
    });
    Json(document).into_response()
}

async fn sign_in(http: &Shared, request: Request) -> Result<Response, Problem> {
    let (access, config) = (http.servient.access(), http.servient.config());
    if !access.is_protected() {
        return Err(Problem::new(Kind::CONFLICT, "there is no token, so that nobody has to sign in"));
    }
    let (peer, cookie) = (peer(&request, &config.trusted_proxies), SessionCookie::of(config, &request));
    let headers = request.headers().clone();
    let is_form = body::media_type(&headers).as_deref() == Some(FORM);
    let token = token_in(request, is_form, http.body_limits()).await?;
    // To a script of the page, whatever it was: it asks again by itself.
    let refused = |not_taken| refused(not_taken, &headers).without_basic(true);
    let admitted = access.admit(token.trim().as_bytes(), peer).map_err(refused)?;
    let Principal::Admin { token, .. } = admitted else { return Err(unauthorized(&headers)) };
    // A new secret each time: one that was there before, whoever set it, does not become good.
    let secret = access.sign_in(token).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    end(http, &cookie, &headers);
    tracing::info!(%peer, %token, "signed in");
    let mut response = match is_form {
        true => (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static("/"))]).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    };
    response.headers_mut().extend(cookie.set(secret.reveal(), SESSION_AT_MOST.as_secs()).map(|set| (SET_COOKIE, set)));
    Ok(response)
}

/// The token in the body.
async fn token_in(request: Request, is_form: bool, limits: BodyLimits) -> Result<String, Problem> {
    let limits = BodyLimits { bytes_max: BODY_BYTES_MAX, ..limits };
    let input = body::input(request, if is_form { FORM } else { "application/json" }, &limits).await?;
    let token = match &input {
        Some(Payload::Json(document)) => document.get("token").and_then(Value::as_str).map(str::to_owned),
        Some(Payload::Media { bytes, .. }) => of_form(bytes),
        None => None,
    };
    token.ok_or_else(|| Problem::new(Kind::INVALID_INPUT, "the token is expected as the member, or the field, `token`"))
}

/// A form is written as the query of a URL is.
fn of_form(bytes: &[u8]) -> Option<String> {
    let uri: Uri = format!("/?{}", std::str::from_utf8(bytes).ok()?).parse().ok()?;
    query(&uri).ok()?.remove("token")
}

fn sign_out(http: &Shared, request: &Request) -> Response {
    let cookie = SessionCookie::of(http.servient.config(), request);
    end(http, &cookie, request.headers());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend(cookie.set("", 0).map(|set| (SET_COOKIE, set)));
    response
}

/// Ends the session that the request's cookie names.
fn end(http: &Shared, cookie: &SessionCookie, headers: &HeaderMap) {
    for secret in cookie.secrets(http.servient.config(), headers) {
        http.servient.access().sign_out(secret);
    }
}
