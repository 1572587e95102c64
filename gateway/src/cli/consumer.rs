//! An ordinary Consumer over HTTP/1.1, plain or through TLS: one request per connection, bounded answers, a deadline for each.
//!
//! This file knows URLs and bytes; `directory` finds Things, `operation` follows forms, `event_stream` observes, `refusal`
//! reads problem documents, `tls` decides whom to trust. A token goes to the gateway's own `origin` alone.

mod directory;
mod event_stream;
mod operation;
mod origin;
mod reference;
mod refusal;
mod tls;

use std::{error::Error, path::PathBuf, time::Duration};

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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{Exit, Failure};
pub(super) use directory::Found;
pub(super) use event_stream::Item;
pub(super) use operation::{Invoked, Reading, form_for};
use origin::Origin;
pub(super) use refusal::reasons;
use tls::Trust;

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

/// Whether both lead to the same gateway; what is no http or https URL leads to none.
pub(super) fn same_origin(one: &Uri, other: &Uri) -> bool {
    Origin::of(one).is_ok_and(|one| Origin::of(other).is_ok_and(|other| one == other))
}

/// One gateway, as its consumer sees it.
#[derive(Debug, Clone)]
pub(super) struct Consumer {
    gateway: Uri,
    /// Of `gateway`: the one that gets the token.
    origin: Origin,
    token: Option<HeaderValue>,
    timeout: Duration,
    trust: Trust,
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
    /// `token` is the whole value of `Authorization`; over TLS, the certificates of `ca_file` are trusted too.
    pub(super) fn new(
        gateway: Uri,
        token: Option<HeaderValue>,
        timeout: Duration,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        Ok(Self { origin: Origin::of(&gateway)?, gateway, token, timeout, trust: Trust::new(ca_file) })
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
        let origin = Origin::of(asked.url)?;
        let begun = self.send(&origin, asked).await;
        begun.map_err(|failure| match self.without_tls(&origin) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        })
    }

    async fn send(&self, origin: &Origin, asked: Asked<'_>) -> Result<(Response<Incoming>, Line), Failure> {
        // What a handshake of TLS holds is large, and every future above would be as large.
        let (mut sender, line) = Box::pin(self.connect(origin)).await?;
        let last_event_id = asked.last_event_id;
        let mut request = build(asked, &origin.authority()).map_err(|error| unreachable(origin, &error))?;
        // A form that leads to another machine, or out of TLS, must not carry the gateway's token there.
        if let Some(token) = self.token.as_ref().filter(|_| *origin == self.origin) {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        if let Some(Ok(id)) = last_event_id.map(HeaderValue::try_from) {
            request.headers_mut().insert("last-event-id", id);
        }
        let response = sender.send_request(request).await.map_err(|error| not_http(origin, &error))?;
        Ok((response, line))
    }

    async fn connect(&self, origin: &Origin) -> Result<(http1::SendRequest<Full<Bytes>>, Line), Failure> {
        let connecting = TcpStream::connect((origin.host(), origin.port()));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT.min(self.timeout), connecting)
            .await
            .map_err(|elapsed| unreachable(origin, &elapsed))?
            .map_err(|error| unreachable(origin, &error))?;
        match origin.is_tls() {
            true => speak_http(origin, self.trust.connect(origin, stream).await?).await,
            false => speak_http(origin, stream).await,
        }
    }

    /// What to do when a gateway that was named with https leads out of TLS.
    fn without_tls(&self, origin: &Origin) -> Option<String> {
        (self.origin.is_tls() && !origin.is_tls()).then(|| {
            format!(
                "the Thing Descriptions of {} lead to {origin}, without TLS and without the token: the gateway's \
                 `base-url`, or its `trusted-proxies` and the proxy's X-Forwarded-Proto, say what it is called",
                self.origin
            )
        })
    }

    fn too_slow(&self, url: &Uri) -> Failure {
        Failure::new(Exit::Unreachable, format!("{url} did not answer whole within {} s", self.timeout.as_secs()))
            .with_hint("`--timeout SECONDS` waits longer; `tidegate doctor` looks at the gateway")
    }
}

async fn speak_http<S>(origin: &Origin, stream: S) -> Result<(http1::SendRequest<Full<Bytes>>, Line), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| unreachable(origin, &error))?;
    Ok((sender, Line(tokio::spawn(connection))))
}

fn unreachable(origin: &Origin, error: &(dyn Error + 'static)) -> Failure {
    Failure::caused(Exit::Unreachable, format!("cannot reach the gateway at {origin}"), error)
        .with_hint("is it running? `--gateway` or TIDEGATE_GATEWAY says where to look, such as http://127.0.0.1:8080")
}

/// The connection is there, and what comes is no answer, or nothing.
fn not_http(origin: &Origin, error: &hyper::Error) -> Failure {
    let failure = match error.is_parse() {
        true => Failure::caused(Exit::Failed, format!("what listens at {origin} does not speak HTTP"), error)
            .with_hint("is there another program at this address?"),
        false => unreachable(origin, error),
    };
    match (failure.hint.as_deref(), origin.is_tls()) {
        // Some that expect TLS answer by an alert, and some hang up.
        (Some(hint), false) => {
            let hint = format!("{hint} If it is a proxy with TLS, write {}", origin.other_scheme());
            failure.with_hint(hint)
        }
        _ => failure,
    }
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
