//! The gateway's own MQTT endpoint: 3.1.1 and 5.0, clean sessions, quality of service 0 and 1. It serves the topics of the
//! gateway's Things and is no general broker.
//!
//! Bounded: connections, what a connection may send before its CONNECT is understood, and how long that may take. When all
//! places are taken, the connection that has been silent for longest makes room.

pub(crate) mod codec;
mod connect;
mod session;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::command::Commands;
use super::hub::{ConsumerId, Hub, true_now};
use crate::config::MqttLimits;
use crate::lobby::Lobby;
use session::{Caller, Session};

/// How long a new connection waits for the place of one that was turned out.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// How long to let the system recover when it cannot give us a connection (too many open files).
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);
/// How long clients have at the end to take what waits for them.
const DRAIN: Duration = Duration::from_secs(2);

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Endpoint {
    hub: Arc<Hub>,
    commands: Arc<Commands>,
    limits: MqttLimits,
    lobby: Lobby,
    /// Who has which client identifier, or had it last and has commands that are not done.
    clients: Mutex<HashMap<String, Client>>,
    /// What the commands that are not done hold, in bytes.
    waiting_bytes: Arc<AtomicUsize>,
}

/// Who has a client identifier.
#[derive(Debug)]
struct Client {
    id: ConsumerId,
    taken_over: Arc<Notify>,
    /// Ready when what it asked for is done.
    finished: oneshot::Receiver<()>,
}

/// Serves clients until the hub has closed, after `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    hub: Arc<Hub>,
    commands: Arc<Commands>,
    limits: MqttLimits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.clients_max));
    let mut closed = hub.closed();
    let endpoint = Arc::new(Endpoint {
        hub,
        commands,
        limits,
        lobby: Lobby::default(),
        clients: Mutex::default(),
        waiting_bytes: Arc::default(),
    });
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = true_now(&mut stop) => break,
            Some(_) = sessions.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = Arc::clone(&places).try_acquire_owned().ok();
                if place.is_none() && !endpoint.lobby.make_room() {
                    tracing::debug!(%peer, "no place for another MQTT client");
                    continue;
                }
                sessions.spawn(admit(Arc::clone(&endpoint), stream, peer, place, Arc::clone(&places)));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept MQTT connections");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
    drop(listener);
    true_now(&mut closed).await;
    let all = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::debug!("MQTT clients that did not take what waited were cut off");
    }
}

/// Serves on the place that it has, or on the one that a silent connection is leaving.
async fn admit(
    endpoint: Arc<Endpoint>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Option<OwnedSemaphorePermit>,
    places: Arc<Semaphore>,
) {
    let place = Arc::new(match place {
        Some(place) => place,
        None => match tokio::time::timeout(ROOM_WITHIN, places.acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => return,
        },
    });
    let caller = Caller { peer, place: Arc::clone(&place) };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "small packets may be delayed");
    }
    let newcomer = endpoint.lobby.enter();
    tokio::select! {
        () = Session::serve(Arc::clone(&endpoint), stream, caller, &newcomer) => {}
        () = newcomer.turned_out() => tracing::debug!(%peer, "a silent MQTT connection made room"),
    }
}

impl Endpoint {
    /// `id` has the client identifier from now on; who had it is told to go, and what it asked for comes first.
    fn take_over(
        &self,
        identifier: &str,
        id: ConsumerId,
        finished: oneshot::Receiver<()>,
    ) -> (Arc<Notify>, Option<oneshot::Receiver<()>>) {
        let taken_over = Arc::new(Notify::new());
        let client = Client { id, taken_over: Arc::clone(&taken_over), finished };
        let before = self.clients().insert(identifier.to_owned(), client);
        let before = before.map(|before| {
            before.taken_over.notify_one();
            before.finished
        });
        (taken_over, before)
    }

    fn leave(&self, identifier: &str, id: ConsumerId) {
        let mut clients = self.clients();
        if clients.get(identifier).is_some_and(|client| client.id == id) {
            clients.remove(identifier);
        }
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, HashMap<String, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
