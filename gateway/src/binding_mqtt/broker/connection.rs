//! One connection to the broker: what it is made from, who polls it, what a message becomes on it.

use std::path::Path;
use std::time::Duration;

use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, PublishProperties};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{ASKED_MAX, CONNECT_TIMEOUT, IN_FLIGHT_MAX};
use crate::binding_mqtt::command::Commands;
use crate::binding_mqtt::message::Message;
use crate::binding_mqtt::tls::TlsRelay;
use crate::config::Broker;

/// What one connection is made from. The password is read each time, so that it can be changed.
pub(super) async fn options(broker: &Broker, commands: &Commands) -> Result<(MqttOptions, Option<TlsRelay>), String> {
    let topics = commands.topics();
    let relay = if broker.tls { Some(TlsRelay::start(broker).await?) } else { None };
    let client_id = commands.client_id();
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

/// Ends the polling with the connection.
pub(super) struct Polling(JoinHandle<()>);

impl Polling {
    pub(super) fn start(event_loop: EventLoop, events: mpsc::Sender<Result<Event, ConnectionError>>) -> Self {
        Self(tokio::spawn(poll(event_loop, events)))
    }
}

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
pub(super) struct NoRoom;

pub(super) fn publish(
    client: &AsyncClient,
    message: &Message,
    retain: bool,
    good_for: Option<Duration>,
) -> Result<(), NoRoom> {
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
