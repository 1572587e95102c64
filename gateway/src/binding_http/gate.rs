//! Two layers that let a request pass or answer it at once: the check of its head, and the limit of requests in flight.
//!
//! Neither waits: a request that would have to queue here is better told to come again.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use super::host::Hosts;
use super::problem::{Kind, Problem};

/// What a gate lets in by.
#[derive(Debug, Clone)]
pub(crate) enum Gate {
    /// `Host` and the size of the headers.
    Head(Arc<Hosts>),
    /// Requests in flight.
    Load(Arc<Semaphore>),
}

impl Gate {
    fn enter(&self, request: &Request) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        match self {
            Self::Head(hosts) => hosts.check(request.version(), request.uri(), request.headers()).map(|()| None),
            Self::Load(places) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => Ok(Some(place)),
                Err(_) => Err(Problem::new(Kind::OVERLOADED, "too many requests are being answered")),
            },
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
    type Future = Either<Inside<S::Future>, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.gate.enter(&request) {
            Ok(place) => Either::Left(Inside { inner: self.inner.call(request), _place: place }),
            Err(problem) => Either::Right(ready(Ok(problem.into_response()))),
        }
    }
}

pin_project! {
    /// A request that was let in; holds its place until it is answered.
    #[derive(Debug)]
    pub(crate) struct Inside<F> {
        #[pin]
        inner: F,
        _place: Option<OwnedSemaphorePermit>,
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}
