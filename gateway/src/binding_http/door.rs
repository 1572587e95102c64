//! The door: every request passes it, and from its method and route comes what the one decision is asked.
//!
//! Invariant: what is not named here as open needs a token when there is one, resources that do not exist included. Who
//! was let in is an extension of the request, for handlers and streams. Refusals are uniform: they do not tell whether
//! credentials were missing, wrong or unreadable, nor whether there is anything at the path.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::{HeaderMap, Method};
use futures_util::FutureExt;

use super::caller::Caller;
use super::cookie::{SessionCookie, is_from_page};
use super::credentials::Shown;
use super::negotiate;
use super::problem::{Kind, Problem};
use super::session;
use super::sse::EVENT_STREAM;
use super::{HANDLER_OF_THING, THING};
use crate::access::{Decision, NotTaken, Operation, Principal};
use crate::servient::Servient;

/// See the module. Without a servient it has no lock: for constants behind the layers of a gateway.
#[derive(Debug, Default)]
pub(crate) struct Door {
    servient: Option<Arc<Servient>>,
}

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing that is anybody's: the page's own files, and the way to sign in.
    Open,
    Operation(Operation),
}

impl Door {
    pub(crate) fn of(servient: &Arc<Servient>) -> Self {
        Self { servient: Some(Arc::clone(servient)) }
    }

    /// Lets a request in, or says why not.
    pub(crate) fn enter(&self, request: &mut Request) -> Result<(), Problem> {
        match self.servient.as_deref().filter(|servient| servient.access().is_protected()) {
            Some(servient) => ask(servient, request),
            None => Ok(()),
        }
    }
}

/// Asks the decision.
fn ask(servient: &Servient, request: &mut Request) -> Result<(), Problem> {
    let template = request.extensions().get::<MatchedPath>().cloned();
    let template = template.as_ref().map(MatchedPath::as_str);
    let Asked::Operation(operation) = asked(template, request.method(), request.headers()) else { return Ok(()) };
    let principal = principal(servient, request)?;
    let (thing, affordance) = names(servient, request);
    match servient.access().decide(principal, operation, thing.as_deref(), affordance.as_deref()) {
        Decision::Allow => {
            request.extensions_mut().insert(principal);
            Ok(())
        }
        Decision::SignIn => Err(unauthorized(request.headers())),
        Decision::Refuse => Err(Problem::new(Kind::FORBIDDEN, "this is not permitted to who asks")),
    }
}

fn principal(servient: &Servient, request: &Request) -> Result<Principal, Problem> {
    let (access, config, headers) = (servient.access(), servient.config(), request.headers());
    let taken = match Shown::by(headers) {
        Shown::Nothing => {
            let secrets = SessionCookie::of(config, request).secrets(config, headers);
            return Ok(secrets.into_iter().find_map(|secret| access.session(secret)).unwrap_or_default());
        }
        Shown::Token(token) => access.admit(&token, peer(request, &config.trusted_proxies)),
        Shown::Unreadable => Err(access.wrong(peer(request, &config.trusted_proxies))),
    };
    taken.map_err(|not_taken| refused(not_taken, headers))
}

/// The Thing and the affordance of the path. A Thing's id is as good as its name, so that it is one Thing to the decision
/// whatever it is called; what does not exist is refused under the name that was given.
fn names(servient: &Servient, request: &mut Request) -> (Option<String>, Option<String>) {
    let (mut parts, body) = std::mem::take(request).into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).now_or_never();
    *request = Request::from_parts(parts, body);
    let Some(Ok(params)) = params else { return (None, None) };
    let of = |wanted: &str| params.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let canonical =
        |given: &str| servient.thing(given).map_or_else(|_| given.to_owned(), |thing| thing.name().to_string());
    let thing = of("thing").map(canonical).or_else(|| Some(format!("{}/handler", canonical(of("controlled")?))));
    (thing, of("name").map(str::to_owned))
}

/// From where a request came; through a proxy that is trusted, from where it says.
pub(crate) fn peer(request: &Request, trusted_proxies: &[IpAddr]) -> IpAddr {
    let caller = request.extensions().get::<Arc<Caller>>();
    let peer = caller.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |caller| caller.address.ip().to_canonical());
    if !trusted_proxies.contains(&peer) {
        return peer;
    }
    // The last one is the proxy's own word; those before it are the client's.
    let forwarded = request.headers().get_all("x-forwarded-for").into_iter().next_back();
    let forwarded = forwarded.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    forwarded.unwrap_or(peer)
}

/// The one answer to who has shown nothing, or nothing good.
pub(crate) fn unauthorized(headers: &HeaderMap) -> Problem {
    let detail = "a token is needed: as a bearer, or as the password of basic authentication";
    // A browser would cover the page, which asks by itself, with a window of its own.
    Problem::new(Kind::UNAUTHORIZED, detail).without_basic(is_from_page(headers))
}

/// The answer to a token that was not taken.
pub(crate) fn refused(not_taken: NotTaken, headers: &HeaderMap) -> Problem {
    match not_taken {
        NotTaken::Wrong => unauthorized(headers),
        NotTaken::TooMany(wait) => {
            Problem::new(Kind::TOO_MANY_GUESSES, "too many wrong credentials came from this address").retry(wait)
        }
    }
}

/// From the route's template and the method to the operation.
fn asked(template: Option<&str>, method: &Method, headers: &HeaderMap) -> Asked {
    let Some(template) = template else { return Asked::Operation(Operation::Describe) };
    if matches!(template, "/" | "/ui" | "/ui/{file}" | session::PATH) {
        return Asked::Open;
    }
    let below = template.strip_prefix(HANDLER_OF_THING).or_else(|| template.strip_prefix(THING)).unwrap_or_default();
    let reads = || match negotiate::names(headers, EVENT_STREAM) {
        true => Operation::Observe,
        false => Operation::Read,
    };
    Asked::Operation(match (below, method.as_str()) {
        (_, "OPTIONS") => Operation::Describe,
        ("/properties" | "/properties/{name}", "GET" | "HEAD") => reads(),
        ("/properties" | "/properties/{name}", _) => Operation::Write,
        ("/properties/{name}/longpoll" | "/events" | "/events/{name}" | "/events/{name}/longpoll", _) => {
            Operation::Observe
        }
        ("/actions/{name}", _) => Operation::Invoke,
        ("/actions/{name}/{id}", "DELETE") => Operation::Cancel,
        ("/actions" | "/actions/{name}/{id}", _) => Operation::Query,
        _ => Operation::Describe,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_and_its_method_ask_for_one_operation() {
        use Operation::*;
        let rows = [
            ("GET", "", Describe),
            ("GET", "/model", Describe),
            ("GET", "/properties", Read),
            ("HEAD", "/properties/{name}", Read),
            ("PUT", "/properties", Write),
            ("PUT", "/properties/{name}", Write),
            ("PATCH", "/properties/{name}", Write),
            ("OPTIONS", "/properties/{name}", Describe),
            ("GET", "/properties/{name}/longpoll", Observe),
            ("GET", "/events", Observe),
            ("GET", "/events/{name}", Observe),
            ("GET", "/events/{name}/longpoll", Observe),
            ("GET", "/actions", Query),
            ("POST", "/actions/{name}", Invoke),
            ("GET", "/actions/{name}/{id}", Query),
            ("DELETE", "/actions/{name}/{id}", Cancel),
        ];
        let none = HeaderMap::new();
        let streams = HeaderMap::from_iter([(axum::http::header::ACCEPT, "text/event-stream".parse().unwrap())]);
        for (method, below, operation) in rows {
            let method = method.parse().unwrap();
            for base in [THING, HANDLER_OF_THING] {
                let template = format!("{base}{below}");
                assert_eq!(asked(Some(&template), &method, &none), Asked::Operation(operation), "{method} {template}");
                let observed = if operation == Read { Observe } else { operation };
                assert_eq!(
                    asked(Some(&template), &method, &streams),
                    Asked::Operation(observed),
                    "{method} {template}"
                );
            }
        }
        for open in ["/", "/ui", "/ui/{file}", "/session"] {
            assert_eq!(asked(Some(open), &Method::POST, &none), Asked::Open);
        }
        for template in [None, Some("/things"), Some("/.well-known/wot"), Some("/new")] {
            assert_eq!(
                asked(template, &Method::GET, &none),
                Asked::Operation(Describe),
                "what is not named is not open"
            );
        }
    }

    #[test]
    fn a_peer_is_who_a_trusted_proxy_says() {
        let proxy: std::net::SocketAddr = "[::ffff:10.0.0.1]:5".parse().unwrap();
        let mut request = Request::new(axum::body::Body::empty());
        request.headers_mut().append("x-forwarded-for", "6.6.6.6".parse().unwrap());
        request.headers_mut().append("x-forwarded-for", "7.7.7.7, 192.0.2.9".parse().unwrap());
        request.extensions_mut().insert(Caller::new(proxy, crate::room::Room::new(1, 0).enter(proxy).unwrap()));
        assert_eq!(peer(&request, &[]).to_string(), "10.0.0.1");
        assert_eq!(peer(&request, &["10.0.0.1".parse().unwrap()]).to_string(), "192.0.2.9");
    }
}
