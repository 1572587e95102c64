//! An external broker, spoken to in MQTT 5 through rumqttc: everything is published there too, and asked for from there.
//!
//! Each connection has a client of its own: rumqttc forgets what was not acknowledged when a broker comes back without a
//! session, so what is on its way is remembered here, and events and results are published again. One task polls and
//! does nothing else; nobody waits for room in rumqttc's queue, because it freezes then. The gateway is the source of
//! truth: after every connect all retained messages are published anew.

mod connection;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, PubAckReason, Publish, SubscribeReasonCode};
use rumqttc::v5::mqttbytes::{Error as Unreadable, QoS};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, MqttOptions, StateError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::command::{self, Commands};
use super::hub::{ConsumerId, Hub, true_now};
use super::message::Message;
use super::outbox::{Outbox, Queued};
use super::tls::TlsRelay;
use crate::access::Principal;
use crate::config::Broker;
use connection::{NoRoom, Polling, options, publish};

/// Pauses between two attempts: doubled from the first to the last.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// How long a broker may take to accept the connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes on their way to the broker.
const IN_FLIGHT_MAX: u16 = 64;
/// Publishes from the broker on their way to Things.
const ASKED_MAX: u16 = 64;
/// How often it is looked whether a retained value, unchanged, must be published again before it expires there.
const REFRESH: Duration = Duration::from_secs(1);
/// A broker that has acknowledged nothing for so long, of what is on its way, is none any more.
const SILENT_MAX: Duration = Duration::from_secs(30);
/// What a packet carries beside topic, payload and correlation data, at most, in bytes: our other properties are short.
const PROPERTIES_BYTES: usize = 512;
/// A message of this size may be more than a broker takes without saying so, in bytes; a smaller one hardly is. How often
/// the connection must break on it, one time after another, and for how long it is left out then.
const LARGE: usize = 4 << 10;
const BREAKS_OF_LARGE: u32 = 2;
const BREAKS_OF_SMALL: u32 = 5;
const UNWANTED: Duration = Duration::from_secs(600);
/// How long the broker has at the end to take what waits.
const DRAIN: Duration = Duration::from_secs(2);

/// A publish from the broker.
struct Asked {
    connection: u64,
    publish: Publish,
}

/// Publishes to and takes publishes from `broker` until the hub has closed.
pub(super) async fn run(broker: Broker, hub: Arc<Hub>, commands: Arc<Commands>, mut stop: watch::Receiver<bool>) {
    let (consumer, outbox) = hub.attach(true);
    let (ask, asked) = mpsc::channel(4 * usize::from(ASKED_MAX));
    let (done, finished) = mpsc::channel(2 * usize::from(ASKED_MAX));
    let worker = tokio::spawn(work(Arc::clone(&commands), consumer, asked, done));
    let mut bridge = Bridge {
        hub,
        commands,
        consumer,
        outbox,
        ask,
        finished,
        connection: 0,
        unacknowledged: VecDeque::new(),
        progress: Instant::now(),
        handed: Instant::now(),
        packet_bytes_max: usize::MAX,
        unwanted: HashMap::new(),
        suspect: None,
        unreadable: false,
        warned: HashSet::new(),
        acks: VecDeque::new(),
        expiring: HashMap::new(),
    };
    let mut pause = PAUSE_MIN;
    loop {
        let began = Instant::now();
        let options = tokio::select! {
            () = true_now(&mut stop) => break,
            options = options(&broker, &bridge.commands) => options,
        };
        let ended = match options {
            Ok((options, relay)) => bridge.connect(options, relay).await,
            Err(reason) => Ended::Lost(reason),
        };
        let (reason, by_us) = match ended {
            Ended::Stopped => break,
            Ended::Lost(reason) => (reason, false),
            Ended::GivenUp(reason) => (reason.to_owned(), true),
        };
        bridge.hub.health().broker("disconnected");
        tracing::warn!(host = broker.host, port = broker.port, reason, "no connection to the MQTT broker");
        let progressed = bridge.progress > began;
        bridge.take_back(progressed, by_us);
        pause = if progressed || began.elapsed() >= GOOD { PAUSE_MIN } else { (2 * pause).min(PAUSE_MAX) };
        tokio::select! {
            () = true_now(&mut stop) => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    bridge.hub.detach(consumer);
    drop(bridge);
    if let Err(error) = worker.await {
        tracing::error!(%error, "what the broker asked for ended badly");
    }
}

/// How a connection ended.
enum Ended {
    /// The gateway stops; what waited was published.
    Stopped,
    /// The broker or the way to it failed.
    Lost(String),
    /// We gave it up, which proves nothing against what was on its way.
    GivenUp(&'static str),
}

/// A topic whose message a broker would not take.
struct Unwanted {
    /// How large the message was: others of that size are not tried.
    bytes: usize,
    until: Instant,
}

/// What was the first on its way when connections broke one after another, without anything being acknowledged.
struct Suspect {
    message: Arc<Message>,
    breaks: u32,
}

/// What outlives a connection.
struct Bridge {
    hub: Arc<Hub>,
    commands: Arc<Commands>,
    consumer: ConsumerId,
    outbox: Arc<Outbox>,
    ask: mpsc::Sender<Asked>,
    finished: mpsc::Receiver<Asked>,
    /// Counts connections: an acknowledgement belongs to the one on which its publish came.
    connection: u64,
    /// What the broker has not acknowledged, in the order in which it was handed over; with its packet identifier, once
    /// rumqttc has given it one, which it does in the same order.
    unacknowledged: VecDeque<(Option<u16>, Queued)>,
    /// When the broker last acknowledged something.
    progress: Instant,
    /// When something was handed over after everything had been acknowledged.
    handed: Instant,
    /// The largest packet that the broker takes.
    packet_bytes_max: usize,
    unwanted: HashMap<Arc<str>, Unwanted>,
    suspect: Option<Suspect>,
    /// The last connection broke because a reason in one of the broker's packets could not be read.
    unreadable: bool,
    /// Topics about which something was said on this connection.
    warned: HashSet<Arc<str>>,
    /// Acknowledgements that rumqttc had no room for.
    acks: VecDeque<Publish>,
    /// Values that expire at the broker, and when.
    expiring: HashMap<Arc<str>, Instant>,
}

impl Bridge {
    async fn connect(&mut self, options: MqttOptions, _relay: Option<TlsRelay>) -> Ended {
        self.connection += 1;
        self.acks.clear();
        self.expiring.clear();
        self.warned.clear();
        let (client, event_loop) = AsyncClient::new(options, usize::from(IN_FLIGHT_MAX));
        let (events, mut happened) = mpsc::channel(1_024);
        let polling = Polling::start(event_loop, events);
        let outbox = Arc::clone(&self.outbox);
        let mut closed = self.hub.closed();
        let mut refresh = tokio::time::interval(REFRESH);
        let mut connected = false;
        loop {
            if connected {
                self.flush(&client);
            }
            tokio::select! {
                event = happened.recv() => match event {
                    Some(Ok(Event::Incoming(packet))) => {
                        if let Packet::ConnAck(ack) = packet {
                            connected = true;
                            self.greet(&client, &ack);
                        } else {
                            self.incoming(packet);
                        }
                    }
                    Some(Ok(Event::Outgoing(outgoing))) => self.outgoing(&outgoing),
                    Some(Err(error)) => {
                        // rumqttc does not know every reason that an acknowledgement can have. Of a connection that
                        // stood that is the likeliest packet; what it was about is tried again later.
                        self.unreadable = connected
                            && matches!(
                                error,
                                ConnectionError::MqttState(StateError::Deserialization(
                                    Unreadable::InvalidConnectReturnCode(_)
                                ))
                            );
                        return Ended::Lost(error.to_string());
                    }
                    None => return Ended::GivenUp("its task ended"),
                },
                () = outbox.filled(), if connected => {}
                Some(asked) = self.finished.recv() => {
                    if asked.connection == self.connection && asked.publish.qos != QoS::AtMostOnce {
                        self.acks.push_back(asked.publish);
                    }
                }
                _ = refresh.tick() => {
                    self.count_lost();
                    if !connected {
                        continue;
                    }
                    let waits_since = self.progress.max(self.handed);
                    if !self.unacknowledged.is_empty() && waits_since.elapsed() >= SILENT_MAX {
                        return Ended::GivenUp("it acknowledges nothing");
                    }
                    self.refresh();
                }
                () = true_now(&mut closed) => {
                    if connected {
                        self.drain(&client, &mut happened).await;
                    }
                    drop(polling);
                    return Ended::Stopped;
                }
            }
        }
    }

    /// A connection stands: everything that is retained is published, and what may be asked for is subscribed to.
    fn greet(&mut self, client: &AsyncClient, ack: &ConnAck) {
        tracing::info!("connected to the MQTT broker");
        let bytes_max = ack.properties.as_ref().and_then(|properties| properties.max_packet_size);
        self.packet_bytes_max = bytes_max.and_then(|max| max.try_into().ok()).unwrap_or(usize::MAX);
        self.hub.health().broker("connected");
        self.hub.send_all_retained(self.consumer);
        let filters = self.commands.topics().asked_filters().map(|filter| Filter {
            // An answer of ours is no command, whatever its topic.
            nolocal: true,
            ..Filter::new(filter, QoS::AtLeastOnce)
        });
        if let Err(error) = client.try_subscribe_many(filters) {
            tracing::error!(%error, "nothing can be asked for through the broker");
        }
    }

    fn incoming(&mut self, packet: Packet) {
        match packet {
            Packet::PubAck(ack) => {
                self.progress = Instant::now();
                let place = self.unacknowledged.iter().position(|(id, _)| *id == Some(ack.pkid));
                let queued = place.and_then(|place| self.unacknowledged.remove(place));
                let taken = matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
                if let Some((_, queued)) = queued.filter(|_| !taken) {
                    self.dropped(&queued.message, &format!("the broker says {:?}", ack.reason));
                }
            }
            Packet::SubAck(ack) => {
                let denied = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                if let Some(code) = ack.return_codes.iter().find(denied) {
                    tracing::error!(reason = ?code, "the MQTT broker denies the topics under which something can be asked for");
                }
            }
            Packet::Publish(publish) if publish.retain => {
                // Somebody's old wish, handed out at every connect: nobody may want it now.
                let total = self.hub.health().refused();
                tracing::warn!(topic = %String::from_utf8_lossy(&publish.topic), total, "a retained command was ignored");
                self.acks.push_back(publish);
            }
            Packet::Publish(publish) => {
                // The broker sends no more than these without an acknowledgement; what needs none may be too much.
                let room = self.ask.capacity() > usize::from(ASKED_MAX) || publish.qos != QoS::AtMostOnce;
                let asked = Asked { connection: self.connection, publish };
                let refused =
                    if room { self.ask.try_send(asked).err().map(TrySendError::into_inner) } else { Some(asked) };
                if let Some(asked) = refused {
                    let total = self.hub.health().refused();
                    tracing::warn!(total, "the broker asks for more than can be done; a publish was dropped");
                    // It is acknowledged all the same: the broker's window must not shrink.
                    self.acks.push_back(asked.publish);
                }
            }
            _ => {}
        }
    }

    /// Hands rumqttc what it has room for.
    fn flush(&mut self, client: &AsyncClient) {
        while let Some(publish) = self.acks.pop_front() {
            if publish.qos != QoS::AtMostOnce && client.try_ack(&publish).is_err() {
                self.acks.push_front(publish);
                return;
            }
        }
        while self.unacknowledged.len() < usize::from(IN_FLIGHT_MAX)
            && let Some(queued) = self.outbox.pop()
        {
            let now = Instant::now();
            let message = &queued.message;
            let good_for = message.good_for(now);
            if good_for.is_some_and(|left| left.is_zero()) {
                continue;
            }
            let bytes = packet_bytes(message);
            if bytes > self.packet_bytes_max
                || self.unwanted.get(&message.topic).is_some_and(|unwanted| bytes >= unwanted.bytes)
            {
                self.dropped(&queued.message, "the broker does not take it");
                continue;
            }
            match publish(client, message, queued.retain, good_for) {
                Ok(()) => {
                    match good_for.and_then(|left| now.checked_add(left)) {
                        Some(expires) => self.expiring.insert(Arc::clone(&message.topic), expires),
                        None => self.expiring.remove(&message.topic),
                    };
                    if self.unacknowledged.is_empty() {
                        self.handed = now;
                    }
                    self.unacknowledged.push_back((None, queued));
                }
                // Until something of what it has is on its way.
                Err(NoRoom) => return self.outbox.put_back(queued),
            }
        }
    }

    /// What found no room in the outbox is counted where it is shown.
    fn count_lost(&self) {
        let lost = self.outbox.take_lost();
        if lost > 0 {
            self.hub.health().lost(lost);
            tracing::warn!(lost, "messages to the MQTT broker found no room and were lost");
        }
    }

    /// Publishes unchanged values again whose expiry at the broker is near and whose reading is good for longer.
    fn refresh(&mut self) {
        let near = Instant::now() + 2 * REFRESH;
        let due: Vec<Arc<str>> =
            self.expiring.iter().filter(|(_, expires)| **expires <= near).map(|(topic, _)| Arc::clone(topic)).collect();
        let now = Instant::now();
        let forgiven: Vec<Arc<str>> = self
            .unwanted
            .iter()
            .filter(|(_, unwanted)| unwanted.until <= now)
            .map(|(topic, _)| Arc::clone(topic))
            .collect();
        for topic in forgiven {
            self.unwanted.remove(&topic);
            self.hub.send_retained(self.consumer, &topic);
        }
        for topic in due {
            let known = self.expiring.get(&topic).copied();
            if !self.hub.send_again(self.consumer, &topic, known) && known.is_some_and(|at| at <= Instant::now()) {
                // It has lapsed; the next value is news.
                self.expiring.remove(&topic);
            }
        }
    }

    /// rumqttc has given the next message its packet identifier.
    fn outgoing(&mut self, outgoing: &Outgoing) {
        if let Outgoing::Publish(id) = outgoing
            && let Some((given, _)) = self.unacknowledged.iter_mut().find(|(given, _)| given.is_none())
        {
            *given = Some(*id);
        }
    }

    /// A message does not reach the broker: counted, and told once for its topic and connection.
    fn dropped(&mut self, message: &Message, reason: &str) {
        self.hub.health().lost(1);
        if self.warned.insert(Arc::clone(&message.topic)) {
            tracing::warn!(topic = %message.topic, bytes = message.payload.len(), reason, "a message did not reach the MQTT broker");
        }
    }

    /// The connection is lost: events and results that were on their way are published again on the next one. A message
    /// that was the first on its way too often, or whose answer could not be read, is what the broker does not take.
    fn take_back(&mut self, progressed: bool, by_us: bool) {
        let first = self.unacknowledged.front().map(|(_, queued)| Arc::clone(&queued.message));
        let before = self.suspect.take().filter(|_| !progressed);
        self.suspect = match (before, first) {
            (before, Some(_)) if by_us => before,
            (Some(before), Some(now)) if is_same(&before.message, &now) => {
                Some(Suspect { message: now, breaks: before.breaks + 1 })
            }
            (_, Some(message)) if !progressed => Some(Suspect { message, breaks: 1 }),
            (_, _) => None,
        };
        let proved = self.suspect.as_ref().is_some_and(|suspect| {
            let large = packet_bytes(&suspect.message) >= LARGE;
            suspect.breaks >= if large { BREAKS_OF_LARGE } else { BREAKS_OF_SMALL }
        });
        if (std::mem::take(&mut self.unreadable) || proved)
            && let Some((_, queued)) = self.unacknowledged.pop_front()
        {
            let message = &queued.message;
            if let (true, Some(until)) = (message.is_retained(), Instant::now().checked_add(UNWANTED)) {
                let bytes = packet_bytes(message);
                self.unwanted.insert(Arc::clone(&message.topic), Unwanted { bytes, until });
            }
            self.dropped(message, "the connection broke on it");
            self.suspect = None;
        }
        while let Some((_, queued)) = self.unacknowledged.pop_back() {
            if !queued.message.is_retained() {
                self.outbox.put_back(queued);
            }
        }
    }

    /// Publishes what waits, and says goodbye, so that the will is not published.
    async fn drain(&mut self, client: &AsyncClient, happened: &mut mpsc::Receiver<Result<Event, ConnectionError>>) {
        let all = async {
            loop {
                self.flush(client);
                if self.unacknowledged.is_empty() {
                    return;
                }
                match happened.recv().await {
                    Some(Ok(Event::Incoming(packet))) => self.incoming(packet),
                    Some(Ok(Event::Outgoing(outgoing))) => self.outgoing(&outgoing),
                    Some(Err(_)) | None => return,
                }
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("the MQTT broker did not take what waited in time");
        }
        if client.try_disconnect().is_ok() {
            let gone = async { while let Some(Ok(_)) = happened.recv().await {} };
            let _late = tokio::time::timeout(DRAIN, gone).await;
        }
    }
}

/// How large its packet is, at most.
fn packet_bytes(message: &Message) -> usize {
    message.bytes() + PROPERTIES_BYTES
}

/// Whether it is the same message once more: what is retained is made anew for each connection.
fn is_same(before: &Arc<Message>, now: &Arc<Message>) -> bool {
    let anew = now.is_retained() && before.topic == now.topic && before.payload.len() == now.payload.len();
    Arc::ptr_eq(before, now) || anew
}

/// Does what is asked for, one after another.
async fn work(
    commands: Arc<Commands>,
    consumer: ConsumerId,
    mut asked: mpsc::Receiver<Asked>,
    done: mpsc::Sender<Asked>,
) {
    while let Some(asked) = asked.recv().await {
        let properties = asked.publish.properties.clone().unwrap_or_default();
        let publish = command::Publish {
            topic: String::from_utf8_lossy(&asked.publish.topic).into_owned(),
            payload: asked.publish.payload.clone(),
            response_topic: properties.response_topic,
            correlation: properties.correlation_data,
            from: Principal::Broker,
        };
        // What came of it was told where it can be told.
        let _told = commands.execute(&publish, consumer).await;
        if done.send(asked).await.is_err() {
            return;
        }
    }
}
