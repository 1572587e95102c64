//! The gateway's own MQTT endpoint: sessions, wills, events.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::json;
use tests::{
    eventually,
    http::Request,
    mqtt::{Message, Paho, Protocol, Subscriber},
    site::{CLIMATE, HOST_MONITOR, LABORATORY, RELAY},
};

use super::{
    DEADLINE, Place,
    refusals::{Raw, packet, text},
    topic,
};

#[test]
fn the_will_of_a_client_that_vanishes_is_carried_out() -> Result<()> {
    let place = Place::endpoint()?;
    let client = place.gateway.client();
    client.json("PUT", "/things/lamp/properties/on", &true.into())?.expect(204)?;
    for protocol in Protocol::ALL {
        let will = json!({ "will": { "topic": topic("lamp/properties/on/set"), "payload": "false", "qos": 1 } });
        let mut polite = Paho::connect(place.address, protocol, &will)?;
        polite.tell(&json!({ "do": "disconnect" }))?;
        polite.event("disconnected")?;
        ensure!(client.value("/things/lamp/properties/on")? == true, "who says goodbye wants no will");
        drop(Paho::connect(place.address, protocol, &will)?);
        eventually("the lamp is off", DEADLINE, || {
            Ok((client.value("/things/lamp/properties/on")? == false).then_some(()))
        })?;
        client.json("PUT", "/things/lamp/properties/on", &true.into())?.expect(204)?;
    }
    Ok(())
}

#[test]
fn a_client_identifier_belongs_to_its_latest_connection() -> Result<()> {
    let place = Place::endpoint()?;
    let named = json!({ "client_id": "one" });
    let mut first = Paho::connect(place.address, Protocol::V5, &named)?;
    let mut second = Paho::connect(place.address, Protocol::V5, &named)?;
    let ended = first.event("disconnected")?;
    ensure!(ended["code"] == 0x8e, "{ended}");
    // Paho comes back by itself and takes the name again; a third client sees that the endpoint still serves.
    drop(first);
    second.subscribe(&topic("lamp/status"), 0)?;
    ensure!(second.next_message()?.text() == "online");
    Ok(())
}

#[test]
fn a_session_is_not_kept_and_the_client_is_told() -> Result<()> {
    let place = Place::endpoint()?;
    let kept = json!({ "client_id": "kept", "clean_start": false, "session_expiry": 3600 });
    let mut paho = Paho::connect(place.address, Protocol::V5, &kept)?;
    paho.subscribe(&topic("lamp/properties/on"), 1)?;
    paho.next_message()?;
    drop(paho);
    let mut again = Paho::connect(place.address, Protocol::V5, &kept)?;
    place.gateway.client().json("PUT", "/things/lamp/properties/on", &true.into())?.expect(204)?;
    again.subscribe(&topic("lamp/status"), 1)?;
    let first = again.next_message()?;
    ensure!(first.topic == topic("lamp/status"), "no subscription was kept: {first:?}");
    Ok(())
}

#[test]
fn a_sensor_that_is_silent_is_stale_until_it_answers_again() -> Result<()> {
    let site = super::site("[mqtt]\nlisten = \"127.0.0.1:0\"\n")?;
    site.thing("climate", CLIMATE)?;
    let gateway = site.start()?;
    let fail = |fault: &str| {
        let input = json!({ "part": "bme280", "fault": fault });
        gateway.client().json("POST", "/things/board/actions/fail", &input)?.expect(204).map(drop)
    };
    let status = topic("climate/status");
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &[&status, &topic("climate/events/+")], &[])?;
    ensure!(subscriber.next_message()?.text() == "online");
    fail("no-acknowledge")?;
    let failed = subscriber.next_message()?;
    ensure!(failed.topic.ends_with("sensorFailed"), "not a lapse before: the values are constant; {failed:?}");
    ensure!(subscriber.next_message()?.text() == "stale");
    fail("none")?;
    subscriber.until("it is online again", |message| message.topic == status && message.text() == "online")?;
    Ok(())
}

#[test]
fn a_sensor_that_was_never_there_is_stale() -> Result<()> {
    let site = super::site("[mqtt]\nlisten = \"127.0.0.1:0\"\n")?;
    site.thing("climate", &CLIMATE.replace("0x76", "0x77"))?.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let filters = [topic("climate/status"), topic("lamp/status")];
    let filters = filters.each_ref().map(String::as_str);
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &filters, &[])?;
    subscriber.until("the sensor is stale", |message| message.topic == filters[0] && message.text() == "stale")?;
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &[filters[1]], &[])?;
    ensure!(subscriber.next_message()?.text() == "online", "its neighbour");
    Ok(())
}

#[test]
fn a_thing_whose_handler_does_not_stay_up_is_offline() -> Result<()> {
    let site = super::site("[mqtt]\nlisten = \"127.0.0.1:0\"\n")?;
    site.thing("laboratory", &format!("{LABORATORY}[settings]\nmisbehave = \"later:trap\"\n"))?;
    let gateway = site.start()?;
    let filters = [topic("laboratory/status"), topic("lamp/status")];
    let filters = filters.each_ref().map(String::as_str);
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &filters, &[])?;
    let offline = |message: &Message| message.topic == filters[0] && message.text() == "offline";
    subscriber.until("the laboratory is offline", offline)?;
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &[filters[1]], &[])?;
    ensure!(subscriber.next_message()?.text() == "online", "its neighbour");
    Ok(())
}

#[test]
fn more_retained_messages_than_an_outbox_holds_reach_a_subscriber() -> Result<()> {
    // Each has some ten topics: more than a thousand together.
    let site = super::site("[mqtt]\nlisten = \"127.0.0.1:0\"\n")?;
    for number in 0..110 {
        site.thing(&format!("host-{number}"), HOST_MONITOR)?;
    }
    let gateway = site.start()?;
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &["tidegate/#"], &["-q", "1"])?;
    let mut seen = BTreeSet::new();
    while seen.len() < 112 {
        let message = subscriber.until("a status", |message| message.topic.ends_with("/status"))?;
        seen.insert(message.topic);
    }
    drop(subscriber);
    // And at the end each is told that it is offline.
    let mut subscriber = Subscriber::start(gateway.mqtt()?, Protocol::V5, &[&topic("+/status")], &["-q", "1"])?;
    for _ in 0..112 {
        subscriber.next_message()?;
    }
    gateway.stop()?;
    for _ in 0..112 {
        let last = subscriber.until("offline", |message| message.text() == "offline")?;
        ensure!(last.topic.ends_with("/status"), "{last:?}");
    }
    Ok(())
}

#[test]
fn what_a_client_asks_for_over_two_connections_is_done_in_its_order() -> Result<()> {
    let place = Place::endpoint()?;
    let lamp = text(topic("lamp/properties/on/set").as_bytes());
    let mut first = Raw::connected(place.address, 4)?;
    first.send(&packet(0x30, &[lamp.as_slice(), b"true"].concat()).repeat(1_000))?;
    first.send(&packet(0xe0, &[]))?;
    // The same client identifier.
    let mut second = Raw::connected(place.address, 4)?;
    second.send(&packet(0x32, &[lamp.as_slice(), &[0, 7], b"false"].concat()))?;
    ensure!(second.packet()? == [0x40, 2, 0, 7]);
    let mut connection = place.gateway.client().connect()?;
    for read in 0..100 {
        let on = connection.send(&Request::new("GET", "/things/lamp/properties/on"))?.expect(200)?.value()?;
        ensure!(on == false, "an older write came after a newer one (read {read})");
    }
    Ok(())
}

#[test]
fn of_filters_that_overlap_the_best_quality_of_service_counts() -> Result<()> {
    let place = Place::endpoint()?;
    Subscriber::start(place.address, Protocol::V311, &[&topic("lamp/properties/on")], &[])?.next_message()?;
    let (all, one) = (text(topic("lamp/properties/+").as_bytes()), text(topic("lamp/properties/on").as_bytes()));
    for filters in [[(&all, 1), (&one, 0)], [(&all, 0), (&one, 1)]] {
        let mut raw = Raw::connected(place.address, 4)?;
        let body: Vec<u8> = filters.iter().flat_map(|(filter, qos)| [filter.as_slice(), &[*qos]].concat()).collect();
        raw.send(&packet(0x82, &[&[0, 1], body.as_slice()].concat()))?;
        ensure!(raw.packet()?[0] == 0x90);
        ensure!(raw.packet()?[0] == 0x33, "quality of service 1, retained");
    }
    Ok(())
}
