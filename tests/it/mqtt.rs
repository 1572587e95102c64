//! MQTT as its clients see it: the same on the gateway's own endpoint and through an external broker.

mod access;
mod broker;
mod endpoint;
mod refusals;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS, v5};
use serde_json::{Value, json};
use tests::{
    Gateway, Mosquitto, Site, eventually,
    mqtt::{self, Paho, Protocol, Subscriber},
    node,
    site::{LABORATORY, RELAY},
};

const DEADLINE: Duration = Duration::from_secs(20);
const THINGS: &str = "tidegate/tidegate/things";

/// A gateway and where its clients connect.
struct Place {
    name: &'static str,
    address: SocketAddr,
    gateway: Gateway,
    _broker: Option<Mosquitto>,
}

impl Place {
    fn endpoint() -> Result<Self> {
        let gateway = site("[mqtt]\nlisten = \"127.0.0.1:0\"\n")?.start()?;
        Ok(Self { name: "endpoint", address: gateway.mqtt()?, gateway, _broker: None })
    }

    fn broker() -> Result<Self> {
        let broker = Mosquitto::start()?;
        let gateway = site(&configuration(broker.address()))?.start()?;
        connected(&gateway)?;
        Ok(Self { name: "broker", address: broker.address(), gateway, _broker: Some(broker) })
    }

    /// Whether clients speak with the gateway itself, which then tells them in acknowledgements what it thinks of it.
    fn is_endpoint(&self) -> bool {
        self._broker.is_none()
    }
}

fn both() -> Result<[Place; 2]> {
    Ok([Place::endpoint()?, Place::broker()?])
}

/// A site with a lamp and a laboratory.
fn site(configuration: &str) -> Result<Site> {
    let site = Site::new()?;
    site.configure(&format!("[board]\nsimulated = true\n{configuration}"))?;
    site.thing("lamp", RELAY)?.thing("laboratory", LABORATORY)?;
    Ok(site)
}

fn configuration(broker: SocketAddr) -> String {
    format!("[mqtt.broker]\nhost = \"{}\"\nport = {}\n", broker.ip(), broker.port())
}

/// Waits until the gateway has its broker.
fn connected(gateway: &Gateway) -> Result<()> {
    eventually("the broker is connected", DEADLINE, || {
        let mqtt = gateway.client().value("/things/gateway/properties/mqtt")?;
        Ok((mqtt["broker"] == "connected").then_some(()))
    })
}

fn topic(rest: &str) -> String {
    format!("{THINGS}/{rest}")
}

#[test]
fn values_are_retained_and_changes_follow() -> Result<()> {
    for place in both()? {
        for protocol in Protocol::ALL {
            let lamp = topic("lamp/properties/on");
            let mut subscriber = Subscriber::start(place.address, protocol, &[&lamp], &["-q", "1"])?;
            let retained = subscriber.next_message()?;
            ensure!(retained.retain && retained.qos == 1 && retained.value()? == false, "{}: {retained:?}", place.name);
            place.gateway.client().json("PUT", "/things/lamp/properties/on", &true.into())?.expect(204)?;
            let changed = subscriber.next_message()?;
            ensure!(!changed.retain && changed.value()? == true, "{}: {changed:?}", place.name);
            if protocol == Protocol::V5 {
                let properties = &changed.properties;
                ensure!(properties["content-type"] == "application/json", "{properties}");
                ensure!(properties["user-properties"]["quality"] == "good; simulated", "{properties}");
                ensure!(
                    properties["user-properties"]["taken"].as_str().is_some_and(|at| at.ends_with('Z')),
                    "{properties}"
                );
            }
            place.gateway.client().json("PUT", "/things/lamp/properties/on", &false.into())?.expect(204)?;
            ensure!(subscriber.next_message()?.value()? == false);
        }
    }
    Ok(())
}

#[test]
fn a_wildcard_brings_every_things_description_and_standing() -> Result<()> {
    for place in both()? {
        let filters = [topic("+/status"), topic("+")];
        let mut subscriber =
            Subscriber::start(place.address, Protocol::V5, &filters.each_ref().map(String::as_str), &[])?;
        let mut seen = std::collections::BTreeMap::new();
        while seen.len() < 8 {
            let message = subscriber.next_message()?;
            ensure!(message.retain, "{message:?}");
            seen.insert(message.topic.clone(), message);
        }
        for thing in ["board", "gateway", "lamp", "laboratory"] {
            let status = &seen[&topic(&format!("{thing}/status"))];
            // The laboratory has properties of devices that it was not granted: stale after its first second.
            let (stands, bare) = (status.text(), thing == "laboratory");
            ensure!(stands == "online" || (bare && stands == "stale"), "{status:?}");
            let description = seen[&topic(thing)].value()?;
            thing_descriptions::check_td(&description).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
            let forms = description.to_string();
            ensure!(forms.contains(&format!("mqtt://127.0.0.1:{}", place.address.port())), "{forms}");
        }
    }
    Ok(())
}

#[test]
fn what_is_set_is_written_and_what_does_not_fit_is_refused() -> Result<()> {
    for place in both()? {
        let client = place.gateway.client();
        for protocol in Protocol::ALL {
            for (payload, expected) in [("true", true), ("false", false)] {
                mqtt::publish(place.address, protocol, &topic("lamp/properties/on/set"), payload.as_bytes(), &[])?;
                // The endpoint's acknowledgement says that it is done; a broker's only that the broker has it.
                eventually("the lamp follows", DEADLINE, || {
                    Ok((client.value("/things/lamp/properties/on")? == expected).then_some(()))
                })?;
            }
        }
        let answer = mqtt::request(place.address, &topic("lamp/properties/on/set"), "5", &[])?;
        let problem: Value = serde_json::from_str(&answer)?;
        ensure!(problem["type"] == "urn:tidegate:problem:invalid-input", "{}: {problem}", place.name);
        ensure!(client.value("/things/lamp/properties/on")? == false);
        ensure!(mqtt::request(place.address, &topic("lamp/properties/on/set"), "true", &[])? == "null");
        ensure!(client.value("/things/lamp/properties/on")? == true);
        if place.is_endpoint() {
            let mut paho = Paho::connect(place.address, Protocol::V5, &Value::Null)?;
            for (to, payload, code) in [
                ("lamp/properties/on/set", "5", 153),
                ("lamp/properties/on/set", "{", 153),
                ("lamp/properties/none/set", "1", 144),
                ("nobody/actions/pulse", "", 144),
                ("laboratory/properties/number/set", "1", 135),
            ] {
                let published = paho.publish(&topic(to), payload, &Value::Null)?;
                ensure!(published["code"] == code, "{to} {payload}: {published}");
            }
        }
    }
    Ok(())
}

#[test]
fn an_action_answers_is_followed_and_cancelled() -> Result<()> {
    for place in both()? {
        let mut watching = Subscriber::start(place.address, Protocol::V311, &[&topic("lamp/actions/+/status")], &[])?;
        let mut asking = Paho::connect(place.address, Protocol::V5, &Value::Null)?;
        asking.subscribe("my/answers", 1)?;
        // Told and not waited for: the answer may come before the acknowledgement.
        let pulse = |duration_ms: u32| {
            let payload = json!({ "duration": duration_ms }).to_string();
            json!({ "do": "publish", "topic": topic("lamp/actions/pulse"), "payload": payload, "qos": 1,
                    "response_topic": "my/answers", "correlation": "c1" })
        };
        asking.tell(&pulse(300))?;
        let accepted = asking.next_message()?;
        ensure!(accepted.properties["correlation-data"] == "c1", "{accepted:?}");
        ensure!(accepted.properties["user-properties"]["status"] == "201", "{accepted:?}");
        let ended = asking.next_message()?;
        ensure!(ended.value()?["status"] == "completed" && ended.value()?["output"]["duration"] == 300, "{ended:?}");
        let id = ended.value()?["id"].clone();
        let followed = watching.until("its end", |message| message.text().contains("completed"))?;
        ensure!(followed.value()?["id"] == id && !followed.retain, "{followed:?}");

        asking.tell(&pulse(60_000))?;
        let id = asking.next_message()?.value()?["id"].as_str().context("no id")?.to_owned();
        asking.publish(&topic("lamp/actions/pulse/cancel"), &id, &Value::Null)?;
        let cancelled = watching.until("its end", |message| message.text().contains("failed"))?.value()?;
        ensure!(cancelled["id"] == id, "{cancelled}");
        eventually("the lamp is off", DEADLINE, || {
            Ok((place.gateway.client().value("/things/lamp/properties/on")? == false).then_some(()))
        })?;
        // Without a place for the answer a refusal is told to all who follow the action.
        mqtt::publish(place.address, Protocol::V311, &topic("lamp/actions/pulse"), b"{\"duration\":-1}", &[])?;
        let refused = watching.until("the refusal", |message| message.text().contains("invalid-input"))?.value()?;
        ensure!(refused["status"] == "failed" && refused["error"]["status"] == 400, "{refused}");
    }
    Ok(())
}

#[test]
fn a_gateway_that_stops_says_that_it_is_offline() -> Result<()> {
    for place in both()? {
        let filters = ["tidegate/tidegate/status", &topic("lamp/status")];
        let mut subscriber = Subscriber::start(place.address, Protocol::V5, &filters, &["-q", "1"])?;
        for _ in filters {
            ensure!(subscriber.next_message()?.text() == "online");
        }
        let Place { gateway, name, _broker, .. } = place;
        gateway.stop()?;
        for _ in filters {
            let last = subscriber.next_message()?;
            ensure!(last.text() == "offline", "{name}: {last:?}");
        }
    }
    Ok(())
}

#[test]
fn node_wot_follows_the_mqtt_forms() -> Result<()> {
    for place in both()? {
        let url = format!("http://{}/things/lamp", place.gateway.client().address());
        let steps = json!([
            ["observe", "on"], ["read", "on"], ["write", "on", true], ["seen", "on", true],
            ["invoke", "pulse", { "duration": 50 }], ["seen", "on", false],
        ]);
        let said = node::run("mqtt.mjs", &[&url, &steps.to_string()])?;
        let answers: Vec<_> = said.lines().filter(|line| !line.contains("ignored in schema")).collect();
        ensure!(answers == ["false", "true", "false", "ok"], "{said}\n{}", place.gateway.output());
    }
    Ok(())
}

#[test]
fn rumqttc_speaks_with_the_endpoint_in_both_versions() -> Result<()> {
    let place = Place::endpoint()?;
    let (host, port) = (place.address.ip().to_string(), place.address.port());
    let lamp = topic("lamp/properties/on");

    let (client, mut connection) = Client::new(MqttOptions::new("v4", &host, port), 10);
    client.subscribe(&lamp, QoS::ExactlyOnce)?;
    client.publish(topic("lamp/properties/on/set"), QoS::AtLeastOnce, false, "true")?;
    let (mut granted, mut acknowledged, mut values) = (None, false, Vec::new());
    while !acknowledged || values.len() < 2 {
        match connection.recv_timeout(DEADLINE).ok().context("silent")?? {
            Event::Incoming(Packet::SubAck(ack)) => granted = ack.return_codes.first().copied(),
            Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
            Event::Incoming(Packet::Publish(message)) => values.push(message.payload),
            _ => {}
        }
    }
    ensure!(granted == Some(rumqttc::SubscribeReasonCode::Success(QoS::AtLeastOnce)), "{granted:?}");
    ensure!(values == ["false", "true"], "{values:?}");

    let (client, mut connection) = v5::Client::new(v5::MqttOptions::new("v5", &host, port), 10);
    client.subscribe(&lamp, v5::mqttbytes::QoS::AtLeastOnce)?;
    let mut offered = None;
    loop {
        match connection.recv_timeout(DEADLINE).ok().context("silent")?? {
            v5::Event::Incoming(v5::Incoming::ConnAck(ack)) => offered = ack.properties,
            v5::Event::Incoming(v5::Incoming::Publish(message)) => {
                ensure!(message.retain && message.payload == "true", "{message:?}");
                break;
            }
            _ => {}
        }
    }
    let offered = offered.context("no properties")?;
    ensure!(offered.max_qos == Some(1) && offered.shared_subscription_available == Some(0), "{offered:?}");
    Ok(())
}
