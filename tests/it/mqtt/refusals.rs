//! Bad input to the MQTT endpoint: a clear refusal, bounded memory, and HTTP and handlers as if nothing were.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tests::{
    crowd::resident_bytes,
    eventually,
    mqtt::{Paho, Protocol},
};

use super::{DEADLINE, Place, topic};

/// A client that sends what it wants.
pub(super) struct Raw(TcpStream);

impl Raw {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(stream))
    }

    /// With a CONNECT of this protocol level that was accepted.
    pub(super) fn connected(address: SocketAddr, level: u8) -> Result<Self> {
        let mut raw = Self::connect(address)?;
        raw.send(&connect(level, 2, b"raw"))?;
        let acknowledged = raw.packet()?;
        ensure!(acknowledged.first() == Some(&0x20) && acknowledged[3] == 0, "{acknowledged:?}");
        Ok(raw)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// The next packet: its first byte, the length, the body.
    pub(super) fn packet(&mut self) -> Result<Vec<u8>> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        ensure!(head[1] < 0x80 || head[0] >> 4 != 3, "a long packet");
        let (mut length, mut packet) = (usize::from(head[1] & 0x7f), head.to_vec());
        if head[1] & 0x80 != 0 {
            let mut more = [0; 1];
            self.0.read_exact(&mut more)?;
            length |= usize::from(more[0]) << 7;
        }
        let start = packet.len();
        packet.resize(start + length, 0);
        self.0.read_exact(&mut packet[start..])?;
        Ok(packet)
    }

    /// What comes until the endpoint closes the connection.
    pub(super) fn rest(mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(rest),
            Err(error) => bail!("the connection stays open: {error}"),
        }
    }
}

/// CONNECT with these flags; a level of 5 has empty properties.
fn connect(level: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, flags, 0, 60];
    if level == 5 {
        body.push(0);
    }
    body.extend(text(payload));
    packet(0x10, &body)
}

pub(super) fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, bytes].concat()
}

pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).unwrap_or(0);
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A level-5 PUBLISH of quality of service 0.
fn publish(topic: &[u8]) -> Vec<u8> {
    packet(0x30, &[text(topic), vec![0], b"1".to_vec()].concat())
}

#[test]
fn what_is_no_mqtt_is_turned_away() -> Result<()> {
    let place = Place::endpoint()?;
    let not_first = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        packet(0xc0, &[]),
        publish(topic("lamp/properties/on/set").as_bytes()),
        vec![0x10, 0xff, 0xff, 0xff, 0xff, 0x01],
        packet(0x10, b"\0\x04MQTX\x04\x02\0\0\0\0"),
    ];
    for bytes in not_first {
        let mut raw = Raw::connect(place.address)?;
        raw.send(&bytes)?;
        ensure!(raw.rest()?.is_empty(), "{bytes:?}");
    }
    for (level, expected) in [(3, [0x20, 2, 0, 1].as_slice()), (6, &[0x20, 3, 0, 0x84, 0])] {
        let mut raw = Raw::connect(place.address)?;
        raw.send(&connect(level, 2, b"x"))?;
        ensure!(raw.rest()? == expected, "level {level}");
    }
    let mut old = Raw::connect(place.address)?;
    old.send(&packet(0x10, b"\0\x06MQIsdp\x03\x02\0\x3c\0\x01x"))?;
    ensure!(old.rest()? == [0x20, 2, 0, 1]);
    ensure!(place.gateway.client().value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn a_packet_that_breaks_the_protocol_ends_its_connection_with_a_reason() -> Result<()> {
    let place = Place::endpoint()?;
    let lamp = topic("lamp/properties/on/set");
    let subscribe = |first: u8, identifier: u8, filter: &[u8]| {
        packet(first, &[vec![0, identifier, 0], text(filter), vec![0]].concat())
    };
    // MQTT 5 reason codes: malformed packet, protocol error, topic name invalid, packet too large, QoS not supported, quota.
    let many = [vec![0, 1, 0], [text(b"a"), vec![0]].concat().repeat(129)].concat();
    let cases: Vec<(u8, Vec<u8>)> = vec![
        (0x97, packet(0x82, &many)),
        (0x82, connect(5, 2, b"again")),
        (0x81, packet(0x31 | 0x06, b"\0\x01x")),
        (0x90, publish(b"tidegate/+/x")),
        (0x90, publish(b"tidegate/#")),
        (0x81, publish(b"a\0b")),
        (0x81, publish(b"\xff\xfe")),
        (0x82, publish(b"")),
        (0x81, packet(0x38, &[text(lamp.as_bytes()), b"\0true".to_vec()].concat())),
        (0x81, packet(0x30, b"\0\x01x\x03\x08\0\x02true")),
        (0x82, packet(0x30, b"\0\x01x\x04\x01\0\x01\0true")),
        (0x9b, packet(0x34, &[text(lamp.as_bytes()), vec![0, 1, 0], b"true".to_vec()].concat())),
        (0x95, vec![0x30, 0xff, 0xff, 0xff, 0x7f]),
        (0x81, subscribe(0x80, 1, b"x")),
        (0x82, subscribe(0x82, 0, b"x")),
        (0x81, subscribe(0x82, 1, b"a\0")),
        (0x81, packet(0x82, b"\0\x01\0\0\x05x")),
        (0x81, packet(0x82, b"\0\x01\0\0\x01x\x40")),
        (0x82, packet(0x82, b"\0\x01\0\0\x0a$share/g/a\x04")),
        (0x82, packet(0x82, b"\0\x01\0")),
        (0x82, packet(0x40, b"\0\0")),
        (0x81, packet(0x40, b"\0\x01\0\0junk")),
        (0x81, packet(0xe0, b"\0\0junk")),
        (0x81, packet(0xc0, b"x")),
        (0x82, packet(0x20, b"\0\0\0")),
        (0x9b, packet(0x62, b"\0\x01")),
        (0x82, packet(0xf0, b"\0")),
    ];
    for (expected, bytes) in cases {
        let mut raw = Raw::connected(place.address, 5)?;
        raw.send(&bytes)?;
        let last = raw.packet()?;
        ensure!(last.first() == Some(&0xe0) && last.get(2) == Some(&expected), "{bytes:x?}: {last:x?}");
        // In 3.1.1 there is only the end of the connection.
        if !matches!(expected, 0x90) && bytes.first() != Some(&0x82) {
            let mut raw = Raw::connected(place.address, 4)?;
            raw.send(&bytes)?;
            ensure!(raw.rest()?.is_empty(), "{bytes:x?}");
        }
    }
    ensure!(place.gateway.client().value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn a_connect_that_breaks_the_protocol_is_told_why_in_mqtt_5() -> Result<()> {
    let place = Place::endpoint()?;
    let lamp = text(topic("lamp/properties/on/set").as_bytes());
    let will = |properties: &[u8]| [text(b"raw"), properties.to_vec(), lamp.clone(), text(b"true")].concat();
    let connect = |flags: u8, properties: &[u8], payload: Vec<u8>| {
        let head = [b"\0\x04MQTT\x05".as_slice(), &[flags, 0, 60], properties].concat();
        packet(0x10, &[head, payload].concat())
    };
    let cases = [
        (0x81, connect(3, b"\0", text(b"raw"))),
        (0x81, connect(2, b"\0", b"\0\x03rawjunk".to_vec())),
        (0x81, connect(2, b"\0", text(b"r\0w"))),
        (0x82, connect(2, b"\x04\x16\0\x01d", text(b"raw"))),
        (0x82, connect(2, b"\x04\x17\x01\x17\x01", text(b"raw"))),
        (0x82, connect(6, b"\0", will(b"\x06\x08\0\x03a/#"))),
        (0, connect(6, b"\0", will(b"\x06\x08\0\x03a/b"))),
    ];
    for (expected, bytes) in cases {
        let mut raw = Raw::connect(place.address)?;
        raw.send(&bytes)?;
        let acknowledged = raw.packet()?;
        ensure!(acknowledged[0] == 0x20 && acknowledged[3] == expected, "{bytes:x?}: {acknowledged:x?}");
        ensure!(expected == 0 || raw.rest()?.is_empty(), "{bytes:x?}: it goes on");
    }
    let mut raw = Raw::connect(place.address)?;
    raw.send(&self::connect(4, 3, b"raw"))?;
    ensure!(raw.rest()?.is_empty(), "3.1.1 has no word for it");
    Ok(())
}

#[test]
fn filters_that_are_none_and_shared_ones_are_refused_one_by_one() -> Result<()> {
    let place = Place::endpoint()?;
    let mut raw = Raw::connected(place.address, 5)?;
    let filters: [(&[u8], u8); 5] =
        [(b"a/#/b", 0x8f), (b"x+", 0x8f), (b"", 0x8f), (b"$share/g/a", 0x9e), (b"nobody/publishes/this", 2)];
    let body: Vec<u8> = filters.iter().flat_map(|(filter, _)| [text(filter), vec![2]].concat()).collect();
    raw.send(&packet(0x82, &[vec![0, 9, 0], body].concat()))?;
    let acknowledged = raw.packet()?;
    ensure!(acknowledged == [0x90, 8, 0, 9, 0, 0x8f, 0x8f, 0x8f, 0x9e, 1], "{acknowledged:x?}");
    Ok(())
}

#[test]
fn a_publish_to_a_foreign_topic_and_a_will_on_one_are_refused() -> Result<()> {
    let place = Place::endpoint()?;
    let mut paho = Paho::connect(place.address, Protocol::V5, &Value::Null)?;
    for foreign in ["x", "tidegate/tidegate/status", &topic("lamp/properties/on"), &topic("lamp/events/x")] {
        let published = paho.publish(foreign, "1", &Value::Null)?;
        ensure!(published["code"] == 144, "{foreign}: {published}");
    }
    let will = json!({ "will": { "topic": "somewhere/else", "payload": "x" } });
    for protocol in Protocol::ALL {
        let refused = Paho::connect(place.address, protocol, &will).err().map(|error| error.to_string());
        ensure!(refused.as_ref().is_some_and(|refused| refused.contains("not connected")), "{refused:?}");
    }
    let mut raw = Raw::connected(place.address, 4)?;
    raw.send(&packet(0x32, &[text(b"x"), vec![0, 1], b"1".to_vec()].concat()))?;
    ensure!(raw.rest()?.is_empty(), "3.1.1 has no other word for it");
    Ok(())
}

#[test]
fn a_client_that_does_not_introduce_itself_is_turned_out() -> Result<()> {
    let place = Place::endpoint()?;
    let began = Instant::now();
    let silent = Raw::connect(place.address)?;
    let mut slow = Raw::connect(place.address)?;
    slow.send(&connect(5, 2, b"slow")[..6])?;
    ensure!(silent.rest()?.is_empty() && slow.rest()?.is_empty());
    ensure!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn a_client_that_is_silent_longer_than_its_keep_alive_is_turned_out() -> Result<()> {
    let place = Place::endpoint()?;
    let mut raw = Raw::connect(place.address)?;
    raw.send(&packet(0x10, b"\0\x04MQTT\x05\x02\0\x01\0\0\x01k"))?;
    raw.packet()?;
    let last = raw.packet()?;
    ensure!(last.first() == Some(&0xe0) && last.get(2) == Some(&0x8d), "{last:x?}");
    Ok(())
}

#[test]
fn a_client_that_never_reads_costs_little_and_others_do_not_notice() -> Result<()> {
    let place = Place::endpoint()?;
    let client = place.gateway.client();
    let mut deaf = Raw::connected(place.address, 5)?;
    deaf.send(&packet(0x82, &[vec![0, 1, 0], text(b"tidegate/#"), vec![1]].concat()))?;
    let mut other = Paho::connect(place.address, Protocol::V5, &Value::Null)?;
    other.subscribe(&topic("laboratory/properties/echo"), 1)?;
    let before = resident_bytes(place.gateway.id())?;
    // More than the sockets' buffers and the outbox hold together.
    let value = json!("x".repeat(100_000));
    for _ in 0..200 {
        client.json("PUT", "/things/laboratory/properties/echo", &value)?.expect(204)?;
        client.json("PUT", "/things/laboratory/properties/echo", &json!("y"))?.expect(204)?;
    }
    eventually("the other has the last value", DEADLINE, || Ok((other.next_message()?.value()? == "y").then_some(())))?;
    let after = resident_bytes(place.gateway.id())?;
    ensure!(after < before + (48 << 20), "{before} {after}");
    eventually("the deaf client is cut off", Duration::from_secs(60), || {
        let mqtt = client.value("/things/gateway/properties/mqtt")?;
        Ok((mqtt["clients"] == 1).then_some(()))
    })?;
    ensure!(client.value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn a_client_that_sends_faster_than_is_done_costs_little() -> Result<()> {
    let place = Place::endpoint()?;
    let mut hasty = Raw::connected(place.address, 5)?;
    // Half a megabyte of user properties around each payload of one byte: `5`, 0x26.
    let property = [vec![0x26], text(b"k"), text(&[b'v'; 60_000])].concat().repeat(9);
    let length = packet(0, &property);
    let echo = topic("laboratory/properties/echo/set");
    let publish = packet(0x30, &[text(echo.as_bytes()), length[1..].to_vec(), b"5".to_vec()].concat());
    hasty.send(&publish)?;
    let read = || Ok((place.gateway.client().value("/things/laboratory/properties/echo")? == 5).then_some(()));
    eventually("the first is done", DEADLINE, read)?;
    let before = resident_bytes(place.gateway.id())?;
    for _ in 0..400 {
        hasty.send(&publish)?;
    }
    let after = resident_bytes(place.gateway.id())?;
    ensure!(after < before + (48 << 20), "{before} {after}");
    ensure!(place.gateway.client().value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn thousands_of_half_open_connections_keep_nobody_out() -> Result<()> {
    let place = Place::endpoint()?;
    let mut open = Vec::new();
    for _ in 0..2_000 {
        // An error: the endpoint's place for those that wait is full.
        open.extend(TcpStream::connect_timeout(&place.address, Duration::from_secs(1)));
    }
    let mut paho = Paho::connect(place.address, Protocol::V311, &Value::Null)?;
    paho.subscribe(&topic("lamp/status"), 0)?;
    ensure!(paho.next_message()?.text() == "online");
    ensure!(place.gateway.client().value("/things/lamp/properties/on")? == false);
    drop(open);
    Ok(())
}
