//! The connection loop: accepts, bounds and, at the end, drains connections.
//!
//! Not `axum::serve`: that has no limit of connections, no time-out for the head of a request and waits for ever for an
//! open event stream. Invariant: when [`serve`] returns, no connection of its is left.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

use super::stall::StallGuard;
use crate::config::Limits;
use crate::lobby::{Lobby, Newcomer};

/// Buffer of a connection in each direction, in bytes: what a reader that does not read costs us.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long a client that takes none of its answer is kept.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a new connection waits for the place of one that was turned out.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// How long to let the system recover when it cannot give us a connection (too many open files).
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);
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
    let address = listener.local_addr()?;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let lobby = Arc::new(Lobby::default());
    let (phase, _) = watch::channel(Phase::Serving);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Whoever is in the lobby has a place to give.
                let seat = Arc::clone(&places).try_acquire_owned().ok().map(|place| (place, lobby.enter()));
                if seat.is_none() && !lobby.make_room() {
                    refuse(&stream, peer);
                    continue;
                }
                let (router, lobby) = (router.clone(), Arc::clone(&lobby));
                let connection = Connection { stream, peer, router, limits, lobby };
                tokio::spawn(connection.admit(seat, Arc::clone(&places), phase.subscribe()));
            }
            Err(error) if is_of_the_peer(&error) => tracing::debug!(%error, "a connection was lost before it began"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
    drop(listener);
    phase.send_replace(Phase::Draining);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.drain, places.acquire_many(all)).await.is_err() {
        let left = limits.connections_max - places.available_permits();
        tracing::warn!(%address, left, "connections were cut off at the end of the drain");
        phase.send_replace(Phase::Closed);
        // Each task ends at its next poll; the permit comes back with it.
        let _all = places.acquire_many(all).await;
    }
    Ok(())
}

/// Best effort: a client that is already sending may see a reset instead.
fn refuse(stream: &TcpStream, peer: SocketAddr) {
    let sent = stream.try_write(NO_PLACE).unwrap_or(0);
    tracing::debug!(%peer, sent, "no place for another connection");
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// A place and how the lobby knows who has it.
type Seat = (OwnedSemaphorePermit, Arc<Newcomer>);

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    lobby: Arc<Lobby>,
}

impl Connection {
    /// Serves on the place that it has, or on the one that a silent connection is leaving.
    async fn admit(self, seat: Option<Seat>, places: Arc<Semaphore>, phase: watch::Receiver<Phase>) {
        let (_place, newcomer) = match seat {
            Some(seat) => seat,
            None => match tokio::time::timeout(ROOM_WITHIN, places.acquire_owned()).await {
                Ok(Ok(place)) => (place, self.lobby.enter()),
                Ok(Err(_)) | Err(_) => return refuse(&self.stream, self.peer),
            },
        };
        self.run(newcomer, phase).await;
    }

    async fn run(self, newcomer: Arc<Newcomer>, mut phase: watch::Receiver<Phase>) {
        let Self { stream, peer, router, limits, .. } = self;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "small packets may be delayed");
        }
        let asking = Arc::clone(&newcomer);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            asking.asked();
            request.extensions_mut().insert(ConnectInfo(peer));
            // `Router::poll_ready` is always ready.
            router.clone().call(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(StallGuard::new(stream, STALL_TIMEOUT)), service);
        let mut connection = pin!(connection);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "a connection ended early");
                    }
                    return;
                }
                () = newcomer.turned_out() => {
                    tracing::debug!(%peer, "a silent connection made room");
                    return;
                }
                changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                    Ok(Phase::Serving) => {}
                    Ok(Phase::Draining) => connection.as_mut().graceful_shutdown(),
                    // An error: `serve` itself was dropped.
                    Ok(Phase::Closed) | Err(_) => return,
                },
            }
        }
    }
}
