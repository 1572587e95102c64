//! Reading the body of a request: bounded in bytes and in time, by itself and together with others; parsed once.
//!
//! The length is checked before the first byte is taken, and again while they come. What a body means is not known here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use thing_descriptions::{JsonLimits, parse_json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Kind, Problem};
use crate::interaction::{InteractionError, Payload};

/// How much of a refused body is taken before its connection is closed, and for how long.
const DISCARDED_BYTES_MAX: usize = 32 << 20;
const DISCARDED_WITHIN: Duration = Duration::from_secs(1);

/// What is no larger needs no leave: ordinary requests do not suffer from large ones, however many there are.
const SMALL: usize = 64 << 10;
/// What larger bodies may hold together while they arrive, in bytes; two of the largest that are allowed in any case.
const LARGE_BYTES_MAX: usize = 64 << 20;

/// Memory for the large bodies of all requests.
#[derive(Debug, Clone)]
pub(crate) struct LargeBodies(Arc<Semaphore>);

impl LargeBodies {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BYTES_MAX.max(bytes_max.saturating_mul(2)) / SMALL)))
    }

    /// Makes `held` enough for `bytes`. `false`: there is no more.
    fn hold(&self, held: &mut Vec<OwnedSemaphorePermit>, bytes: usize) -> bool {
        while bytes > (held.len() + 1) * SMALL {
            let Ok(more) = Arc::clone(&self.0).try_acquire_owned() else { return false };
            held.push(more);
        }
        true
    }
}

/// How much is read, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    pub(crate) bytes_max: usize,
    pub(crate) within: Duration,
    pub(crate) large: LargeBodies,
}

/// Why a body is not there.
enum Broken {
    TooLarge,
    NoMemory,
    Lost(axum::Error),
}

/// The whole body.
pub(crate) async fn bytes(headers: &HeaderMap, mut body: Body, limits: &BodyLimits) -> Result<Bytes, Problem> {
    let too_large = || Problem::from(InteractionError::TooLarge { bytes_max: limits.bytes_max }).closing();
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limits.bytes_max) {
        discard(headers, body).await;
        return Err(too_large());
    }
    match tokio::time::timeout(limits.within, collect(&mut body, limits)).await {
        Ok(Ok(collected)) => Ok(collected),
        Ok(Err(Broken::TooLarge)) => {
            discard(headers, body).await;
            Err(too_large())
        }
        Ok(Err(Broken::NoMemory)) => {
            Err(Problem::new(Kind::OVERLOADED, "too many large bodies are arriving at once").closing())
        }
        Ok(Err(Broken::Lost(error))) => {
            Err(Problem::new(Kind::BAD_REQUEST, format!("the body broke off: {error}")).closing())
        }
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", limits.within.as_secs());
            Err(Problem::new(Kind::TIMEOUT, detail).closing())
        }
    }
}

async fn collect(body: &mut Body, limits: &BodyLimits) -> Result<Bytes, Broken> {
    let mut body = Limited::new(body, limits.bytes_max);
    let (mut bytes, mut held) = (BytesMut::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.downcast::<LengthLimitError>() {
            Ok(_) => Broken::TooLarge,
            Err(error) => Broken::Lost(axum::Error::new(error)),
        })?;
        // What is no data are trailers.
        let Ok(data) = frame.into_data() else { continue };
        if !limits.large.hold(&mut held, bytes.len() + data.len()) {
            return Err(Broken::NoMemory);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Takes and forgets what is still on its way, within reason: the connection will be closed, and a client that is still
/// sending then would see a reset instead of the answer.
async fn discard(headers: &HeaderMap, body: Body) {
    if headers.contains_key(EXPECT) {
        // The client waits for our word, and the answer is one.
        return;
    }
    let mut rest = Limited::new(body, DISCARDED_BYTES_MAX);
    let all = async { while rest.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    if tokio::time::timeout(DISCARDED_WITHIN, all).await.is_err() {
        tracing::debug!("a refused body is still coming; its connection is closed");
    }
}

/// The input of a write or an invocation, `expected` being the media type that the form names. `None`: there is no body.
pub(crate) async fn input(request: Request, expected: &str, limits: &BodyLimits) -> Result<Option<Payload>, Problem> {
    let (parts, body) = request.into_parts();
    let given = media_type(&parts.headers);
    let fits = match &given {
        Some(given) => *given == expected || (is_json(expected) && is_json(given)),
        None => is_json(expected),
    };
    if !fits {
        // An empty body is no input, whatever a client says that it is (curl -X POST -d '' says it is a form).
        if http_body::Body::is_end_stream(&body) {
            return Ok(None);
        }
        discard(&parts.headers, body).await;
        let given = given.as_deref().unwrap_or("no content type");
        let detail = format!("{expected} is taken here, not {given}");
        return Err(Problem::new(Kind::UNSUPPORTED, detail).closing());
    }
    if let Some(coding) = parts.headers.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        // What is not decoded must not be taken for what it says.
        let detail = format!("bodies are taken as they are, not in the coding {coding:?}");
        discard(&parts.headers, body).await;
        return Err(Problem::new(Kind::UNSUPPORTED, detail).closing());
    }
    let bytes = bytes(&parts.headers, body, limits).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(expected) {
        return Ok(Some(Payload::Media { content_type: expected.to_owned(), bytes }));
    }
    json(&bytes, limits.bytes_max).map(|value| Some(Payload::Json(value)))
}

fn json(bytes: &[u8], bytes_max: usize) -> Result<Value, Problem> {
    let limits = JsonLimits { bytes_max, ..JsonLimits::DEFAULT };
    parse_json(bytes, limits).map_err(|error| Problem::new(Kind::BAD_REQUEST, format!("the body is no JSON: {error}")))
}

/// The media type of the body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?;
    let text = value.to_str().unwrap_or("an unreadable content type");
    let essence = text.split(';').next().unwrap_or("").trim();
    Some(essence.to_ascii_lowercase())
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes_max: usize) -> BodyLimits {
        BodyLimits { bytes_max, within: Duration::from_millis(50), large: LargeBodies::new(bytes_max) }
    }

    async fn read(content_type: Option<&str>, body: Body, expected: &str) -> Result<Option<Payload>, u16> {
        let mut request = Request::post("/");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        input(request.body(body).unwrap(), expected, &limits(64)).await.map_err(|problem| problem.status().as_u16())
    }

    #[tokio::test]
    async fn json_is_taken_with_and_without_its_name() {
        let value = Ok(Some(Payload::Json(Value::from(true))));
        for content_type in [None, Some("application/json"), Some("Application/JSON; charset=utf-8")] {
            assert_eq!(read(content_type, Body::from("true"), "application/json").await, value);
        }
        assert_eq!(read(None, Body::empty(), "application/json").await, Ok(None));
        assert_eq!(read(Some("application/x-www-form-urlencoded"), Body::empty(), "application/json").await, Ok(None));
    }

    #[tokio::test]
    async fn wrong_bodies_are_refused() {
        assert_eq!(read(Some("text/plain"), Body::from("true"), "application/json").await, Err(415));
        assert_eq!(read(Some("application/json"), Body::from("{"), "application/json").await, Err(400));
        assert_eq!(read(None, Body::from("\u{0}asm"), "application/wasm").await, Err(415));
        assert_eq!(read(None, Body::from(" ".repeat(65)), "application/json").await, Err(413));
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read(None, endless, "application/json").await, Err(408));
    }

    #[tokio::test]
    async fn large_bodies_have_so_much_memory_together_and_small_ones_do_not_need_it() {
        let limits = limits(1 << 20);
        let arriving = |bytes: usize| Body::from(vec![b' '; bytes]);
        let mut all = Vec::new();
        assert!(limits.large.hold(&mut all, LARGE_BYTES_MAX + SMALL));
        assert!(!limits.large.hold(&mut all, LARGE_BYTES_MAX + 2 * SMALL));
        let status =
            |read: Result<Bytes, Problem>| read.map(|bytes| bytes.len()).map_err(|problem| problem.status().as_u16());
        let headers = HeaderMap::new();
        assert_eq!(status(bytes(&headers, arriving(SMALL), &limits).await), Ok(SMALL));
        assert_eq!(status(bytes(&headers, arriving(SMALL + 1), &limits).await), Err(503));
        drop(all);
        for _ in 0..100 {
            assert_eq!(status(bytes(&headers, arriving(1 << 20), &limits).await), Ok(1 << 20));
        }
    }
}
