//! What a CONNECT asks for, and what it gets.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnAckProperties, Connect, ConnectReturnCode, LastWill, Packet};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::work::Worker;
use super::{AROUND_PAYLOAD, Caller, Endpoint, IN_FLIGHT_MAX, Session, Version, connect};

/// Longest client identifier, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 256;

impl Session {
    /// Checks what a CONNECT asks for, and makes its session.
    pub(super) fn admit(
        endpoint: Arc<Endpoint>,
        caller: Caller,
        version: Version,
        wanted: Connect,
        will: Option<LastWill>,
    ) -> Result<Self, (ConnectReturnCode, String)> {
        let Caller { peer, principal, seat } = caller;
        let mut assigned = false;
        let identifier = match wanted.client_id {
            id if id.len() > IDENTIFIER_BYTES_MAX || id.contains('\0') => {
                let detail = format!("a client identifier has at most {IDENTIFIER_BYTES_MAX} bytes and no NUL");
                return Err((ConnectReturnCode::ClientIdentifierNotValid, detail));
            }
            id if !id.is_empty() => id,
            _ if version == Version::V4 && !wanted.clean_start => {
                let detail = "a session that is to be kept needs a client identifier".to_owned();
                return Err((ConnectReturnCode::ClientIdentifierNotValid, detail));
            }
            _ => {
                assigned = true;
                format!("tidegate-{}", Uuid::new_v4().simple())
            }
        };
        let properties = wanted.properties.unwrap_or_default();
        if let Some(method) = properties.authentication_method {
            let detail = format!("the authentication method {method:?} is not known");
            return Err((ConnectReturnCode::BadAuthenticationMethod, detail));
        }
        if properties.receive_maximum == Some(0) || properties.max_packet_size == Some(0) {
            return Err((ConnectReturnCode::ProtocolError, "a maximum of 0 makes no sense".to_owned()));
        }
        let will = will.map(|will| connect::will_of(&endpoint, will, principal)).transpose()?;
        let (consumer, outbox) = endpoint.hub.attach(false);
        let (finishing, finished) = oneshot::channel();
        let (taken_over, before) = endpoint.take_over(&identifier, consumer, finished);
        let (working, of) = (Arc::clone(&endpoint), identifier.clone());
        let worker = Worker { endpoint: working, identifier: of, consumer, before, seat, finishing };
        let (commands, done) = worker.start();
        let keep_alive = Some(wanted.keep_alive).filter(|seconds| *seconds > 0);
        let mut session = Self {
            endpoint,
            peer,
            principal,
            version,
            identifier,
            consumer,
            taken_over,
            outbox,
            in_flight: HashSet::new(),
            in_flight_max: usize::from(properties.receive_maximum.unwrap_or(u16::MAX).min(IN_FLIGHT_MAX)),
            packet_id: 0,
            packet_bytes_max: properties.max_packet_size.and_then(|max| max.try_into().ok()).unwrap_or(usize::MAX),
            // One and a half times (MQTT 5.0 section 3.1.2.10).
            keep_alive: keep_alive.map(|seconds| Duration::from_millis(u64::from(seconds) * 1_500)),
            will,
            commands,
            done,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            full_since: None,
            wants_reasons: properties.request_problem_info != Some(0),
            out: BytesMut::new(),
            writing: false,
        };
        let acknowledged = session.acknowledgement(assigned, properties.session_expiry_interval.is_some());
        // A CONNACK always fits.
        let _written = session.put(acknowledged);
        tracing::debug!(%peer, client = session.identifier, ?version, "an MQTT client came");
        Ok(session)
    }

    /// CONNACK, with what this endpoint offers.
    fn acknowledgement(&self, assigned: bool, asked_to_be_kept: bool) -> Packet {
        let packet_bytes_max = self.endpoint.commands.payload_bytes_max() + AROUND_PAYLOAD;
        let properties = ConnAckProperties {
            // Sessions end with their connection.
            session_expiry_interval: asked_to_be_kept.then_some(0),
            receive_max: Some(IN_FLIGHT_MAX),
            max_qos: Some(1),
            max_packet_size: u32::try_from(packet_bytes_max).ok(),
            assigned_client_identifier: assigned.then(|| self.identifier.clone()),
            shared_subscription_available: Some(0),
            ..connect::no_properties()
        };
        let properties = (self.version == Version::V5).then_some(properties);
        Packet::ConnAck(ConnAck { session_present: false, code: ConnectReturnCode::Success, properties })
    }
}
