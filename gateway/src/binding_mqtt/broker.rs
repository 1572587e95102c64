//! An external broker, spoken to in MQTT 5 through rumqttc: everything is published there too, and asked for from there.
//!
//! Each connection has a client of its own: rumqttc forgets what was not acknowledged when a broker comes back without a
//! session, so what is on its way is remembered here, and events and results are published again. One task polls and
//! does nothing else; nobody waits for room in rumqttc's queue, because it freezes then. The gateway is the source of
//! truth: after every connect all retained messages are published anew.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, Packet, PubAckReason, Publish, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error as Unreadable, QoS};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use rumqttc::{Outgoing, Transport};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::command::{self, Commands};
use super::hub::{ConsumerId, Hub, true_now};
use super::message::Message;
use super::outbox::{Outbox, Queued};
use super::tls::TlsRelay;
use crate::config::Broker;

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
/// What a packet carries beside topic and payload, at most, in bytes: our properties are short.
const PROPERTIES_BYTES: usize = 512;
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
        let Ended::Lost(reason) = ended else { break };
        bridge.hub.health().broker("disconnected");
        tracing::warn!(host = broker.host, port = broker.port, reason, "no connection to the MQTT broker");
        let progressed = bridge.progress > began;
        bridge.take_back(progressed);
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

/// What one connection is made from. The password is read each time, so that it can be changed.
async fn options(broker: &Broker, commands: &Commands) -> Result<(MqttOptions, Option<TlsRelay>), String> {
    let topics = commands.topics();
    let relay = if broker.tls { Some(TlsRelay::start(broker).await?) } else { None };
    let client_id = topics.gateway_status().replace("/status", "").replace('/', "-");
    let mut options = match &relay {
        Some(relay) => {
            let mut options = MqttOptions::new(client_id, relay.path().to_string_lossy(), 0);
            options.set_transport(Transport::Unix);
            options
        }
        None => MqttOptions::new(client_id, broker.host.clone(), broker.port),
    };
    options.set_keep_alive(Duration::from_secs(broker.keep_alive_s.into()));
    options.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
    options.set_clean_start(true);
    options.set_manual_acks(true);
    options.set_receive_maximum(Some(ASKED_MAX));
    options.set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX);
    let bytes_max = commands.payload_bytes_max().saturating_add(64 << 10);
    options.set_max_packet_size(Some(u32::try_from(bytes_max).unwrap_or(u32::MAX)));
    options.set_last_will(LastWill::new(topics.gateway_status(), "offline", QoS::AtLeastOnce, true, None));
    if let Some(username) = &broker.username {
        let password = broker.password_file.as_deref().map(password).transpose()?;
        options.set_credentials(username.clone(), password.unwrap_or_default());
    }
    Ok((options, relay))
}

fn password(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How a connection ended.
enum Ended {
    /// The gateway stops; what waited was published.
    Stopped,
    Lost(String),
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
    /// Topics that a broker would not take, and how large the message was: others of that size are not tried again.
    unwanted: HashMap<Arc<str>, usize>,
    /// What was the first on its way when the last connection broke, on which nothing was acknowledged.
    suspect: Option<Arc<Message>>,
    /// The last connection broke because an acknowledgement could not be read.
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
        let polling = Polling(tokio::spawn(poll(event_loop, events)));
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
                        // rumqttc does not know every reason that an acknowledgement can have.
                        self.unreadable = matches!(
                            error,
                            ConnectionError::MqttState(StateError::Deserialization(
                                Unreadable::InvalidConnectReturnCode(_) | Unreadable::InvalidReason(_)
                            ))
                        );
                        return Ended::Lost(error.to_string());
                    }
                    None => return Ended::Lost("its task ended".to_owned()),
                },
                () = outbox.filled(), if connected => {}
                Some(asked) = self.finished.recv() => {
                    if asked.connection == self.connection && asked.publish.qos != QoS::AtMostOnce {
                        self.acks.push_back(asked.publish);
                    }
                }
                _ = refresh.tick(), if connected => {
                    let waits_since = self.progress.max(self.handed);
                    if !self.unacknowledged.is_empty() && waits_since.elapsed() >= SILENT_MAX {
                        return Ended::Lost("it acknowledges nothing".to_owned());
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
        let filters = self.commands.topics().asked_filters().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
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
        let lost = self.outbox.take_lost();
        if lost > 0 {
            self.hub.health().lost(lost);
            tracing::warn!(lost, "messages to the MQTT broker found no room and were lost");
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
            if bytes > self.packet_bytes_max || self.unwanted.get(&message.topic).is_some_and(|size| bytes >= *size) {
                self.dropped(&queued.message, "it is larger than the broker takes");
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

    /// Publishes unchanged values again whose expiry at the broker is near and whose reading is good for longer.
    fn refresh(&mut self) {
        let near = Instant::now() + 2 * REFRESH;
        let due: Vec<Arc<str>> =
            self.expiring.iter().filter(|(_, expires)| **expires <= near).map(|(topic, _)| Arc::clone(topic)).collect();
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
    /// that was the first on its way twice, or once and the answer could not be read, is what the broker cannot take.
    fn take_back(&mut self, progressed: bool) {
        let first = self.unacknowledged.front().map(|(_, queued)| Arc::clone(&queued.message));
        let again = || self.suspect.as_ref().zip(first.as_ref()).is_some_and(|(before, now)| is_same(before, now));
        if (std::mem::take(&mut self.unreadable) || (!progressed && again()))
            && let Some((_, queued)) = self.unacknowledged.pop_front()
        {
            let message = &queued.message;
            if message.is_retained() {
                self.unwanted.insert(Arc::clone(&message.topic), packet_bytes(message));
            }
            self.dropped(message, "the connection broke on it");
        }
        self.suspect = first.filter(|_| !progressed);
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
    message.payload.len() + message.topic.len() + PROPERTIES_BYTES
}

/// Whether it is the same message once more: what is retained is made anew for each connection.
fn is_same(before: &Arc<Message>, now: &Arc<Message>) -> bool {
    let anew = now.is_retained() && before.topic == now.topic && before.payload.len() == now.payload.len();
    Arc::ptr_eq(before, now) || anew
}

/// Ends the polling with the connection.
struct Polling(JoinHandle<()>);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Polls, and does nothing else, until the connection is lost.
async fn poll(mut event_loop: EventLoop, events: mpsc::Sender<Result<Event, ConnectionError>>) {
    loop {
        let event = event_loop.poll().await;
        let lost = event.is_err();
        if events.send(event).await.is_err() || lost {
            return;
        }
    }
}

/// rumqttc has enough to do.
struct NoRoom;

fn publish(client: &AsyncClient, message: &Message, retain: bool, good_for: Option<Duration>) -> Result<(), NoRoom> {
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        // Rounded up: a second is the least that can be said.
        message_expiry_interval: good_for
            .map(|left| u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1)),
        content_type: Some(message.content_type.to_owned()),
        correlation_data: message.reply.as_ref().and_then(|reply| reply.correlation.clone()),
        user_properties: message.user_properties(),
        ..PublishProperties::default()
    };
    let payload = message.payload.clone();
    let handed = client.try_publish_with_properties(&*message.topic, QoS::AtLeastOnce, retain, payload, properties);
    // It refuses wildcards too, which are in no topic of ours, nor in one that was asked for.
    handed.map_err(|_| NoRoom)
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
        };
        // What came of it was told where it can be told.
        let _told = commands.execute(&publish, consumer).await;
        if done.send(asked).await.is_err() {
            return;
        }
    }
}
