//! A client's commands: one after another, over its connections too, and also when the client is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::{Endpoint, IN_FLIGHT_MAX};
use crate::binding_mqtt::command::{self, Refusal};
use crate::binding_mqtt::hub::ConsumerId;
use crate::room::Seat;

/// A publish of a client on its way.
pub(super) struct Asked {
    pub(super) packet_id: Option<u16>,
    pub(super) publish: command::Publish,
    pub(super) held: Held,
}

/// A publish that is done and wants an acknowledgement.
pub(super) struct Done {
    pub(super) packet_id: u16,
    pub(super) outcome: Result<(), (Refusal, String)>,
}

/// Bytes that a command holds, counted for the whole endpoint until it is done.
pub(super) struct Held {
    bytes: usize,
    of_all: Arc<AtomicUsize>,
}

impl Held {
    pub(super) fn new(publish: &command::Publish, of_all: &Arc<AtomicUsize>) -> Self {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let correlation = publish.correlation.as_ref().map_or(0, bytes::Bytes::len);
        let bytes = publish.topic.len() + publish.payload.len() + length(&publish.response_topic) + correlation;
        of_all.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, of_all: Arc::clone(of_all) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of_all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Who carries out the commands of one connection.
pub(super) struct Worker {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) identifier: String,
    pub(super) consumer: ConsumerId,
    /// Ready when the commands of the connection that had the client identifier before are done.
    pub(super) before: Option<oneshot::Receiver<()>>,
    /// The client's place: it is free when its commands are done.
    pub(super) seat: Arc<Seat>,
    /// Dropped when they are.
    pub(super) finishing: oneshot::Sender<()>,
}

impl Worker {
    /// Where commands go, and where those that are done come from.
    pub(super) fn start(self) -> (mpsc::Sender<Asked>, mpsc::Receiver<Done>) {
        // What waits, waits with the session, where it is counted.
        let (commands, asked) = mpsc::channel(1);
        let (acknowledge, done) = mpsc::channel(usize::from(IN_FLIGHT_MAX));
        tokio::spawn(self.work(asked, acknowledge));
        (commands, done)
    }

    async fn work(mut self, mut asked: mpsc::Receiver<Asked>, acknowledge: mpsc::Sender<Done>) {
        if let Some(before) = self.before.take() {
            // It is never sent: an error says that it is done.
            let _done = before.await;
        }
        while let Some(Asked { packet_id, publish, held }) = asked.recv().await {
            let outcome = self.endpoint.commands.execute(&publish, self.consumer).await;
            drop((publish, held));
            if let Some(packet_id) = packet_id {
                // An error: the client is gone.
                let _gone = acknowledge.send(Done { packet_id, outcome }).await;
            }
        }
        self.endpoint.leave(&self.identifier, self.consumer);
        drop((self.seat, self.finishing));
    }
}

/// Hands over what a client that is gone had asked for.
pub(super) async fn hand_over(waiting: VecDeque<Asked>, commands: mpsc::Sender<Asked>) {
    for asked in waiting {
        if commands.send(asked).await.is_err() {
            return tracing::error!("what a client had asked for could not be carried out");
        }
    }
}
