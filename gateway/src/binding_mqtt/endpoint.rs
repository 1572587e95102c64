//! The gateway's own MQTT endpoint: 3.1.1 and 5.0, clean sessions, quality of service 0 and 1. It serves the topics of the
//! gateway's Things and is no general broker.
//!
//! Bounded: connections, what a connection may send before its CONNECT is understood, and how long that may take. When all
//! places are taken, the connection that has been silent for longest makes room.

pub(crate) mod codec;
mod connect;
mod session;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};

use super::command::Commands;
use super::hub::{ConsumerId, Hub, true_now};
use crate::access::Principal;
use crate::config::MqttLimits;
use crate::room::{Room, accept};
use session::{Caller, Session};

/// How long clients have at the end to take what waits for them.
const DRAIN: Duration = Duration::from_secs(2);

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Endpoint {
    hub: Arc<Hub>,
    commands: Arc<Commands>,
    limits: MqttLimits,
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
    let room = Room::new(limits.clients_max, 0);
    let mut closed = hub.closed();
    let endpoint =
        Arc::new(Endpoint { hub, commands, limits, clients: Mutex::default(), waiting_bytes: Arc::default() });
    // Nothing is ever sent: it ends with this future, and the sessions with it.
    let (_serving, serving) = watch::channel(());
    accept(listener, &room, &[], true_now(&mut stop), |stream, peer, seat| {
        tokio::spawn(admit(
            Arc::clone(&endpoint),
            stream,
            Caller { peer, principal: Principal::Anonymous, seat: Arc::new(seat) },
            serving.clone(),
        ));
    })
    .await;
    true_now(&mut closed).await;
    if tokio::time::timeout(DRAIN, room.emptied()).await.is_err() {
        tracing::debug!("MQTT clients that did not take what waited were cut off");
    }
}

async fn admit(endpoint: Arc<Endpoint>, stream: TcpStream, caller: Caller, mut serving: watch::Receiver<()>) {
    let seat = Arc::clone(&caller.seat);
    let peer = caller.peer;
    tokio::select! {
        () = Session::serve(Arc::clone(&endpoint), stream, caller) => {}
        () = seat.turned_out() => tracing::debug!(%peer, "a silent MQTT connection made room"),
        _ = serving.changed() => {}
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
