//! Who subscribed to what, and what is retained: each message goes to every consumer with a filter that takes it in.
//!
//! One lock over both: a consumer that subscribes sees the retained messages and then, in order, everything that follows,
//! none twice. Nothing here waits; what a consumer takes slowly waits in its own outbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::watch;

use super::filter::matches;
use super::message::{Kind, Message, Stamp};
use super::outbox::{Outbox, Queued};
use crate::behavior::gateway::MqttHealth;

/// Filters of one consumer.
pub(crate) const FILTERS_MAX: usize = 128;

/// One filter of a consumer.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    /// The highest quality of service that it takes.
    pub(crate) qos: QoS,
    /// Messages keep their retain flag (MQTT 5).
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<usize>,
}

/// Whether a new subscription gets what is retained (MQTT 5.0 section 3.8.3.1, Retain Handling).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendRetained {
    Always,
    IfNew,
    Never,
}

/// Which consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConsumerId(u64);

/// No more filters fit.
#[derive(Debug)]
pub(crate) struct TooManyFilters;

#[derive(Debug)]
struct Consumer {
    outbox: Arc<Outbox>,
    subscriptions: Vec<Subscription>,
    /// A broker: it takes answers to others, whatever their topic.
    is_broker: bool,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    consumers: BTreeMap<ConsumerId, Consumer>,
    retained: BTreeMap<Arc<str>, Arc<Message>>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    closed: watch::Sender<bool>,
    health: Arc<MqttHealth>,
}

impl Hub {
    pub(crate) fn new(health: Arc<MqttHealth>) -> Self {
        Self { state: Mutex::default(), closed: watch::Sender::new(false), health }
    }

    /// The counters that the gateway's Thing shows.
    pub(crate) fn health(&self) -> &MqttHealth {
        &self.health
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message to everybody who subscribed to its topic.
    pub(crate) fn publish(&self, message: Message) {
        let message = Arc::new(message);
        let mut state = self.lock();
        if message.is_retained() {
            state.retained.insert(Arc::clone(&message.topic), Arc::clone(&message));
        }
        for consumer in state.consumers.values() {
            consumer.offer(&message, false);
        }
    }

    /// Forgets what is retained below `root`, but for what `keep` names.
    pub(crate) fn forget(&self, root: &str, keep: impl Fn(&str) -> bool) {
        self.lock().retained.retain(|topic, _| !topic.starts_with(root) || keep(topic));
    }

    /// A new consumer without subscriptions.
    pub(crate) fn attach(&self, is_broker: bool) -> (ConsumerId, Arc<Outbox>) {
        let mut state = self.lock();
        let id = ConsumerId(state.next);
        state.next += 1;
        let outbox = Arc::new(Outbox::default());
        let consumer = Consumer { outbox: Arc::clone(&outbox), subscriptions: Vec::new(), is_broker };
        state.consumers.insert(id, consumer);
        (id, outbox)
    }

    pub(crate) fn detach(&self, id: ConsumerId) {
        self.lock().consumers.remove(&id);
    }

    /// Adds a subscription, or puts it in the place of the one with the same filter, and sends what is retained.
    pub(crate) fn subscribe(
        &self,
        id: ConsumerId,
        subscription: Subscription,
        send: SendRetained,
    ) -> Result<(), TooManyFilters> {
        let mut state = self.lock();
        let State { consumers, retained, .. } = &mut *state;
        let Some(consumer) = consumers.get_mut(&id) else { return Ok(()) };
        let known = consumer.subscriptions.iter().position(|known| known.filter == subscription.filter);
        let wanted = match send {
            SendRetained::Always => true,
            SendRetained::IfNew => known.is_none(),
            SendRetained::Never => false,
        };
        if known.is_none() && consumer.subscriptions.len() >= FILTERS_MAX {
            return Err(TooManyFilters);
        }
        if wanted {
            let mut waited = consumer.outbox.forget_initial(|topic| matches(&subscription.filter, topic));
            let of_filter = retained.values().filter(|message| matches(&subscription.filter, &message.topic));
            for message in of_filter.filter_map(current) {
                let mut queued = subscription.queued(&message, true);
                if let Some(other) = waited.remove(&message.topic) {
                    queued.join(other);
                }
                consumer.outbox.push(queued);
            }
        }
        match known {
            Some(place) => consumer.subscriptions[place] = subscription,
            None => consumer.subscriptions.push(subscription),
        }
        Ok(())
    }

    /// Ends a subscription; whether there was one.
    pub(crate) fn unsubscribe(&self, id: ConsumerId, filter: &str) -> bool {
        let mut state = self.lock();
        let Some(consumer) = state.consumers.get_mut(&id) else { return false };
        let before = consumer.subscriptions.len();
        consumer.subscriptions.retain(|known| known.filter != filter);
        consumer.subscriptions.len() < before
    }

    /// Sends an answer to the one who asked: a client that subscribed to the topic of the answer, or a broker.
    pub(crate) fn reply(&self, id: ConsumerId, message: Message) {
        let state = self.lock();
        let Some(consumer) = state.consumers.get(&id) else { return };
        consumer.offer(&Arc::new(message), false);
    }

    /// Puts everything that is retained into a consumer's outbox, in the place of what retained messages wait there.
    pub(crate) fn send_all_retained(&self, id: ConsumerId) {
        let state = self.lock();
        let Some(consumer) = state.consumers.get(&id) else { return };
        consumer.outbox.forget_retained();
        for message in state.retained.values().filter_map(current) {
            consumer.offer(&message, true);
        }
    }

    /// Sends what is retained under `topic` once more.
    pub(crate) fn send_retained(&self, id: ConsumerId, topic: &str) {
        let state = self.lock();
        let (Some(consumer), Some(message)) = (state.consumers.get(&id), state.retained.get(topic)) else { return };
        if let Some(message) = current(message) {
            consumer.outbox.forget_initial(|waiting| waiting == topic);
            consumer.offer(&message, true);
        }
    }

    /// Sends the retained value of `topic` once more, if its reading is good for longer than `known`; whether it did.
    pub(crate) fn send_again(&self, id: ConsumerId, topic: &str, known: Option<Instant>) -> bool {
        let state = self.lock();
        let (Some(consumer), Some(message)) = (state.consumers.get(&id), state.retained.get(topic)) else {
            return false;
        };
        let Kind::Value(source) = &message.kind else { return false };
        let longer = source.thing.good_until(&source.property) > known;
        match current(message).filter(|_| longer) {
            Some(message) => {
                consumer.outbox.forget_initial(|waiting| waiting == topic);
                consumer.offer(&message, true);
            }
            None => return false,
        }
        true
    }

    /// The last word has been published.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }
}

impl Consumer {
    /// Queues the message once, however many filters take it in, with the best of their qualities of service.
    fn offer(&self, message: &Arc<Message>, initial: bool) {
        if self.is_broker {
            return self.outbox.push(Queued {
                message: Arc::clone(message),
                qos: QoS::AtLeastOnce,
                retain: message.is_retained(),
                initial,
                subscriptions: Vec::new(),
            });
        }
        let mut of_filters = self.subscriptions.iter().filter(|known| matches(&known.filter, &message.topic));
        let Some(first) = of_filters.next() else { return };
        let mut queued = first.queued(message, initial);
        for subscription in of_filters {
            queued.join(subscription.queued(message, initial));
        }
        self.outbox.push(queued);
    }
}

impl Subscription {
    fn queued(&self, message: &Arc<Message>, initial: bool) -> Queued {
        Queued {
            message: Arc::clone(message),
            qos: self.qos,
            retain: initial || (self.retain_as_published && message.is_retained()),
            initial,
            subscriptions: self.identifier.into_iter().collect(),
        }
    }
}

/// A retained message as it is now: an equal value may have been taken again since, and a lapsed one is not handed out.
fn current(message: &Arc<Message>) -> Option<Arc<Message>> {
    let Kind::Value(source) = &message.kind else { return Some(Arc::clone(message)) };
    if message.good_for(Instant::now()).is_some_and(|left| left.is_zero()) {
        return None;
    }
    let reading = source.thing.last_reading(&source.property);
    // Another value is on its way already, behind this one.
    let Some(reading) = reading.filter(|reading| reading.body == message.payload) else {
        return Some(Arc::clone(message));
    };
    let stamp = Stamp { taken: reading.taken, quality: reading.quality, simulated: reading.simulated };
    Some(Arc::new(Message { stamp: Some(stamp), ..Message::clone(message) }))
}

/// Ready when it is true, or can't become it any more.
pub(crate) async fn true_now(receiver: &mut watch::Receiver<bool>) {
    let _gone = receiver.wait_for(|now| *now).await.is_err();
}
