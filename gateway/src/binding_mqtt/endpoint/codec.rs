//! Packets on the wire: rumqttc's codec for both versions, with what it does not check itself.
//!
//! Sessions know MQTT 5 packets only; those of 3.1.1 are translated here, both ways. The codec lets pass: reserved flags,
//! packets that only a server sends, and much that is malformed (`walk`); an MQTT 5 DISCONNECT without a body, or with
//! nothing but a reason, is an error to it, although both are usual.

mod walk;

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::mqttbytes;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Connect, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, LastWill, Login, Packet, PubAck,
    Publish, SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe,
};

/// MQTT 3.1.1 or 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V5,
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: DisconnectReasonCode,
    pub(crate) detail: String,
}

impl Refused {
    pub(crate) fn new(reason: DisconnectReasonCode, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(DisconnectReasonCode::MalformedPacket, detail)
    }

    fn protocol(detail: impl Into<String>) -> Self {
        Self::new(DisconnectReasonCode::ProtocolError, detail)
    }
}

/// A client that speaks another version than 3.1.1 and 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OtherVersion(pub(crate) u8);

/// The fixed header (MQTT 5.0 section 2.1): the first byte, its own length, and the length of what follows it.
#[derive(Debug, Clone, Copy)]
struct Head {
    first: u8,
    bytes: usize,
    remaining: usize,
}

impl Head {
    /// `None`: more bytes are needed.
    fn read(stream: &[u8], bytes_max: usize) -> Result<Option<Self>, Refused> {
        let Some((&first, rest)) = stream.split_first() else { return Ok(None) };
        let mut remaining = 0;
        for (place, byte) in rest.iter().take(4).enumerate() {
            remaining |= usize::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                if remaining > bytes_max {
                    let detail = format!("a packet of {remaining} bytes; at most {bytes_max} are taken");
                    return Err(Refused::new(DisconnectReasonCode::PacketTooLarge, detail));
                }
                return Ok(Some(Self { first, bytes: place + 2, remaining }));
            }
        }
        if rest.len() < 4 {
            Ok(None)
        } else {
            Err(Refused::malformed("the length of a packet has more than four bytes"))
        }
    }

    fn whole(self) -> usize {
        self.bytes + self.remaining
    }

    /// The flags that each type must have (section 2.1.3), and the types that a client may send.
    fn check(self, version: Version) -> Result<(), Refused> {
        // A length of MQTT 5 has no more bytes than it needs (MQTT-1.5.5-1); 3.1.1 does not say so.
        if version == Version::V5 && self.bytes > 2 && self.remaining >> (7 * (self.bytes - 2)) == 0 {
            return Err(Refused::malformed("a length with more bytes than it needs"));
        }
        let flags = self.first & 0x0F;
        let expected = match self.first >> 4 {
            // DUP without an acknowledgement to wait for (MQTT-3.3.1-2), quality of service 3 (MQTT-3.3.1-4).
            3 if flags & 0x0E == 0x08 || flags & 0x06 == 0x06 => {
                return Err(Refused::malformed("the flags of PUBLISH contradict each other"));
            }
            3 => return Ok(()),
            8 | 10 => 2,
            1 | 4 | 12 | 14 => 0,
            5..=7 => {
                return Err(Refused::new(DisconnectReasonCode::QoSNotSupported, "quality of service 2 is not offered"));
            }
            kind => return Err(Refused::protocol(format!("a client does not send packets of type {kind}"))),
        };
        if flags == expected { Ok(()) } else { Err(Refused::malformed("reserved flags are set")) }
    }
}

/// The version of a CONNECT, once enough of it is here; it is still in `stream` then.
pub(crate) fn version(stream: &[u8], bytes_max: usize) -> Result<Option<Result<Version, OtherVersion>>, Refused> {
    let Some(head) = Head::read(stream, bytes_max)? else { return Ok(None) };
    if head.first != 0x10 {
        return Err(Refused::protocol("the first packet must be CONNECT"));
    }
    if stream.len() < head.whole() {
        return Ok(None);
    }
    let body = &stream[head.bytes..head.whole()];
    match body {
        [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', level, ..] => Ok(Some(Err(OtherVersion(*level)))),
        [0, 4, b'M', b'Q', b'T', b'T', 4, ..] => Ok(Some(Ok(Version::V4))),
        [0, 4, b'M', b'Q', b'T', b'T', 5, ..] => Ok(Some(Ok(Version::V5))),
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] => Ok(Some(Err(OtherVersion(*level)))),
        _ => Err(Refused::protocol("this is no MQTT")),
    }
}

/// Takes the next packet out of `stream`; `None`: more bytes are needed.
pub(crate) fn read(version: Version, stream: &mut BytesMut, bytes_max: usize) -> Result<Option<Packet>, Refused> {
    let Some(head) = Head::read(stream, bytes_max)? else { return Ok(None) };
    head.check(version)?;
    if stream.len() < head.whole() {
        return Ok(None);
    }
    walk::walk(version, head.first, &stream[head.bytes..head.whole()])?;
    if head.remaining == 0 && head.first == 0xE0 {
        stream.advance(head.whole());
        return Ok(Some(Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))));
    }
    // The packet alone: what follows it is none of this packet's business.
    let mut packet = stream.split_to(head.whole());
    if head.remaining == 1 && head.first == 0xE0 {
        // A reason alone: the length of the properties that are left out is 0 (section 3.14.2.2.1).
        packet = BytesMut::from(&[0xE0, 2, packet[head.bytes], 0][..]);
    }
    match version {
        Version::V5 => Packet::read(&mut packet, None).map(Some).map_err(|error| Refused::malformed(error.to_string())),
        Version::V4 => v4::Packet::read(&mut packet, usize::MAX)
            .map_err(|error| Refused::malformed(error.to_string()))
            .and_then(from_v4),
    }
}

fn from_v4(packet: v4::Packet) -> Result<Option<Packet>, Refused> {
    Ok(Some(match packet {
        v4::Packet::Connect(connect) => {
            let will = connect.last_will.map(|will| LastWill {
                topic: Bytes::from(will.topic),
                message: will.message,
                qos: qos_from_v4(will.qos),
                retain: will.retain,
                properties: None,
            });
            let login = connect.login.map(|login| Login { username: login.username, password: login.password });
            let connect = Connect {
                keep_alive: connect.keep_alive,
                client_id: connect.client_id,
                clean_start: connect.clean_session,
                properties: None,
            };
            Packet::Connect(connect, will, login)
        }
        v4::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: publish.dup,
            qos: qos_from_v4(publish.qos),
            retain: publish.retain,
            topic: Bytes::from(publish.topic),
            pkid: publish.pkid,
            payload: publish.payload,
            properties: None,
        }),
        v4::Packet::PubAck(ack) => Packet::PubAck(PubAck::new(ack.pkid, None)),
        v4::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pkid: subscribe.pkid,
            filters: subscribe
                .filters
                .into_iter()
                .map(|filter| Filter { path: filter.path, qos: qos_from_v4(filter.qos), ..Filter::default() })
                .collect(),
            properties: None,
        }),
        v4::Packet::Unsubscribe(unsubscribe) => {
            Packet::Unsubscribe(Unsubscribe { pkid: unsubscribe.pkid, filters: unsubscribe.topics, properties: None })
        }
        v4::Packet::PingReq => Packet::PingReq(rumqttc::v5::mqttbytes::v5::PingReq),
        v4::Packet::Disconnect => Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)),
        _ => return Err(Refused::protocol("a client does not send packets of this type")),
    }))
}

/// Writes a packet behind what `stream` holds already.
pub(crate) fn write(version: Version, packet: Packet, stream: &mut BytesMut) -> Result<(), Refused> {
    let unwritable = |detail: String| Refused::new(DisconnectReasonCode::ImplementationSpecificError, detail);
    match version {
        Version::V5 => packet.write(stream, None).map(|_| ()).map_err(|error| unwritable(error.to_string())),
        Version::V4 => match to_v4(packet) {
            Some(packet) => packet.write(stream, usize::MAX).map(|_| ()).map_err(|error| unwritable(error.to_string())),
            None => Ok(()),
        },
    }
}

/// `None`: 3.1.1 has no such packet from a server.
fn to_v4(packet: Packet) -> Option<v4::Packet> {
    Some(match packet {
        Packet::ConnAck(ConnAck { session_present, code, .. }) => {
            v4::Packet::ConnAck(v4::ConnAck::new(return_code_of(code), session_present))
        }
        Packet::Publish(publish) => v4::Packet::Publish(v4::Publish {
            dup: publish.dup,
            qos: qos_to_v4(publish.qos),
            retain: publish.retain,
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            pkid: publish.pkid,
            payload: publish.payload,
        }),
        Packet::PubAck(ack) => v4::Packet::PubAck(v4::PubAck::new(ack.pkid)),
        Packet::SubAck(SubAck { pkid, return_codes, .. }) => {
            let codes = return_codes.into_iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => v4::SubscribeReasonCode::Success(qos_to_v4(qos)),
                _ => v4::SubscribeReasonCode::Failure,
            });
            v4::Packet::SubAck(v4::SubAck::new(pkid, codes.collect()))
        }
        Packet::UnsubAck(UnsubAck { pkid, .. }) => v4::Packet::UnsubAck(v4::UnsubAck::new(pkid)),
        Packet::PingResp(_) => v4::Packet::PingResp,
        _ => return None,
    })
}

/// The return codes of 3.1.1 (section 3.2.2.3) are fewer.
fn return_code_of(code: ConnectReturnCode) -> v4::ConnectReturnCode {
    match code {
        ConnectReturnCode::Success => v4::ConnectReturnCode::Success,
        ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion => {
            v4::ConnectReturnCode::RefusedProtocolVersion
        }
        ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId => {
            v4::ConnectReturnCode::BadClientId
        }
        ConnectReturnCode::BadUserNamePassword => v4::ConnectReturnCode::BadUserNamePassword,
        ConnectReturnCode::NotAuthorized | ConnectReturnCode::TopicNameInvalid => v4::ConnectReturnCode::NotAuthorized,
        _ => v4::ConnectReturnCode::ServiceUnavailable,
    }
}

fn qos_from_v4(qos: mqttbytes::QoS) -> QoS {
    match qos {
        mqttbytes::QoS::AtMostOnce => QoS::AtMostOnce,
        mqttbytes::QoS::AtLeastOnce => QoS::AtLeastOnce,
        mqttbytes::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn qos_to_v4(qos: QoS) -> mqttbytes::QoS {
    match qos {
        QoS::AtMostOnce => mqttbytes::QoS::AtMostOnce,
        QoS::AtLeastOnce => mqttbytes::QoS::AtLeastOnce,
        QoS::ExactlyOnce => mqttbytes::QoS::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests;
