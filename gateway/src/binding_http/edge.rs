//! The outermost layer: turns every failure into a problem document, a panic included, and traces the request.
//!
//! Invariant: no response of 400 or above leaves without `application/problem+json`, whichever layer made it.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::response::Response;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::problem::{Kind, PROBLEM_JSON, Problem};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EdgeLayer;

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Edge<S> {
    inner: S,
}

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = EdgeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let began = tracing::enabled!(tracing::Level::DEBUG).then(Instant::now);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        EdgeFuture { inner: self.inner.call(request), method, uri, began }
    }
}

pin_project! {
    /// The response on its way out.
    #[derive(Debug)]
    pub(crate) struct EdgeFuture<F> {
        #[pin]
        inner: F,
        method: Method,
        uri: Uri,
        began: Option<Instant>,
    }
}

impl<F> Future for EdgeFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // After a panic the inner future is not polled again, so a half-changed state is never seen.
        let polled = catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx)));
        let response = match polled {
            Ok(polled) => {
                let Ok(response) = ready!(polled);
                if response.status().as_u16() < 400 { response } else { with_document(response, this.uri.path()) }
            }
            Err(_) => {
                tracing::error!(method = %this.method, path = this.uri.path(), "a request handler panicked");
                Problem::new(Kind::INTERNAL, "the gateway failed on this request; its log says where")
                    .render(this.uri.path())
            }
        };
        if let Some(began) = this.began {
            let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let status = response.status().as_u16();
            tracing::debug!(method = %this.method, path = this.uri.path(), status, latency_us, "answered");
        }
        Poll::Ready(Ok(response))
    }
}

/// Writes the document of a failure: of the problem that was put into the response, else of its status alone.
#[cold]
fn with_document(mut response: Response, path: &str) -> Response {
    if response.headers().get(CONTENT_TYPE) == Some(&PROBLEM_JSON) {
        return response;
    }
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    let generic = || Arc::new(Problem::of_status(response.status()));
    let mut rendered = problem.unwrap_or_else(generic).render(path);
    // What a layer said beside the status stays, such as `Allow` of the router.
    for (name, value) in response.headers() {
        if !rendered.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use tower::{ServiceExt, service_fn};

    async fn through(answer: impl Fn() -> Response + Clone) -> (StatusCode, serde_json::Value) {
        let service = service_fn(move |_: Request| {
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer()) }
        });
        let request = Request::get("/things/x?y").body(Body::empty()).unwrap();
        let response = EdgeLayer.layer(service).oneshot(request).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem() {
        let (status, body) = through(|| panic!("for the test")).await;
        assert_eq!((status.as_u16(), body["type"].as_str()), (500, Some("urn:tidegate:problem:internal")));
    }

    #[tokio::test]
    async fn a_naked_status_gets_a_document_with_its_path() {
        let (status, body) = through(|| (StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded").into_response()).await;
        assert_eq!((status.as_u16(), body["instance"].as_str()), (413, Some("/things/x")));
    }
}
