//! The cookie of a browser's session: its name, what it says, and which requests it counts for.
//!
//! Scripts cannot read it, and no other site's page makes a browser send it. Over https, and on loopback, it is a `__Host-`
//! cookie, which no neighbour can set; over plain http elsewhere a browser drops those, so it is a plain one. Cookies do not
//! tell ports apart: the name has the port, so that two gateways of a machine do not sign each other's users out.

use axum::extract::Request;
use axum::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};

use super::host::{is_private, origin_seen};
use crate::config::Config;

/// Cookies of the name that are looked at; further ones are somebody's attempt.
const COOKIES_MAX: usize = 4;
const HOST_PREFIX: &str = "__Host-";
const NAME: &str = "tidegate-";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie as the browser that sent a request has it.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    name: String,
    /// Nobody between the browser and the gateway can read it.
    pub(crate) is_private: bool,
}

impl SessionCookie {
    pub(crate) fn of(config: &Config, request: &Request) -> Self {
        let origin = origin_seen(config, request.extensions(), request.headers(), request.uri());
        let is_private = is_private(config, &origin);
        let prefix = if is_private { HOST_PREFIX } else { "" };
        Self { name: format!("{prefix}{NAME}{}", config.listen.port()), is_private }
    }

    /// The secrets that a request shows. There may be several: a neighbour can set a plain cookie, but no good one.
    pub(crate) fn secrets<'a>(&self, config: &Config, headers: &'a HeaderMap) -> Vec<&'a [u8]> {
        if !is_of_our_page(config, headers) {
            return Vec::new();
        }
        let ours = pairs(headers).filter_map(|(name, value)| (name == self.name.as_bytes()).then_some(value));
        ours.take(COOKIES_MAX).collect()
    }

    /// `Set-Cookie`; an empty secret ends it.
    pub(crate) fn set(&self, secret: &str, seconds: u64) -> Option<HeaderValue> {
        let (name, secure) = (&self.name, if self.is_private { "; Secure" } else { "" });
        let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Whether a browser's page sent this, as far as a cookie of ours tells, good or not.
pub(crate) fn is_from_page(headers: &HeaderMap) -> bool {
    let is_ours = |name: &[u8]| name.strip_prefix(HOST_PREFIX.as_bytes()).unwrap_or(name).starts_with(NAME.as_bytes());
    pairs(headers).any(|(name, _)| is_ours(name))
}

/// A page of another port of this host is of the same site to a browser, which sends our cookie along. It could not read
/// the answer, but it could open streams without end.
fn is_of_our_page(config: &Config, headers: &HeaderMap) -> bool {
    let says = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if says(SEC_FETCH_SITE).is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) else { return true };
    let authority = origin.split_once("://").map(|(_, authority)| authority.as_bytes());
    config.base_url.as_deref() == Some(origin) || (authority.is_some() && authority == says(HOST))
}

/// RFC 6265 section 4.2.1.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        Some((name, &value[1..]))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    fn secrets(headers: &[(&'static str, &str)]) -> Vec<String> {
        let (config, request) = (Config::default(), request(headers));
        let cookie = SessionCookie::of(&config, &request);
        let secrets = cookie.secrets(&config, request.headers());
        secrets.into_iter().map(|secret| String::from_utf8_lossy(secret).into_owned()).collect()
    }

    #[test]
    fn a_cookie_is_marked_for_the_host_where_the_browser_keeps_such_ones() {
        let config = Config::default();
        let set = |host: &str| SessionCookie::of(&config, &request(&[("host", host)])).set("x", 9).unwrap();
        let private = "__Host-tidegate-8080=x; Path=/; Max-Age=9; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(set("127.0.0.1:8080"), private);
        assert_eq!(set("localhost"), private);
        assert_eq!(set("pi.local:8080"), "tidegate-8080=x; Path=/; Max-Age=9; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn only_the_name_that_fits_the_place_counts() {
        let (local, remote) = (("host", "localhost:8080"), ("host", "pi.local:8080"));
        let both = ("cookie", "a=1; __Host-tidegate-8080=good; tidegate-8080=tossed; tidegate-80=other");
        assert_eq!(secrets(&[local, both]), ["good"]);
        assert_eq!(secrets(&[remote, both]), ["tossed"]);
        let many = "__Host-tidegate-8080=x;".repeat(9);
        assert_eq!(
            secrets(&[local, ("cookie", "__Host-tidegate-8080=y=="), ("cookie", &many)]),
            ["y==", "x", "x", "x"]
        );
        assert_eq!(secrets(&[local, ("cookie", "=;;=a; b;__Host-tidegate-8080 =x")]), [""; 0]);
        assert!(is_from_page(request(&[("cookie", "a=b;tidegate-1=")]).headers()));
        assert!(!is_from_page(request(&[("cookie", "a=tidegate-1")]).headers()));
    }

    #[test]
    fn it_counts_for_requests_of_our_own_page_alone() {
        let (host, cookie) = (("host", "localhost:8080"), ("cookie", "__Host-tidegate-8080=x"));
        for own in [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")]
        {
            assert_eq!(secrets(&[host, cookie, own]), ["x"], "{own:?}");
        }
        let foreign = [
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
        ];
        for foreign in foreign {
            assert_eq!(secrets(&[host, cookie, foreign]), [""; 0], "{foreign:?}");
        }
    }
}
