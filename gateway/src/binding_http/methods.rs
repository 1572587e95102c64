//! Which HTTP methods a resource offers, as a set with its `Allow` header.
//!
//! `OPTIONS` is offered everywhere and `HEAD` with every `GET`, so both are implied; `TRACE` and `CONNECT` never are.

use axum::body::Body;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::problem::Problem;

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Methods(u8);

const GET: u8 = 1;
const PUT: u8 = 2;
const POST: u8 = 4;
const DELETE: u8 = 8;

impl Methods {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const READ: Self = Self(GET);
    pub(crate) const WRITE: Self = Self(PUT);
    pub(crate) const INVOKE: Self = Self(POST);
    /// Of an invocation's status.
    pub(crate) const QUERY_AND_CANCEL: Self = Self(GET | DELETE);

    /// Both sets.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set if `condition`, else none.
    pub(crate) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// Reads a comma-separated list.
    pub(crate) fn parse(list: &str) -> Self {
        list.split(',').map(str::trim).map(Self::of).fold(Self::NONE, Self::and)
    }

    fn of(method: &str) -> Self {
        Self(match method {
            "GET" | "HEAD" => GET,
            "PUT" => PUT,
            "POST" => POST,
            "DELETE" => DELETE,
            _ => 0,
        })
    }

    /// The list as `Allow` has it.
    pub(crate) fn as_str(self) -> &'static str {
        const LISTS: [&str; 16] = [
            "OPTIONS",
            "GET, HEAD, OPTIONS",
            "PUT, OPTIONS",
            "GET, HEAD, PUT, OPTIONS",
            "POST, OPTIONS",
            "GET, HEAD, POST, OPTIONS",
            "PUT, POST, OPTIONS",
            "GET, HEAD, PUT, POST, OPTIONS",
            "DELETE, OPTIONS",
            "GET, HEAD, DELETE, OPTIONS",
            "PUT, DELETE, OPTIONS",
            "GET, HEAD, PUT, DELETE, OPTIONS",
            "POST, DELETE, OPTIONS",
            "GET, HEAD, POST, DELETE, OPTIONS",
            "PUT, POST, DELETE, OPTIONS",
            "GET, HEAD, PUT, POST, DELETE, OPTIONS",
        ];
        LISTS[usize::from(self.0 & 15)]
    }

    /// The value of `Allow`.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    fn contains(self, method: &Method) -> bool {
        self.0 & Self::of(method.as_str()).0 != 0
    }

    /// Goes on with a method that is offered. `Err` is the whole answer: to `OPTIONS`, or 405.
    pub(crate) fn admit(self, method: &Method) -> Result<(), Answered> {
        if self.contains(method) {
            return Ok(());
        }
        if method == Method::OPTIONS {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(ALLOW, self.header());
            return Err(Answered(Box::new(response)));
        }
        Err(Problem::not_allowed(method, self).into())
    }
}

/// A response that ends a handler early, by `?`.
#[derive(Debug)]
pub(crate) struct Answered(Box<Response>);

impl<P: Into<Problem>> From<P> for Answered {
    fn from(problem: P) -> Self {
        Self(Box::new(axum::response::IntoResponse::into_response(problem.into())))
    }
}

impl axum::response::IntoResponse for Answered {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// What the resources answer.
pub(crate) type Answer = Result<Response, Answered>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        for bits in 0..16 {
            let methods = Methods(bits);
            assert_eq!(Methods::parse(methods.as_str()), methods);
        }
    }

    #[test]
    fn head_comes_with_get_and_trace_never() {
        let methods = Methods::READ.and(Methods::WRITE.when(false));
        assert!(methods.admit(&Method::HEAD).is_ok());
        assert!(methods.admit(&Method::TRACE).is_err());
        assert!(methods.admit(&Method::PUT).is_err());
    }
}
