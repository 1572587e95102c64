//! The accept loop that HTTP and MQTT share: a connection gets a seat in the room, or its refusal.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::{Room, Seat};

/// How long to let the system recover when it cannot give us a connection (too many open files).
const BACK_OFF: Duration = Duration::from_millis(50);

/// Hands each connection and its seat to `admit` until `stop` is ready; the listener is closed then. Who finds no place
/// is sent `refusal`, once and without waiting.
pub(crate) async fn accept(
    listener: TcpListener,
    room: &Arc<Room>,
    refusal: &[u8],
    stop: impl Future<Output = ()>,
    mut admit: impl FnMut(TcpStream, SocketAddr, Seat),
) {
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return,
            accepted = async { room.settled().await; listener.accept().await } => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match room.enter(peer) {
                Some(seat) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, %error, "small packets may be delayed");
                    }
                    admit(stream, peer, seat);
                }
                None => {
                    // Best effort: a client that is already sending may see a reset instead.
                    let sent = stream.try_write(refusal).unwrap_or(0);
                    tracing::debug!(%peer, sent, "no place for another connection");
                }
            },
            Err(error) if is_of_the_peer(&error) => tracing::debug!(%error, "a connection was lost before it began"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}
