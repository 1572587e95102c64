//! The beginning of a connection: a CONNECT that can be read, and what is said to one that can't be taken.

use std::net::SocketAddr;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, ConnectReturnCode, DisconnectReasonCode, LastWill, Login, Packet,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Endpoint;
use super::codec::{self, Refused, Version};
use crate::access::{Decision, NotTaken, Operation, Principal};
use crate::binding_mqtt::command;
use crate::binding_mqtt::filter::is_topic;

/// What a client hears that has shown no token, or none that is good.
const NEEDED: &str = "a token is needed, as the password";

/// Reads up to a whole CONNECT; `None`: the client went away.
pub(super) async fn read(
    stream: &mut TcpStream,
    incoming: &mut BytesMut,
    packet_bytes_max: usize,
) -> Result<Option<(Version, Packet)>, Refused> {
    loop {
        match codec::version(incoming, packet_bytes_max)? {
            Some(Ok(version)) => {
                let packet = match codec::read(version, incoming, packet_bytes_max) {
                    Ok(packet) => packet,
                    Err(refused) => {
                        say_unreadable(stream, version, &refused).await;
                        return Err(refused);
                    }
                };
                return Ok(packet.map(|packet| (version, packet)));
            }
            Some(Err(other)) => {
                // In the form of 3.1.1, which every version before understands; to later ones in that of 5.0.
                let code = if other.0 > 5 { [0x20, 3, 0, 0x84, 0].as_slice() } else { [0x20, 2, 0, 1].as_slice() };
                let _gone = stream.write_all(code).await;
                let detail = format!("protocol level {}; 4 (3.1.1) and 5 are spoken", other.0);
                return Err(Refused::new(DisconnectReasonCode::ProtocolError, detail));
            }
            None => {}
        }
        match stream.read_buf(incoming).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

/// A CONNECT that cannot be read: MQTT 5 has a word for it, 3.1.1 only the end of the connection.
async fn say_unreadable(stream: &mut TcpStream, version: Version, refused: &Refused) {
    if version == Version::V4 {
        return;
    }
    let properties = Some(reason_properties(refused.detail.clone()));
    let code = match refused.reason {
        DisconnectReasonCode::ProtocolError => ConnectReturnCode::ProtocolError,
        _ => ConnectReturnCode::MalformedPacket,
    };
    let packet = Packet::ConnAck(ConnAck { session_present: false, code, properties });
    let mut out = BytesMut::new();
    if codec::write(version, packet, &mut out).is_ok() {
        let _gone = stream.write_all(&out).await;
    }
}

/// Who a client is: its password is the token, its user name may be any (MQTT 5.0 section 5.4.1).
pub(super) fn principal(
    endpoint: &Endpoint,
    peer: SocketAddr,
    login: Option<&Login>,
) -> Result<Principal, (ConnectReturnCode, String)> {
    let access = endpoint.commands.access();
    let principal = match login.map(|login| login.password.as_bytes()).filter(|password| !password.is_empty()) {
        Some(token) => access.admit(token, peer.ip()).map_err(|not_taken| match not_taken {
            NotTaken::Wrong => (ConnectReturnCode::BadUserNamePassword, NEEDED.to_owned()),
            NotTaken::TooMany(wait) => {
                let detail =
                    format!("too many wrong ones came from this address; come again in {} s", wait.as_secs() + 1);
                (ConnectReturnCode::ConnectionRateExceeded, detail)
            }
        })?,
        None => Principal::Anonymous,
    };
    match access.decide(principal, Operation::Describe, None, None) {
        Decision::Allow => Ok(principal),
        Decision::SignIn | Decision::Refuse => Err((ConnectReturnCode::NotAuthorized, NEEDED.to_owned())),
    }
}

/// A will is a publish that is asked for later: it must be one that is taken.
pub(super) fn will_of(
    endpoint: &Endpoint,
    will: LastWill,
    from: Principal,
) -> Result<command::Publish, (ConnectReturnCode, String)> {
    let topic = String::from_utf8(will.topic.to_vec()).unwrap_or_default();
    if will.qos == QoS::ExactlyOnce {
        return Err((ConnectReturnCode::QoSNotSupported, "a will of quality of service 2 is not offered".to_owned()));
    }
    if !is_topic(&topic) || !endpoint.commands.takes(&topic) {
        let detail = "a will may set a property or invoke an action of a Thing here; this topic does neither";
        return Err((ConnectReturnCode::TopicNameInvalid, detail.to_owned()));
    }
    let (response_topic, correlation) =
        will.properties.map_or((None, None), |properties| (properties.response_topic, properties.correlation_data));
    if response_topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
        return Err((ConnectReturnCode::ProtocolError, "no topic that a will could be answered to".to_owned()));
    }
    Ok(command::Publish { topic, payload: will.message, response_topic, correlation, from })
}

pub(super) fn no_properties() -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: None,
        receive_max: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

pub(super) fn reason_properties(detail: String) -> ConnAckProperties {
    ConnAckProperties { reason_string: Some(detail), ..no_properties() }
}
