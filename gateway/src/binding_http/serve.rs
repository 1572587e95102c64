//! The connections: served, bounded and, at the end, drained.
//!
//! Not `axum::serve`: that has no limit of connections, no time-out for the head of a request and waits for ever for an
//! open event stream. Invariant: when [`serve`] returns, no connection of its is left.

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::Service;

use super::caller::{Arriving, Caller};
use super::outflow;
use super::stall::StallGuard;
use crate::config::Limits;
use crate::room::{Room, Seat, accept};

/// Buffer of a connection in each direction, in bytes: what a reader that does not read costs us.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// A connection that is silent for so long is asked by the kernel whether it is still there, three times: a long poll whose
/// client lost its power would wait for an hour.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const ASKED_AGAIN: Duration = Duration::from_secs(10);
/// What a client hears for whom there is no place; written once, without waiting.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 123\r\n\r\n\
    {\"type\":\"urn:tidegate:problem:overloaded\",\"title\":\"Too much at once\",\"status\":503,\"detail\":\"too many connections are open\"}";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Closed,
}

/// Serves `router` on `listener` until `shutdown` is ready, then drains. Event streams must end by themselves at the
/// shutdown; what is not done after `limits.drain` is cut off.
///
/// # Errors
/// When the listener has no address, that is, when it is no listening socket.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    limits: Limits,
) -> io::Result<()> {
    let room = Room::new(limits.connections_max, limits.observers_max);
    serve_in(&room, listener, router, shutdown, limits).await
}

/// The same, in a room that others may look into.
///
/// # Errors
/// As [`serve`].
pub(crate) async fn serve_in(
    room: &Arc<Room>,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    limits: Limits,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    // What is accepted inherits it.
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(ASKED_AGAIN).with_retries(3);
    SockRef::from(&listener).set_tcp_keepalive(&keepalive)?;
    let (phase, _) = watch::channel(Phase::Serving);
    accept(listener, room, NO_PLACE, shutdown, |stream, peer, seat| {
        let connection = Connection { peer, seat, limits, phase: phase.subscribe() };
        tokio::spawn(connection.serve(stream, router.clone()));
    })
    .await;
    phase.send_replace(Phase::Draining);
    if tokio::time::timeout(limits.drain, room.emptied()).await.is_err() {
        tracing::warn!(%address, left = ?room.standing(), "connections were cut off at the end of the drain");
        phase.send_replace(Phase::Closed);
        // Each task ends at its next poll; the seat comes back with it.
        room.emptied().await;
    }
    Ok(())
}

struct Connection {
    peer: SocketAddr,
    seat: Seat,
    limits: Limits,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    /// Answers requests until the connection ends or becomes an event stream, which goes on in a task of its own: that is
    /// much smaller.
    async fn serve(self, stream: TcpStream, router: Router) {
        let Self { peer, seat, limits, phase } = self;
        let caller = Caller::new(peer, seat);
        let handed_over = requests(stream, router, &caller, limits, phase.clone()).await;
        if let Some((stream, response)) = handed_over {
            tokio::spawn(streamed(stream, response, caller, limits.stall_timeout, phase));
        }
    }
}

/// Answers requests. When one is answered by an event stream: the connection and that answer.
async fn requests(
    stream: TcpStream,
    router: Router,
    caller: &Arc<Caller>,
    limits: Limits,
    mut phase: watch::Receiver<Phase>,
) -> Option<(TcpStream, Response)> {
    let peer = caller.address;
    let service = {
        let caller = Arc::clone(caller);
        hyper::service::service_fn(move |request: Request<Incoming>| {
            answer(request, router.clone(), Arc::clone(&caller))
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(StallGuard::new(stream, limits.stall_timeout)), service);
    loop {
        let served = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Err(ended)),
            Poll::Pending => caller.take_stream().map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        });
        tokio::select! {
            served = served => match served {
                Ok(response) => return Some((connection.into_parts().io.into_inner().into_inner(), response)),
                Err(Ok(())) => return None,
                Err(Err(error)) => {
                    tracing::debug!(%peer, %error, "a connection ended early");
                    return None;
                }
            },
            () = caller.seat.turned_out() => {
                tracing::debug!(%peer, "a connection made room");
                return None;
            }
            changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                Ok(Phase::Serving) => {}
                Ok(Phase::Draining) => Pin::new(&mut connection).graceful_shutdown(),
                // An error: `serve` itself was dropped.
                Ok(Phase::Closed) | Err(_) => return None,
            },
        }
    }
}

/// One request. An event stream is no answer for hyper: this future then stays where it is until the connection is taken.
async fn answer(
    request: Request<Incoming>,
    mut router: Router,
    caller: Arc<Caller>,
) -> Result<Response, std::convert::Infallible> {
    if !caller.seat.asked(!http_body::Body::is_end_stream(request.body())) {
        return pending().await;
    }
    let method = request.method().clone();
    let mut request = request.map(|body| Arriving::body(body, &caller));
    request.extensions_mut().insert(Arc::clone(&caller));
    // `Router::poll_ready` is always ready.
    let response = router.call(request).await?;
    if outflow::is_stream(&method, &response) {
        caller.becomes(response);
        return pending().await;
    }
    caller.seat.answered();
    Ok(response)
}

/// An event stream to its end.
async fn streamed(
    stream: TcpStream,
    response: Response,
    caller: Arc<Caller>,
    stall: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    let peer = caller.address;
    tokio::select! {
        ended = outflow::write(stream, response, stall) => if let Err(error) = ended {
            tracing::debug!(%peer, %error, "an event stream ended early");
        },
        () = caller.seat.turned_out() => tracing::debug!(%peer, "an event stream made room"),
        // An error: `serve` itself was dropped.
        _ = phase.wait_for(|phase| *phase == Phase::Closed) => {}
    }
}
