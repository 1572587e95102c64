//! The token as the password of CONNECT, and what a client without it gets.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::{
    Gateway, Mosquitto, Site, eventually,
    http::Request,
    mqtt::{self, Paho, Protocol, Subscriber},
    node,
    site::RELAY,
};

use super::refusals::{Raw, packet, text};
use super::{DEADLINE, topic};

const ENDPOINT: &str = "[board]\nsimulated = true\n[mqtt]\nlisten = \"127.0.0.1:0\"\n";

fn protected(configuration: &str) -> Result<(Gateway, String)> {
    let site = Site::new()?;
    site.configure(configuration)?.thing("lamp", RELAY)?;
    let token = site.new_token()?;
    Ok((site.start()?, token))
}

fn is_on(gateway: &Gateway, token: &str) -> Result<bool> {
    let request = Request::new("GET", "/things/lamp/properties/on").header("Authorization", &format!("Bearer {token}"));
    Ok(gateway.client().send(&request)?.expect(200)?.value()? == json!(true))
}

/// CONNECT with a will that switches the lamp on, and this user name and password.
fn connect(level: u8, login: Option<(&str, &str)>) -> Vec<u8> {
    let flags = 0x06 | if login.is_some() { 0xC0 } else { 0 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, flags, 0, 60];
    let properties: &[u8] = if level == 5 { &[0] } else { &[] };
    body.extend(properties);
    body.extend(text(b"client"));
    body.extend(properties);
    body.extend([text(topic("lamp/properties/on/set").as_bytes()), text(b"true")].concat());
    body.extend(
        login.into_iter().flat_map(|(name, password)| [text(name.as_bytes()), text(password.as_bytes())].concat()),
    );
    packet(0x10, &body)
}

#[test]
fn without_the_token_a_client_is_refused_with_its_reason_and_its_will_is_forgotten() -> Result<()> {
    let (gateway, token) = protected(ENDPOINT)?;
    let place = gateway.mqtt()?;
    for (level, missing, wrong) in [(4, 5, 4), (5, 0x87, 0x86)] {
        for (login, code) in [
            (None, missing),
            (Some(("u", "")), missing),
            (Some((token.as_str(), "")), missing),
            (Some(("u", "tg_x")), wrong),
        ] {
            let mut raw = Raw::connect(place)?;
            raw.send(&connect(level, login))?;
            let acknowledged = raw.packet()?;
            ensure!((acknowledged[0], acknowledged[3]) == (0x20, code), "{level} {login:?}: {acknowledged:?}");
            ensure!(raw.rest()?.is_empty(), "and that is the end");
        }
    }
    ensure!(!is_on(&gateway, &token)?, "no will was carried out");
    let mut raw = Raw::connect(place)?;
    raw.send(&connect(4, Some(("u", &token))))?;
    ensure!(raw.packet()?[3] == 0, "the right one is taken");
    drop(raw);
    eventually("its will is carried out", DEADLINE, || Ok(is_on(&gateway, &token)?.then_some(())))
}

#[test]
fn with_the_token_peoples_clients_read_write_and_invoke() -> Result<()> {
    let (gateway, token) = protected(ENDPOINT)?;
    let place = gateway.mqtt()?;
    let login = ["-u", "anybody", "-P", &token];
    for protocol in Protocol::ALL {
        ensure!(Subscriber::start(place, protocol, &["#"], &[]).is_err(), "{protocol:?} without");
        ensure!(Paho::connect(place, protocol, &json!({})).is_err());
        let mut subscriber = Subscriber::start(place, protocol, &[&topic("lamp/properties/on")], &login)?;
        ensure!(subscriber.next_message()?.text() == "false");
        mqtt::publish(place, protocol, &topic("lamp/properties/on/set"), b"true", &login)?;
        ensure!(subscriber.next_message()?.text() == "true");
        let mut paho = Paho::connect(place, protocol, &json!({"username": "x", "password": token}))?;
        paho.publish(&topic("lamp/properties/on/set"), "false", &json!({}))?;
        ensure!(subscriber.next_message()?.text() == "false");
    }
    let mut described = Subscriber::start(place, Protocol::V5, &[&topic("lamp")], &login)?;
    let described = described.next_message()?.value()?;
    ensure!(described["securityDefinitions"]["basic_sc"]["scheme"] == "basic", "{described}");
    let url = format!("http://{}/things/lamp", gateway.client().address());
    let steps = json!([["observe", "on"], ["read", "on"], ["write", "on", true], ["seen", "on", true]]);
    let said = node::run("mqtt.mjs", &[&url, &steps.to_string(), &token])?;
    ensure!(said.lines().any(|line| line == "ok"), "{said}");
    Ok(())
}

#[test]
fn who_is_connected_is_disconnected_with_the_token() -> Result<()> {
    let (gateway, token) = protected(ENDPOINT)?;
    let will = json!({"topic": topic("lamp/properties/on/set"), "payload": "true"});
    let options = json!({"username": "x", "password": token, "will": will});
    let mut clients = Vec::new();
    for protocol in Protocol::ALL {
        clients.push((protocol, Paho::connect(gateway.mqtt()?, protocol, &options)?));
    }
    let new = gateway.site().new_token()?;
    let names = gateway.site().token_command(&["list"])?;
    gateway.site().token_command(&["revoke", names.split_whitespace().next().context("no list")?])?;
    for (protocol, client) in &mut clients {
        let ended = client.event("disconnected")?;
        ensure!(*protocol == Protocol::V311 || ended["code"] == 0x87, "{ended}");
    }
    ensure!(!is_on(&gateway, &new)?, "and may not even have its will");
    Ok(())
}

#[test]
fn who_is_connected_without_a_token_is_disconnected_when_there_is_one() -> Result<()> {
    let site = Site::new()?;
    site.configure(ENDPOINT)?.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let mut client = Paho::connect(gateway.mqtt()?, Protocol::V5, &json!({}))?;
    let token = gateway.site().new_token()?;
    ensure!(client.event("disconnected")?["code"] == 0x87);
    let login = ["-u", "x", "-P", &token];
    let mut described = Subscriber::start(gateway.mqtt()?, Protocol::V5, &[&topic("lamp")], &login)?;
    described.until("the description says so", |message| message.text().contains("basic_sc"))?;
    Ok(())
}

#[test]
fn a_broker_commands_only_if_it_is_so_configured() -> Result<()> {
    for commands in [false, true] {
        let broker = Mosquitto::start()?;
        let configuration = format!(
            "{}\n[mqtt.broker]\nhost = \"127.0.0.1\"\nport = {}\ncommands = {commands}\n",
            &ENDPOINT,
            broker.address().port()
        );
        let (gateway, token) = protected(&configuration)?;
        let mut seen = Subscriber::start(broker.address(), Protocol::V5, &[&topic("lamp/properties/on")], &[])?;
        ensure!(seen.next_message()?.text() == "false", "values are published there");
        let answer = mqtt::request(broker.address(), &topic("lamp/properties/on/set"), "true", &[])?;
        ensure!(is_on(&gateway, &token)? == commands, "{commands}: {answer}");
        ensure!(answer.contains("forbidden") != commands, "{answer}");
    }
    Ok(())
}
