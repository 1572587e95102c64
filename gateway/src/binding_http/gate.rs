//! Layers that let a request pass or answer it at once: the check of its head, and the door.
//!
//! How many requests are answered at once is no matter of a layer: a connection has one at a time, and their number is bounded.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use tower::{Layer, Service};

use super::door::Door;
use super::host::Hosts;
use super::problem::Problem;

/// What a gate lets in by.
#[derive(Debug, Clone)]
pub(crate) enum Gate {
    /// `Host` and the size of the headers.
    Head(Arc<Hosts>),
    /// Who asks, and whether they may.
    Access(Arc<Door>),
}

impl Gate {
    fn enter(&self, request: &mut Request) -> Result<(), Problem> {
        match self {
            Self::Head(hosts) => hosts.check(request.version(), request.uri(), request.headers()),
            Self::Access(door) => door.enter(request),
        }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.clone() }
    }
}

/// A service behind a gate.
#[derive(Debug, Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S> Service<Request> for Gated<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.gate.enter(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(problem) => Either::Right(ready(Ok(problem.into_response()))),
        }
    }
}
