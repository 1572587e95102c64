//! The MQTT clients of the harness against a mosquitto: what a test of the gateway shows by them is what they show of it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS, v5};
use serde_json::{Value, json};
use tests::{
    Mosquitto,
    mqtt::{self, Paho, Protocol, Subscriber},
    node,
};

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn the_clients_speak_with_a_broker() -> Result<()> {
    let broker = Mosquitto::start()?;
    let bytes = [0, 0xff, b'"', b'\n'];
    for protocol in Protocol::ALL {
        let topic = format!("binary/{protocol:?}");
        mqtt::publish(broker.address(), protocol, &topic, &bytes, &["-r"])?;
        let mut subscriber = Subscriber::start(broker.address(), protocol, &[&topic], &["-q", "1"])?;
        let kept = subscriber.next_message()?;
        ensure!(kept.topic == topic && kept.payload == bytes && kept.retain && kept.qos == 1, "{kept:?}");
        let mut paho = Paho::connect(broker.address(), protocol, &json!({ "client_id": "paho" }))?;
        paho.subscribe(&topic, 1)?;
        ensure!(paho.next_message()? == kept, "paho and mosquitto_sub agree");
        ensure!(paho.publish(&topic, "\"\u{e4}\"", &json!({}))?["failed"] == false);
        let news = subscriber.until("news", |message| !message.retain)?;
        ensure!(news.value()? == "\u{e4}", "{news:?}");
        mqtt::publish(broker.address(), protocol, &topic, b"", &["-r"])?;
        ensure!(subscriber.next_message()?.payload.is_empty());
    }
    Ok(())
}

#[test]
fn a_request_of_mqtt_5_finds_its_answer() -> Result<()> {
    let broker = Mosquitto::start()?;
    let mut answering = Paho::connect(broker.address(), Protocol::V5, &Value::Null)?;
    answering.subscribe("question", 1)?;
    let address = broker.address();
    let asking = std::thread::spawn(move || {
        mqtt::request(address, "question", "7", &["-D", "publish", "correlation-data", "c1"])
    });
    let question = answering.next_message()?;
    let to = question.properties["response-topic"].as_str().context("no response topic")?;
    ensure!(question.properties["correlation-data"] == "c1" && question.text() == "7", "{question:?}");
    let answer =
        json!({ "correlation": "c1", "user_properties": { "status": "200" }, "content_type": "application/json" });
    let mut watching = Subscriber::start(broker.address(), Protocol::V5, &[to], &[])?;
    answering.publish(to, "49", &answer)?;
    let asked = asking.join().ok().context("the question panicked")??;
    ensure!(asked == "49", "{asked}");
    let watched = watching.next_message()?.properties;
    ensure!(
        watched["user-properties"]["status"] == "200" && watched["content-type"] == "application/json",
        "{watched}"
    );
    Ok(())
}

#[test]
fn a_broker_comes_back_on_its_port_without_what_it_had_kept() -> Result<()> {
    let mut broker = Mosquitto::start()?;
    mqtt::publish(broker.address(), Protocol::V5, "kept", b"1", &["-r"])?;
    let mut paho = Paho::connect(broker.address(), Protocol::V311, &Value::Null)?;
    let will = json!({ "will": { "topic": "gone", "payload": "x", "retain": true } });
    drop(Paho::connect(broker.address(), Protocol::V5, &will)?);
    let mut subscriber = Subscriber::start(broker.address(), Protocol::V5, &["gone"], &[])?;
    ensure!(subscriber.next_message()?.text() == "x", "the will of a client that was killed");
    broker.kill()?;
    ensure!(paho.event("disconnected")?["failed"] == true);
    ensure!(mqtt::publish(broker.address(), Protocol::V5, "kept", b"2", &[]).is_err());
    broker.restart()?;
    mqtt::publish(broker.address(), Protocol::V5, "last", b"3", &["-r"])?;
    let mut subscriber = Subscriber::start(broker.address(), Protocol::V5, &["kept", "last"], &[])?;
    ensure!(subscriber.next_message()?.topic == "last", "nothing was kept over the kill");
    Ok(())
}

#[test]
fn rumqttc_speaks_both_versions() -> Result<()> {
    let broker = Mosquitto::start()?;
    let (host, port) = (broker.address().ip().to_string(), broker.address().port());
    mqtt::publish(broker.address(), Protocol::V5, "kept", b"1", &["-r", "-D", "publish", "user-property", "a", "b"])?;

    let (client, mut connection) = Client::new(MqttOptions::new("v4", &host, port), 10);
    client.subscribe("kept", QoS::AtLeastOnce)?;
    let message = loop {
        if let Event::Incoming(Packet::Publish(message)) =
            connection.recv_timeout(DEADLINE).ok().context("silent")??
        {
            break message;
        }
    };
    ensure!(message.retain && message.payload.as_ref() == b"1");

    let (client, mut connection) = v5::Client::new(v5::MqttOptions::new("v5", &host, port), 10);
    client.subscribe("kept", v5::mqttbytes::QoS::AtLeastOnce)?;
    let message = loop {
        let event = connection.recv_timeout(DEADLINE).ok().context("silent")??;
        if let v5::Event::Incoming(v5::Incoming::Publish(message)) = event {
            break message;
        }
    };
    let Some(properties) = message.properties else { bail!("no properties") };
    ensure!(properties.user_properties == [("a".to_owned(), "b".to_owned())], "{properties:?}");
    Ok(())
}

#[test]
fn node_wot_reads_writes_invokes_and_subscribes_over_mqtt_forms() -> Result<()> {
    let broker = Mosquitto::start()?;
    let base = format!("mqtt://{}/lamp", broker.address());
    let form = |topic: &str, op: &[&str]| json!({ "href": format!("{base}/{topic}"), "op": op, "mqv:qos": "1" });
    let on = form("properties/on", &["readproperty", "observeproperty", "unobserveproperty"]);
    let set = form("properties/on/set", &["writeproperty"]);
    let pulse = form("actions/pulse", &["invokeaction"]);
    let done = form("events/done", &["subscribeevent", "unsubscribeevent"]);
    let description = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "lamp", "id": "urn:x:lamp",
        "securityDefinitions": { "nosec": { "scheme": "nosec" } }, "security": "nosec",
        "properties": { "on": { "type": "boolean", "observable": true, "forms": [on, set] } },
        "actions": { "pulse": { "input": { "type": "object" }, "forms": [pulse] } },
        "events": { "done": { "data": { "type": "integer" }, "forms": [done] } },
    });
    let url = format!("data:application/td+json,{}", escaped(&description.to_string()));
    let steps = json!([
        ["observe", "on"], ["subscribe", "done"],
        ["read", "on"], ["write", "on", true], ["seen", "on", true],
        ["invoke", "pulse", { "duration": 3 }], ["seen", "done", 3],
    ]);
    mqtt::publish(broker.address(), Protocol::V311, "lamp/properties/on", b"false", &["-r"])?;
    // The lamp: what is set becomes its value, and a pulse is done at once.
    let mut lamp = Paho::connect(broker.address(), Protocol::V311, &Value::Null)?;
    lamp.subscribe("lamp/properties/on/set", 1)?;
    lamp.subscribe("lamp/actions/pulse", 1)?;
    let script = std::thread::spawn(move || node::run("mqtt.mjs", &[&url, &steps.to_string()]));
    ensure!(lamp.next_message()?.value()? == true);
    lamp.publish("lamp/properties/on", "true", &json!({ "retain": true }))?;
    let pulse = lamp.next_message()?.value()?;
    lamp.publish("lamp/events/done", &pulse["duration"].to_string(), &Value::Null)?;
    let said = script.join().ok().context("the script panicked")??;
    // node-wot's own libraries have something to say about schemas too.
    let answers: Vec<_> = said.lines().filter(|line| !line.contains("ignored in schema")).collect();
    ensure!(answers == ["false", "true", "3", "ok"], "{said}\n{}", broker.output());
    Ok(())
}

/// Percent-encoded, as a `data:` URL wants it.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
