//! An ordinary Consumer over plain HTTP/1.1: one request per connection, bounded answers, a deadline for each.
//!
//! This file knows URLs and bytes; `directory` finds Things, `operation` follows forms, `event_stream` observes, `refusal`
//! reads problem documents. TLS is left to a proxy: an https URL is refused with that reason.

mod directory;
mod event_stream;
mod operation;
mod reference;
mod refusal;

use std::{error::Error, fmt::Display, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle};

use super::{Exit, Failure};
pub(super) use directory::Found;
pub(super) use event_stream::Item;
pub(super) use operation::{Invoked, Reading, form_for};
pub(super) use refusal::reasons;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A gateway that does not accept a connection within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request's answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A body and its content type.
pub(super) type Body<'a> = (&'a str, Bytes);

/// A request, still to be sent.
#[derive(Debug)]
struct Asked<'a> {
    method: Method,
    url: &'a Uri,
    accept: &'a str,
    body: Option<Body<'a>>,
    /// Take a stream up again after this message.
    last_event_id: Option<&'a str>,
}

/// One gateway, as its consumer sees it.
#[derive(Debug, Clone)]
pub(super) struct Consumer {
    gateway: Uri,
    token: Option<HeaderValue>,
    timeout: Duration,
}

/// A connection that lives as long as this.
#[derive(Debug)]
struct Line(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Consumer {
    /// `gateway` was checked; `token` is the whole value of `Authorization`.
    pub(super) fn new(gateway: Uri, token: Option<HeaderValue>, timeout: Duration) -> Self {
        Self { gateway, token, timeout }
    }

    /// The same with more patience: admission compiles a component, which takes its time on a small machine.
    pub(super) fn patient(&self) -> Self {
        Self { timeout: self.timeout * 3, ..self.clone() }
    }

    /// Sends one request and reads the whole answer, whatever its status.
    pub(super) async fn request(
        &self,
        method: Method,
        url: &Uri,
        accept: &str,
        body: Option<Body<'_>>,
    ) -> Result<Answer, Failure> {
        let exchange = async {
            let (response, _line) = self.begin(Asked { method, url, accept, body, last_event_id: None }).await?;
            let (head, body) = response.into_parts();
            let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = collected.map_err(|error| body_failure(url, error.as_ref()))?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| Err(self.too_slow(url)))
    }

    /// The JSON of a success, or the refusal.
    pub(super) async fn json(
        &self,
        method: Method,
        url: &Uri,
        accept: &str,
        body: Option<Body<'_>>,
    ) -> Result<Value, Failure> {
        let answer = self.request(method, url, accept, body).await?;
        self.json_of(url, &answer)
    }

    fn json_of(&self, url: &Uri, answer: &Answer) -> Result<Value, Failure> {
        self.accepted(url, answer)?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            Failure::caused(Exit::Failed, format!("{url} did not answer with JSON"), &error)
                .with_hint("is there another program at this address?")
        })
    }

    /// Sends a request and reads the head of its answer.
    async fn begin(&self, asked: Asked<'_>) -> Result<(Response<Incoming>, Line), Failure> {
        let (url, last_event_id) = (asked.url, asked.last_event_id);
        let authority = check(url)?;
        let unreachable = |error: &(dyn Error + 'static)| unreachable(&authority, error);
        let address = (url.host().unwrap_or_default().trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT.min(self.timeout), TcpStream::connect(address))
            .await
            .map_err(|elapsed| unreachable(&elapsed))?
            .map_err(|error| unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| unreachable(&error))?;
        let line = Line(tokio::spawn(connection));
        let mut request = build(asked, &authority).map_err(|error| unreachable(&error))?;
        // A form that leads to another machine must not carry the gateway's token there.
        let own = self.gateway.authority().is_some_and(|own| own.as_str() == authority);
        if let Some(token) = self.token.as_ref().filter(|_| own) {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        if let Some(Ok(id)) = last_event_id.map(HeaderValue::try_from) {
            request.headers_mut().insert("last-event-id", id);
        }
        let response = sender.send_request(request).await.map_err(|error| not_http(&authority, &error))?;
        Ok((response, line))
    }

    fn too_slow(&self, url: &Uri) -> Failure {
        Failure::new(Exit::Unreachable, format!("{url} did not answer whole within {} s", self.timeout.as_secs()))
            .with_hint("`--timeout SECONDS` waits longer; `tidegate doctor` looks at the gateway")
    }
}

fn unreachable(authority: &impl Display, error: &(dyn Error + 'static)) -> Failure {
    Failure::caused(Exit::Unreachable, format!("cannot reach the gateway at {authority}"), error)
        .with_hint("is it running? `--gateway` or TIDEGATE_GATEWAY says where to look, such as http://127.0.0.1:8080")
}

/// The connection is there, and what comes is no answer.
fn not_http(authority: &str, error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::caused(Exit::Failed, format!("what listens at {authority} does not speak HTTP"), error)
            .with_hint("is there another program at this address?");
    }
    unreachable(&authority, error)
}

fn body_failure(url: &Uri, error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    if error.is::<LengthLimitError>() {
        let what = format!("the answer of {url} is larger than {} MiB", ANSWER_BYTES_MAX >> 20);
        return Failure::new(Exit::Failed, what).with_hint("is there another program at this address?");
    }
    Failure {
        causes: vec![error.to_string()],
        ..Failure::new(Exit::Unreachable, format!("{url} broke off its answer"))
    }
    .with_hint("did the gateway stop meanwhile?")
}

fn build(asked: Asked<'_>, host: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = asked.url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(asked.method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, asked.accept)
        .header(header::USER_AGENT, concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    if let Some((content_type, _)) = &asked.body {
        request = request.header(header::CONTENT_TYPE, *content_type);
    }
    request.body(Full::new(asked.body.map(|(_, bytes)| bytes).unwrap_or_default()))
}

/// The authority of an http URL.
pub(super) fn check(url: &Uri) -> Result<String, Failure> {
    match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) if authority.as_str().contains('@') => {
            Err(Failure::new(Exit::Usage, "a URL with a user name is not supported")
                .with_hint("`--token-file` says who you are"))
        }
        (Some("http"), Some(authority)) => Ok(authority.to_string()),
        (Some("https"), _) => {
            Err(Failure::new(Exit::Usage, format!("{url}: https is not supported yet, this version speaks http alone"))
                .with_hint("run the command on the gateway's machine with its http address, or through `ssh -L`"))
        }
        _ => Err(Failure::new(Exit::Usage, format!("{url} is no http URL"))
            .with_hint("write the gateway as http://host:port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_spoken_and_the_reason_is_said() {
        for (url, expected) in
            [("https://pi/", "https is not supported"), ("/x", "no http URL"), ("http://u@h/", "user")]
        {
            let failure = check(&url.parse().unwrap()).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.what.contains(expected), "{url}: {}", failure.what);
            assert!(failure.hint.is_some());
        }
    }
}
