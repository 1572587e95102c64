//! Forms of the MQTT binding (WoT Binding Templates, MQTT): one set for the gateway's own endpoint, one for the broker.
//!
//! In both styles: the href carries the topic, which real clients go by, and the vocabulary says it once more. With the
//! broker-only href that the binding document asks for, the most used client ends with an unhandled error.

use std::net::{IpAddr, SocketAddr};

use thing_descriptions::vocabulary::{CONTENT_TYPE_DEFAULT, MQV};
use thing_descriptions::{DataSchema, Form, Op, Thing};

use crate::binding_mqtt::Topics;
use crate::config::Config;
use crate::exposed_thing::ExposedThing;

/// Adds the forms of every place where the topics of `thing` are served. The Thing of a handler has none: a component is no
/// message.
pub(super) fn add(described: &mut Thing, thing: &ExposedThing, origin: &str, config: &Config) {
    if thing.path().ends_with(super::HANDLER) {
        return;
    }
    // Who comes by another name than loopback's, through a proxy say, cannot reach what listens on loopback only.
    let reachable = |listen: &SocketAddr| !listen.ip().is_loopback() || is_loopback(host(origin));
    let own = config.mqtt.listen.filter(reachable).map(|listen| format!("mqtt://{}:{}", host(origin), listen.port()));
    let broker = config.mqtt.broker.as_ref().map(|broker| {
        let (scheme, host) = (if broker.tls { "mqtts" } else { "mqtt" }, bracketed(&broker.host));
        format!("{scheme}://{host}:{}", broker.port)
    });
    for server in own.into_iter().chain(broker) {
        of_server(described, &server, &Topics::of(&config.name), thing.name().as_str());
        described.context.add_prefix(MQV);
    }
}

fn of_server(described: &mut Thing, server: &str, topics: &Topics, thing: &str) {
    for (name, property) in &mut described.properties {
        let json = !property.schema.is_binary();
        if json && property.is_readable() && property.is_observable() {
            let ops = [Op::ReadProperty, Op::ObserveProperty, Op::UnobserveProperty];
            property.forms.push(subscribe(server, &topics.property(thing, name), true).op(&ops));
        }
        if property.is_writable() {
            let form = publish(server, &topics.write(thing, name), media(&property.schema));
            property.forms.push(form.op(&[Op::WriteProperty]));
        }
    }
    for (name, action) in &mut described.actions {
        let media = action.input.as_ref().map_or(CONTENT_TYPE_DEFAULT, media);
        action.forms.push(publish(server, &topics.action(thing, name), media).op(&[Op::InvokeAction]));
    }
    for (name, event) in &mut described.events {
        let ops = [Op::SubscribeEvent, Op::UnsubscribeEvent];
        event.forms.push(subscribe(server, &topics.event(thing, name), false).op(&ops));
    }
}

fn subscribe(server: &str, topic: &str, retained: bool) -> Form {
    let form =
        form(server, topic, CONTENT_TYPE_DEFAULT).with("mqv:controlPacket", "subscribe").with("mqv:filter", topic);
    if retained { form.with("mqv:retain", true) } else { form }
}

fn publish(server: &str, topic: &str, media: &str) -> Form {
    form(server, topic, media).with("mqv:controlPacket", "publish").with("mqv:topic", topic)
}

fn form(server: &str, topic: &str, media: &str) -> Form {
    // The quality of service is a string in the binding's vocabulary.
    Form::new(format!("{server}/{topic}")).content_type(media).with("mqv:qos", "1")
}

fn media(schema: &DataSchema) -> &str {
    schema.content_media_type.as_deref().filter(|_| schema.is_binary()).unwrap_or(CONTENT_TYPE_DEFAULT)
}

/// The host of an origin, without its port.
fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_says_its_topic_twice() {
        let mut lamp = Thing::from_value(json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "t", "security": "n",
            "securityDefinitions": {"n": {"scheme": "nosec"}},
            "properties": {"on": {"type": "boolean", "observable": true}},
            "actions": {"pulse": {}}, "events": {"blown": {}},
        }))
        .unwrap();
        of_server(&mut lamp, "mqtt://h:1883", &Topics::of("lab"), "lamp");
        let lamp = lamp.to_value();
        let topic = "tidegate/lab/things/lamp/properties/on";
        let expected = json!([
            {"href": format!("mqtt://h:1883/{topic}"), "contentType": "application/json",
             "op": ["readproperty", "observeproperty", "unobserveproperty"], "mqv:qos": "1",
             "mqv:controlPacket": "subscribe", "mqv:filter": topic, "mqv:retain": true},
            {"href": format!("mqtt://h:1883/{topic}/set"), "contentType": "application/json", "op": "writeproperty",
             "mqv:qos": "1", "mqv:controlPacket": "publish", "mqv:topic": format!("{topic}/set")},
        ]);
        assert_eq!(lamp["properties"]["on"]["forms"], expected);
        assert_eq!(lamp["actions"]["pulse"]["forms"][0]["mqv:controlPacket"], "publish");
        assert_eq!(lamp["events"]["blown"]["forms"][0]["mqv:retain"], json!(null));
    }

    #[test]
    fn loopback_has_its_names() {
        for (host, expected) in
            [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("pi.local", false), ("192.168.1.2", false)]
        {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn the_host_of_an_origin_is_without_its_port() {
        for (origin, expected) in
            [("http://pi.local:8080", "pi.local"), ("http://[::1]:80", "[::1]"), ("https://a", "a")]
        {
            assert_eq!(host(origin), expected);
        }
    }
}
