//! One connection: requests one after the other, answers whole or as a stream.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Body, Request, Response, SILENCE_MAX, body::Framing, find_header};

/// Longest line of a head, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Most header fields.
const HEADERS_MAX: usize = 100;
/// Largest body that is read whole, in bytes.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, SILENCE_MAX).with_context(|| format!("no {address}"))?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn send(&mut self, request: &Request) -> Result<Response> {
        self.write(&request.bytes(self.address))?;
        let (status, headers) = self.head()?;
        let framing = framing(request.method, status, &headers)?;
        let mut body = Vec::new();
        Body::new(&mut self.stream, framing).take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        Ok(Response { status, headers, body })
    }

    /// Sends a request and hands over its answer's body while it comes; the answer must be a 200.
    ///
    /// # Errors
    /// When the answer is another one.
    pub fn stream(mut self, request: &Request) -> Result<Body<BufReader<TcpStream>>> {
        self.write(&request.bytes(self.address))?;
        let (status, headers) = self.head()?;
        ensure!(status == 200, "expected a stream, got {status}");
        let framing = framing(request.method, status, &headers)?;
        Ok(Body::new(self.stream, framing))
    }

    /// Sends these bytes as they are: for what no client would send.
    ///
    /// # Errors
    /// When the peer has closed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        // The peer may answer and close before it has read all: its answer is what counts.
        match self.stream.get_mut().write_all(bytes) {
            Err(error)
                if !matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    fn head(&mut self) -> Result<(u16, Vec<(String, String)>)> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no status line: `{line}`"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').with_context(|| format!("no header: `{line}`"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
            if headers.len() > HEADERS_MAX {
                bail!("more than {HEADERS_MAX} header fields");
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the peer closed in the middle of a head: `{line}`");
        Ok(line.trim_end().to_owned())
    }
}

/// RFC 9112 section 6.3: how long the body is.
fn framing(method: &str, status: u16, headers: &[(String, String)]) -> Result<Framing> {
    if method == "HEAD" || status == 204 || status == 304 || status < 200 {
        return Ok(Framing::Length(0));
    }
    if find_header(headers, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunk { left: 0, first: true });
    }
    match find_header(headers, "content-length") {
        Some(length) => Ok(Framing::Length(length.parse()?)),
        None => Ok(Framing::UntilClosed),
    }
}
