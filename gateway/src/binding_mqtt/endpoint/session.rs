//! One client: its CONNECT, then packets both ways until one side ends it.
//!
//! Invariants: commands of one client run one after another, in the order in which they came, and are acknowledged in that
//! order when they are done; a client that goes away does not stop them. What a client does not take waits in its bounded
//! outbox; one that lets it overflow is disconnected, so nothing is left out behind its back.

mod admit;
mod work;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Disconnect, DisconnectProperties, DisconnectReasonCode, Filter, Packet, PingResp, PubAck,
    PubAckProperties, PubAckReason, Publish, PublishProperties, RetainForwardRule, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck, UnsubAckReason, Unsubscribe,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::Endpoint;
use super::codec::{self, Refused, Version};
use super::connect;
use crate::access::Principal;
use crate::binding_mqtt::command::{self, Refusal};
use crate::binding_mqtt::filter::{is_filter, is_topic};
use crate::binding_mqtt::hub::{ConsumerId, FILTERS_MAX, SendRetained, Subscription, true_now};
use crate::binding_mqtt::outbox::{Outbox, Queued};
use crate::room::Seat;
use work::{Asked, Done, Held, hand_over};

/// How long a client that takes nothing of what is sent to it is kept.
const STALL: Duration = Duration::from_secs(30);
/// Publishes of a client that it should leave unacknowledged at most, and messages to it that may wait to be acknowledged.
const IN_FLIGHT_MAX: u16 = 32;
/// Publishes of a client that may wait for their turn, and what they may hold, in bytes. The one that reaches this is taken.
const WAITING_MAX: usize = 1_024;
const WAITING_BYTES_MAX: usize = 256 << 10;
/// What the publishes of all clients may hold, in bytes; beyond that each client has one at a time.
const ALL_WAITING_BYTES_MAX: usize = 32 << 20;
/// Largest CONNECT, in bytes: anybody may send one.
const CONNECT_BYTES_MAX: usize = 128 << 10;
/// A write that takes longer than this waited for the client.
const LONG_WRITE: Duration = Duration::from_millis(500);
/// How much a packet may carry beside its payload, in bytes.
const AROUND_PAYLOAD: usize = 64 << 10;
/// How much is written at once, in bytes.
const WRITE_AT_ONCE: usize = 64 << 10;

/// See the module.
pub(super) struct Session {
    endpoint: Arc<Endpoint>,
    peer: SocketAddr,
    principal: Principal,
    version: Version,
    identifier: String,
    consumer: ConsumerId,
    taken_over: Arc<Notify>,
    outbox: Arc<Outbox>,
    /// Messages that the client has not acknowledged.
    in_flight: HashSet<u16>,
    in_flight_max: usize,
    packet_id: u16,
    /// The largest packet that the client takes (MQTT 5).
    packet_bytes_max: usize,
    keep_alive: Option<Duration>,
    will: Option<command::Publish>,
    commands: mpsc::Sender<Asked>,
    done: mpsc::Receiver<Done>,
    /// Publishes that wait for their turn. When there are too many, nothing more is read.
    waiting: VecDeque<Asked>,
    /// What they hold, in bytes.
    waiting_bytes: usize,
    /// Since when the client has left its window full.
    full_since: Option<Instant>,
    /// Whether the client wants to hear reasons (MQTT 5, Request Problem Information).
    wants_reasons: bool,
    out: BytesMut,
    /// A packet may be half written: nothing can be said behind it.
    writing: bool,
}

/// Who connects.
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    /// Known when it has introduced itself.
    pub(super) principal: Principal,
    /// One of the places for clients.
    pub(super) seat: Arc<Seat>,
}

/// How a session ends.
enum End {
    /// The client said so, and wants no will.
    Goodbye,
    /// The connection is gone, or the client wants its will.
    Lost,
    /// The client did what it may not do, or takes too little.
    Refused(Refused),
    /// The gateway stops.
    Stopping,
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Session {
    /// Serves one connection to its end.
    pub(super) async fn serve(endpoint: Arc<Endpoint>, mut stream: TcpStream, mut caller: Caller) {
        let peer = caller.peer;
        let mut incoming = BytesMut::new();
        let within = Instant::now() + endpoint.limits.connect_timeout;
        let connecting = timeout_at(within, connect::read(&mut stream, &mut incoming, CONNECT_BYTES_MAX)).await;
        let (version, packet) = match connecting {
            Ok(Ok(Some(connected))) => connected,
            Ok(Ok(None)) => return,
            Ok(Err(refused)) => return tracing::debug!(%peer, detail = refused.detail, "an MQTT client was refused"),
            Err(_) => return tracing::debug!(%peer, "no CONNECT in time"),
        };
        if !caller.seat.asked(false) {
            return;
        }
        let Packet::Connect(connect, will, login) = packet else { return };
        let admitted = connect::principal(&endpoint, peer, login.as_ref()).and_then(|principal| {
            caller.principal = principal;
            Self::admit(endpoint, caller, version, connect, will)
        });
        let mut session = match admitted {
            Ok(session) => session,
            Err((code, detail)) => {
                tracing::debug!(%peer, detail, "an MQTT client was refused");
                let mut out = BytesMut::new();
                let properties = (version == Version::V5).then(|| connect::reason_properties(detail));
                let packet = Packet::ConnAck(ConnAck { session_present: false, code, properties });
                if codec::write(version, packet, &mut out).is_ok() {
                    let _gone = timeout(STALL, stream.write_all(&out)).await;
                }
                return;
            }
        };
        session.endpoint.hub.health().client_came();
        let end = session.run(&mut stream, &mut incoming).await;
        session.endpoint.hub.detach(session.consumer);
        session.endpoint.hub.health().client_left();
        session.end(end, &mut stream).await;
    }

    async fn run(&mut self, stream: &mut TcpStream, incoming: &mut BytesMut) -> End {
        let taken_over = Arc::clone(&self.taken_over);
        let mut stay = self.endpoint.commands.access().stay(self.principal);
        let running = self.packets(stream, incoming);
        tokio::select! {
            biased;
            () = stay.ended() => {
                End::Refused(Refused::new(DisconnectReasonCode::NotAuthorized, "the token is not good any more"))
            }
            () = taken_over.notified() => {
                End::Refused(Refused::new(DisconnectReasonCode::SessionTakenOver, "another connection has this client identifier"))
            }
            end = running => end.unwrap_or_else(|end| end),
        }
    }

    async fn packets(&mut self, stream: &mut TcpStream, incoming: &mut BytesMut) -> Result<End, End> {
        let (mut reader, mut writer) = stream.split();
        let mut closed = self.endpoint.hub.closed();
        let (outbox, commands) = (Arc::clone(&self.outbox), self.commands.clone());
        let packet_bytes_max = self.endpoint.commands.payload_bytes_max() + AROUND_PAYLOAD;
        let mut heard = Instant::now();
        let mut stopping = false;
        loop {
            while self.reads()
                && let Some(packet) = codec::read(self.version, incoming, packet_bytes_max)?
            {
                let costs = matches!(packet, Packet::Subscribe(_));
                if let Some(end) = self.packet(packet)? {
                    return Ok(end);
                }
                if costs {
                    // It may have meant thousands of messages: others come first.
                    tokio::task::yield_now().await;
                }
            }
            self.messages()?;
            if !self.out.is_empty() {
                self.writing = true;
                let began = Instant::now();
                let written = timeout(STALL, writer.write_all(&self.out)).await;
                written.map_err(|_| End::Lost)?.map_err(|_| End::Lost)?;
                self.writing = false;
                self.out.clear();
                if began.elapsed() >= LONG_WRITE {
                    // Nothing was read meanwhile, and the client took what was written: it is there.
                    heard = Instant::now();
                }
                continue;
            }
            if stopping && self.in_flight.is_empty() && self.outbox.is_empty() {
                return Ok(End::Stopping);
            }
            let silent = self.keep_alive.filter(|_| self.reads()).map(|keep_alive| heard + keep_alive);
            let stalled = self.full_since.map(|since| since + STALL);
            tokio::select! {
                // What has come is looked at before it is said that nothing came.
                biased;
                Some(done) = self.done.recv() => self.acknowledge(done)?,
                read = reader.read_buf(incoming), if self.reads() => match read {
                    Ok(0) | Err(_) => return Err(End::Lost),
                    Ok(_) => heard = Instant::now(),
                },
                permit = commands.reserve(), if !self.waiting.is_empty() => {
                    if !self.reads() {
                        heard = Instant::now();
                    }
                    if let (Ok(permit), Some(asked)) = (permit, self.waiting.pop_front()) {
                        self.waiting_bytes -= asked.held.bytes();
                        permit.send(asked);
                    }
                }
                () = outbox.filled(), if self.in_flight.len() < self.in_flight_max => {}
                () = true_now(&mut closed), if !stopping => stopping = true,
                () = tokio::time::sleep_until(silent.unwrap_or(heard)), if silent.is_some() => {
                    let detail = "nothing was heard for one and a half times the keep-alive";
                    return Err(Refused::new(DisconnectReasonCode::KeepAliveTimeout, detail).into());
                }
                () = tokio::time::sleep_until(stalled.unwrap_or(heard)), if stalled.is_some() => {
                    let detail = "nothing of what was sent was acknowledged";
                    return Err(Refused::new(DisconnectReasonCode::QuotaExceeded, detail).into());
                }
            }
        }
    }

    /// Whether more of the client's packets can be taken.
    fn reads(&self) -> bool {
        let of_all = if self.waiting.is_empty() { 0 } else { self.endpoint.waiting_bytes.load(Ordering::Relaxed) };
        self.waiting.len() < WAITING_MAX && self.waiting_bytes < WAITING_BYTES_MAX && of_all < ALL_WAITING_BYTES_MAX
    }

    fn packet(&mut self, packet: Packet) -> Result<Option<End>, Refused> {
        match packet {
            Packet::Publish(publish) => self.publish(publish)?,
            Packet::PubAck(ack) => {
                if self.in_flight.remove(&ack.pkid) {
                    self.full_since = None;
                }
            }
            Packet::Subscribe(subscribe) => self.subscribe(subscribe)?,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe)?,
            Packet::PingReq(_) => self.put(Packet::PingResp(PingResp))?,
            Packet::Disconnect(disconnect) => {
                let quiet = disconnect.reason_code == DisconnectReasonCode::NormalDisconnection;
                return Ok(Some(if quiet { End::Goodbye } else { End::Lost }));
            }
            Packet::Connect(..) => {
                return Err(Refused::new(DisconnectReasonCode::ProtocolError, "a second CONNECT"));
            }
            _ => return Err(Refused::new(DisconnectReasonCode::ProtocolError, "a client does not send this packet")),
        }
        Ok(None)
    }

    fn publish(&mut self, publish: Publish) -> Result<(), Refused> {
        let refused = |reason, detail: &str| Err(Refused::new(reason, detail));
        if publish.qos == QoS::ExactlyOnce {
            return refused(DisconnectReasonCode::QoSNotSupported, "quality of service 2 is not offered");
        }
        let properties = publish.properties.unwrap_or_default();
        if properties.topic_alias.is_some() {
            return refused(DisconnectReasonCode::TopicAliasInvalid, "topic aliases are not offered");
        }
        if !properties.subscription_identifiers.is_empty() {
            return refused(DisconnectReasonCode::ProtocolError, "a client sends no subscription identifiers");
        }
        let Some(topic) = std::str::from_utf8(&publish.topic).ok().filter(|topic| is_topic(topic)) else {
            return refused(DisconnectReasonCode::TopicNameInvalid, "no topic that can be published to");
        };
        let packet_id = (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid);
        if !self.endpoint.commands.takes(topic) {
            return self.not_taken(topic, packet_id);
        }
        if properties.response_topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
            return refused(DisconnectReasonCode::ProtocolError, "no topic that could be answered to");
        }
        let publish = command::Publish {
            topic: topic.to_owned(),
            // Copied: what was read holds the whole packet.
            payload: Bytes::copy_from_slice(&publish.payload),
            response_topic: properties.response_topic,
            correlation: properties.correlation_data.map(|correlation| Bytes::copy_from_slice(&correlation)),
            from: self.principal,
        };
        let held = Held::new(&publish, &self.endpoint.waiting_bytes);
        self.waiting_bytes += held.bytes();
        self.waiting.push_back(Asked { packet_id, publish, held });
        Ok(())
    }

    /// A topic that is none of ours: MQTT 5 can say so; 3.1.1 can only end the connection (section 3.3.5).
    fn not_taken(&mut self, topic: &str, packet_id: Option<u16>) -> Result<(), Refused> {
        let total = self.endpoint.hub.health().refused();
        let detail = "this gateway is no general broker: it takes publishes that set a property or invoke an action";
        match (self.version, packet_id) {
            (Version::V5, Some(packet_id)) => {
                self.acknowledge(Done { packet_id, outcome: Err((Refusal::NoSuchTopic, detail.to_owned())) })
            }
            (Version::V5, None) => {
                tracing::debug!(peer = %self.peer, topic, total, "a publish to a foreign topic was dropped");
                Ok(())
            }
            (Version::V4, _) => Err(Refused::new(DisconnectReasonCode::TopicNameInvalid, detail)),
        }
    }

    fn acknowledge(&mut self, done: Done) -> Result<(), Refused> {
        let mut ack = PubAck::new(done.packet_id, None);
        if let Err((refusal, detail)) = done.outcome {
            ack.reason = match refusal {
                Refusal::NoSuchTopic => PubAckReason::TopicNameInvalid,
                Refusal::Payload => PubAckReason::PayloadFormatInvalid,
                Refusal::NotAllowed => PubAckReason::NotAuthorized,
                Refusal::Quota => PubAckReason::QuotaExceeded,
                Refusal::Failed => PubAckReason::UnspecifiedError,
            };
            let reason_string = Some(detail.chars().take(1_000).collect());
            ack.properties = Some(PubAckProperties { reason_string, user_properties: Vec::new() });
        }
        // The reason is left out where it is not wanted, or makes the packet too large (MQTT 5.0 section 3.4.2.2.2).
        if !self.wants_reasons || ack.size() + 2 > self.packet_bytes_max {
            ack.properties = None;
        }
        self.put(Packet::PubAck(ack))
    }

    fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Refused> {
        let Subscribe { pkid, filters, properties } = subscribe;
        if pkid == 0 {
            return Err(Refused::new(DisconnectReasonCode::ProtocolError, "a packet identifier of 0"));
        }
        let identifier = properties.and_then(|properties| properties.id);
        if identifier == Some(0) {
            return Err(Refused::new(DisconnectReasonCode::ProtocolError, "a subscription identifier of 0"));
        }
        if filters.len() > FILTERS_MAX {
            let detail = format!("a SUBSCRIBE with {} filters: at most {FILTERS_MAX} are taken", filters.len());
            return Err(Refused::new(DisconnectReasonCode::QuotaExceeded, detail));
        }
        // What is retained follows the acknowledgement; it waits in the outbox until then.
        let return_codes = filters.into_iter().map(|filter| self.subscribe_to(filter, identifier)).collect();
        self.put(Packet::SubAck(SubAck { pkid, return_codes, properties: None }))
    }

    fn subscribe_to(&self, filter: Filter, identifier: Option<usize>) -> SubscribeReasonCode {
        if filter.path.starts_with("$share/") {
            return SubscribeReasonCode::SharedSubscriptionsNotSupported;
        }
        if !is_filter(&filter.path) {
            return SubscribeReasonCode::TopicFilterInvalid;
        }
        if !self.endpoint.commands.lets_hear(self.principal, &filter.path) {
            return SubscribeReasonCode::NotAuthorized;
        }
        let qos = if filter.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let send = match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => SendRetained::Always,
            RetainForwardRule::OnNewSubscribe => SendRetained::IfNew,
            RetainForwardRule::Never => SendRetained::Never,
        };
        let subscription =
            Subscription { filter: filter.path, qos, retain_as_published: filter.preserve_retain, identifier };
        match self.endpoint.hub.subscribe(self.consumer, subscription, send) {
            Ok(()) => SubscribeReasonCode::Success(qos),
            Err(_) => SubscribeReasonCode::QuotaExceeded,
        }
    }

    fn unsubscribe(&mut self, unsubscribe: Unsubscribe) -> Result<(), Refused> {
        let Unsubscribe { pkid, filters, .. } = unsubscribe;
        if pkid == 0 || filters.is_empty() {
            return Err(Refused::new(
                DisconnectReasonCode::ProtocolError,
                "an UNSUBSCRIBE without identifier or filter",
            ));
        }
        let reason = |filter: String| match self.endpoint.hub.unsubscribe(self.consumer, &filter) {
            true => UnsubAckReason::Success,
            false => UnsubAckReason::NoSubscriptionExisted,
        };
        let reasons = filters.into_iter().map(reason).collect();
        self.put(Packet::UnsubAck(UnsubAck { pkid, reasons, properties: None }))
    }

    /// Puts what waits in the outbox into the buffer, as far as the client's window and the buffer go.
    fn messages(&mut self) -> Result<(), Refused> {
        let lost = self.outbox.take_lost();
        if lost > 0 {
            self.endpoint.hub.health().lost(lost);
            let detail = format!("{lost} messages found no room: this client takes them too slowly");
            return Err(Refused::new(DisconnectReasonCode::QuotaExceeded, detail));
        }
        while self.out.len() < WRITE_AT_ONCE
            && let Some(queued) = self.outbox.pop()
        {
            if queued.qos != QoS::AtMostOnce && self.in_flight.len() >= self.in_flight_max {
                self.outbox.put_back(queued);
                break;
            }
            self.message(&queued)?;
        }
        if self.in_flight.len() >= self.in_flight_max {
            self.full_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn message(&mut self, queued: &Queued) -> Result<(), Refused> {
        let message = &*queued.message;
        if !self.endpoint.commands.lets_hear(self.principal, &message.topic) {
            return Ok(());
        }
        let properties = (self.version == Version::V5).then(|| PublishProperties {
            payload_format_indicator: Some(1),
            content_type: Some(message.content_type.to_owned()),
            correlation_data: message.reply.as_ref().and_then(|reply| reply.correlation.clone()),
            user_properties: message.user_properties(),
            subscription_identifiers: queued.subscriptions.clone(),
            ..PublishProperties::default()
        });
        let mut publish = Publish::new(&*message.topic, queued.qos, message.payload.clone(), properties);
        publish.retain = queued.retain;
        let packet = Packet::Publish(publish);
        // A client that cannot take a packet of this size does not get it (MQTT 5.0 section 3.1.2.11.4).
        if packet.size() + 2 > self.packet_bytes_max {
            return Ok(());
        }
        let Packet::Publish(mut publish) = packet else { return Ok(()) };
        if queued.qos != QoS::AtMostOnce {
            publish.pkid = self.next_packet_id();
            self.in_flight.insert(publish.pkid);
        }
        self.put(Packet::Publish(publish))
    }

    fn next_packet_id(&mut self) -> u16 {
        loop {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.packet_id) {
                return self.packet_id;
            }
        }
    }

    fn put(&mut self, packet: Packet) -> Result<(), Refused> {
        codec::write(self.version, packet, &mut self.out)
    }

    /// The last word to the client, and its will.
    async fn end(mut self, end: End, stream: &mut TcpStream) {
        let (said, will) = match end {
            End::Goodbye => (None, false),
            End::Lost => (None, true),
            End::Stopping => (Some((DisconnectReasonCode::ServerShuttingDown, "the gateway stops".to_owned())), false),
            End::Refused(refused) => (Some((refused.reason, refused.detail)), true),
        };
        // Through the same queue: what the client asked for before comes first.
        let will = self.will.take().filter(|_| will).map(|publish| {
            let held = Held::new(&publish, &self.endpoint.waiting_bytes);
            Asked { packet_id: None, publish, held }
        });
        self.waiting.extend(will);
        if !self.waiting.is_empty() {
            tokio::spawn(hand_over(std::mem::take(&mut self.waiting), self.commands.clone()));
        }
        let Some((reason_code, detail)) = said else { return };
        tracing::debug!(peer = %self.peer, client = self.identifier, detail, "an MQTT client was disconnected");
        if self.version == Version::V5 && !self.writing {
            let reason_string = Some(detail).filter(|detail| detail.len() + 16 <= self.packet_bytes_max);
            let properties = reason_string.map(|reason| DisconnectProperties {
                session_expiry_interval: None,
                reason_string: Some(reason),
                user_properties: Vec::new(),
                server_reference: None,
            });
            self.out.clear();
            if self.put(Packet::Disconnect(Disconnect { reason_code, properties })).is_ok() {
                let _gone = timeout(Duration::from_secs(1), stream.write_all(&self.out)).await;
            }
        }
        let _gone = timeout(Duration::from_secs(1), stream.shutdown()).await;
    }
}
