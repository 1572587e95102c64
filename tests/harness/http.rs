//! A blocking HTTP/1.1 client over a plain socket: it sends what it is told, right or wrong, and reads with limits.
//!
//! It follows no redirect, adds nothing but `Host` and `Content-Length`, and never retries: a test sees what came.

mod body;
mod connection;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

pub use body::Body;
pub use connection::Connection;

/// How long a peer may be silent before a read fails.
pub const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Requests to one server, each on its own connection.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// A client of the server at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An open connection for many requests.
    ///
    /// # Errors
    /// When the server does not accept one.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address)
    }

    /// GET of a path or of an absolute URL of this server.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn get(&self, target: &str) -> Result<Response> {
        self.send(&Request::new("GET", target))
    }

    /// A request with a JSON body.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn json(&self, method: &'static str, target: &str, body: &Value) -> Result<Response> {
        self.send(&Request::new(method, target).json(body))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn send(&self, request: &Request) -> Result<Response> {
        self.connect()?.send(request)
    }

    /// The JSON of a 200.
    ///
    /// # Errors
    /// When the answer is another one: its text is in the error.
    pub fn value(&self, target: &str) -> Result<Value> {
        self.get(target)?.expect(200)?.value()
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request without a body; of an absolute URL the path and query are taken.
    pub fn new(method: &'static str, target: &str) -> Self {
        let path = target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        Self { method, target: path.unwrap_or(target).to_owned(), headers: Vec::new(), body: None }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a body and its media type.
    #[must_use]
    pub fn body(mut self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self.header("Content-Type", content_type)
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// What came back, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body's bytes, without transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header field, by any case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn value(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {}", self.text()))
    }

    /// This answer, when it has this status.
    ///
    /// # Errors
    /// When it has another: both and the body are in the error.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.text());
        Ok(self)
    }

    /// The problem document of an answer with this status (RFC 9457): its media type, members and status are checked.
    ///
    /// # Errors
    /// When the answer is not that.
    pub fn problem(self, status: u16) -> Result<Value> {
        let answer = self.expect(status)?;
        let media_type = answer.header("content-type").unwrap_or_default();
        ensure!(media_type.starts_with("application/problem+json"), "{status} with content type `{media_type}`");
        let problem = answer.value()?;
        ensure!(problem["status"] == status, "the problem's status is not {status}: {problem}");
        for member in ["type", "title", "detail"] {
            ensure!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member} in {problem}");
        }
        Ok(problem)
    }
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
