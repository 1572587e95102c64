//! Writes an event stream to its connection, which is nothing else from then on.
//!
//! Not by hyper: what that keeps for a connection (two buffers of 8 KiB, at least) is for requests, and the next one will never
//! come. A stream ends with its body, with its client, or when the client takes nothing for too long. Invariant: what
//! waits for a slow client is one piece and what the kernel holds; more is asked of the body only when that is gone.

use std::io;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, DATE};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use futures_util::StreamExt;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::sse::EVENT_STREAM;
use super::stamp::http_date;

/// What the kernel keeps for a client that does not read, in bytes (it takes twice as much for its own use). As little as
/// a stream needs: what waits there is old when it is read.
const KERNEL_BYTES_MAX: usize = 32 << 10;

/// Whether this answer is an event stream, and its connection is to become one.
pub(super) fn is_stream(asked: &Method, response: &Response) -> bool {
    asked != Method::HEAD
        && response.status() == axum::http::StatusCode::OK
        && response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == EVENT_STREAM)
}

/// Writes `response` to its end, or until the client is gone or has taken nothing for `stall`.
///
/// # Errors
/// Why the connection was given up; `TimedOut` when the client did not read.
pub(super) async fn write(stream: TcpStream, response: Response, stall: Duration) -> io::Result<()> {
    let socket = SockRef::from(&stream);
    socket.set_send_buffer_size(KERNEL_BYTES_MAX)?;
    // A peer that lost its power acknowledges nothing more: the kernel finds that before the buffer is full.
    socket.set_tcp_user_timeout(Some(stall))?;
    let (head, body) = split(response);
    send(&stream, &head, stall).await?;
    drop(head);
    let mut body = body.into_data_stream();
    loop {
        let piece = tokio::select! {
            biased;
            gone = hung_up(&stream) => return gone,
            piece = body.next() => piece,
        };
        match piece {
            Some(Ok(piece)) => send(&stream, &piece, stall).await?,
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Ok(()),
        }
    }
}

/// The head as it goes over the wire. The body ends with the connection (RFC 9112 section 6.3), so it needs no framing.
fn split(response: Response) -> (Vec<u8>, Body) {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(DATE, http_date(SystemTime::now()));
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    (head, body)
}

/// Ready when the client has closed its side. What it still says is of no interest.
async fn hung_up(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 256]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes all of it, `stall` being how long the client may take nothing.
async fn send(stream: &TcpStream, mut bytes: &[u8], stall: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Boxed: hardly any client needs it, and each would carry its size.
                let waited = Box::pin(tokio::time::timeout(stall, stream.writable())).await;
                waited.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
