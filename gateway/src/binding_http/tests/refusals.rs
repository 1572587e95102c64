//! What is refused, by whichever layer, and that it says why in a problem document.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::HOST;
use axum::routing::any;
use tower::ServiceExt;

use super::bed::{Answered, Bed};
use crate::binding_http::behind_layers;
use crate::config::Config;

const ON: &str = "/things/lamp/properties/on";

fn put(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::put(ON).header("content-type", content_type).body(body.into()).unwrap()
}

fn refused(answer: &Answered, status: u16, kind: &str) {
    let body = answer.json();
    assert_eq!(
        (answer.status, body["type"].as_str().unwrap()),
        (status, format!("urn:tidegate:problem:{kind}").as_str())
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

#[tokio::test]
async fn bad_bodies() {
    let mut config = Config::default();
    config.limits.body_bytes_max = 2000;
    let bed = Bed::of(config);
    refused(&bed.send(put("application/json", "{")).await, 400, "bad-request");
    refused(&bed.send(put("application/json", "")).await, 400, "invalid-input");
    refused(&bed.send(put("application/json", "{\"a\":1,\"a\":2}")).await, 400, "bad-request");
    refused(&bed.send(put("application/json", "[".repeat(500))).await, 400, "bad-request");
    refused(&bed.send(put("application/json", "\"yes\"")).await, 400, "invalid-input");
    refused(&bed.send(put("text/plain", "true")).await, 415, "unsupported-media-type");
    refused(&bed.send(put("application/json", " ".repeat(2001))).await, 413, "too-large");
    let announced = Request::put(ON).header("content-length", "99999999999").body(Body::empty()).unwrap();
    refused(&bed.send(announced).await, 413, "too-large");
    let streamed = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("  ")).take_while_bytes(3000);
    refused(&bed.send(put("application/json", Body::from_stream(streamed))).await, 413, "too-large");
    assert_eq!(bed.get(ON).await.body, b"false", "nothing was written");
}

trait TakeBytes: futures_util::Stream + Sized {
    fn take_while_bytes(self, chunks: usize) -> futures_util::stream::Take<Self> {
        futures_util::StreamExt::take(self, chunks)
    }
}

impl<S: futures_util::Stream> TakeBytes for S {}

#[tokio::test]
async fn what_is_not_answered_in_time() {
    let mut config = Config::default();
    config.limits.request_timeout = Duration::from_millis(20);
    let never = || Router::new().route("/never", any(std::future::pending::<()>));
    for (answered, waiting, ends) in [(never(), Router::new(), true), (Router::new(), never(), false)] {
        let router = behind_layers(answered, waiting, &config);
        let request = Request::get("/never").header(HOST, "localhost").body(Body::empty()).unwrap();
        match tokio::time::timeout(Duration::from_millis(500), router.oneshot(request)).await {
            Ok(response) => {
                let response = response.unwrap();
                assert!(ends && response.status() == 503 && response.headers()["retry-after"] == "1");
                let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
                assert!(String::from_utf8_lossy(&body).contains("urn:tidegate:problem:deadline"));
            }
            Err(_) => assert!(!ends, "the time-out layer is there"),
        }
    }
}

#[tokio::test]
async fn wrong_accepts() {
    let bed = Bed::new();
    for (path, accept) in
        [(ON, "image/png"), ("/things/lamp/properties/level", "text/event-stream"), ("/things", "text/html")]
    {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        refused(&bed.send(request).await, 406, "not-acceptable");
    }
}

#[tokio::test]
async fn strange_hosts_and_foreign_pages() {
    let bed = Bed::new();
    let host = Request::get(ON).header(HOST, "evil.example").body(Body::empty()).unwrap();
    refused(&bed.send(host).await, 421, "misdirected");
    let headers = Request::get(ON).header("x-long", "y".repeat(20_000)).body(Body::empty()).unwrap();
    refused(&bed.send(headers).await, 431, "headers-too-large");
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let write = Request::put(ON).header(name, value).header("content-type", "application/json");
        refused(&bed.send(write.body(Body::from("true")).unwrap()).await, 403, "cross-origin");
    }
    let own = Request::put(ON).header("origin", "http://localhost:8080").header("content-type", "application/json");
    assert_eq!(bed.send(own.body(Body::from("true")).unwrap()).await.status, 204);
}

#[tokio::test]
async fn no_body_is_parsed_as_something_else() {
    let bed = Bed::new();
    for seed in 0..200_u32 {
        // A small deterministic walk through odd bytes; the seed names the case.
        let bytes: Vec<u8> = (0..seed % 23)
            .map(|index| b"{}[]\",:01e.-tfn\\ \xff\x00"[((seed * 31 + index * 7) % 19) as usize])
            .collect();
        let answer = bed.send(put("application/json", bytes)).await;
        assert!([204, 400].contains(&answer.status), "seed {seed}: {}", answer.status);
    }
}
