//! The connection by which a request came: its peer, its place, and the event stream that it is to become.
//!
//! It goes with every request as an extension. What comes through no connection, as in tests of the router, has none.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::room::Seat;

/// See the module.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Where the connection comes from.
    pub(crate) address: SocketAddr,
    /// Its place.
    pub(crate) seat: Seat,
    stream: Mutex<Option<Response>>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, seat: Seat) -> Arc<Self> {
        Arc::new(Self { address, seat, stream: Mutex::new(None) })
    }

    /// The connection is to become this event stream.
    pub(super) fn becomes(&self, stream: Response) {
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    /// What it is to become, once.
    pub(super) fn take_stream(&self) -> Option<Response> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of a request while it arrives: until its end it is the peer's turn.
#[derive(Debug)]
pub(super) struct Arriving {
    body: Incoming,
    caller: Arc<Caller>,
}

impl Arriving {
    pub(super) fn body(body: Incoming, caller: &Arc<Caller>) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return Body::empty();
        }
        Body::new(Self { body, caller: Arc::clone(caller) })
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.caller.seat.has_asked();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
