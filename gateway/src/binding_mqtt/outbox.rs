//! What waits for one consumer: a bounded queue that a slow one cannot make grow.
//!
//! Invariant: when it is full, a property's value is left out only for a later one of the same property; events, results
//! and last values are never left out silently. What does not fit then is the consumer's loss, and it is told.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::Notify;

use super::message::Message;

/// News that may wait.
const MESSAGES_MAX: usize = 1_024;
/// Bytes that they hold; the message that reaches this is still taken.
const BYTES_MAX: usize = 4 << 20;

/// A message for one consumer.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// It is what was retained when somebody subscribed, and no news. There is at most one for each retained topic, so that
    /// these are bounded by themselves.
    pub(crate) initial: bool,
    /// Identifiers of the subscriptions that it matched (MQTT 5).
    pub(crate) subscriptions: Vec<usize>,
}

impl Queued {
    /// The same message for another subscription of the consumer, too.
    pub(crate) fn join(&mut self, other: Self) {
        if other.qos as u8 > self.qos as u8 {
            self.qos = other.qos;
        }
        self.retain |= other.retain;
        self.subscriptions.extend(other.subscriptions);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Queued>,
    /// News among them, and the bytes that they hold.
    news: usize,
    bytes: usize,
    /// Messages that found no room.
    lost: u64,
}

impl Outbox {
    /// Puts a message at the end. Without room older values of properties that have newer ones here are left out; if that
    /// does not help, the message is lost and counted.
    pub(crate) fn push(&self, queued: Queued) {
        let mut waiting = self.lock();
        if !queued.initial && waiting.is_full() {
            waiting.leave_out_older_values();
        }
        if !queued.initial && waiting.is_full() {
            waiting.lost += 1;
        } else {
            waiting.count(&queued);
            waiting.queue.push_back(queued);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// The next message, without waiting.
    pub(crate) fn pop(&self) -> Option<Queued> {
        let mut waiting = self.lock();
        let queued = waiting.queue.pop_front()?;
        waiting.uncount(&queued);
        Some(queued)
    }

    /// Puts a message back at the front: it could not leave.
    pub(crate) fn put_back(&self, queued: Queued) {
        let mut waiting = self.lock();
        waiting.count(&queued);
        waiting.queue.push_front(queued);
    }

    /// Nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Forgets what waits of what was retained under these topics, and hands it out by topic: it is sent anew.
    pub(crate) fn forget_initial(&self, of: impl Fn(&str) -> bool) -> BTreeMap<Arc<str>, Queued> {
        let mut waiting = self.lock();
        let mut forgotten = BTreeMap::new();
        waiting.queue.retain(|queued| {
            let forget = queued.initial && of(&queued.message.topic);
            if forget {
                forgotten.insert(Arc::clone(&queued.message.topic), queued.clone());
            }
            !forget
        });
        forgotten
    }

    /// Forgets what waits, but for events and results: what is retained is published anew.
    pub(crate) fn forget_retained(&self) {
        let mut waiting = self.lock();
        waiting.queue.retain(|queued| !queued.message.is_retained());
        waiting.count_all();
    }

    /// How many messages were lost since the last look.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }

    /// Ready when something was put in since the last time.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.news >= MESSAGES_MAX || self.bytes >= BYTES_MAX
    }

    fn count(&mut self, queued: &Queued) {
        self.news += usize::from(!queued.initial);
        self.bytes += if queued.initial { 0 } else { queued.message.bytes() };
    }

    fn uncount(&mut self, queued: &Queued) {
        self.news -= usize::from(!queued.initial);
        self.bytes -= if queued.initial { 0 } else { queued.message.bytes() };
    }

    fn count_all(&mut self) {
        let news = || self.queue.iter().filter(|queued| !queued.initial);
        (self.news, self.bytes) = (news().count(), news().map(|queued| queued.message.bytes()).sum());
    }

    fn leave_out_older_values(&mut self) {
        let mut newer: HashSet<Arc<str>> = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.queue.len());
        while let Some(queued) = self.queue.pop_back() {
            if !queued.message.is_value() || newer.insert(Arc::clone(&queued.message.topic)) {
                kept.push_front(queued);
            }
        }
        self.queue = kept;
        self.count_all();
    }
}
