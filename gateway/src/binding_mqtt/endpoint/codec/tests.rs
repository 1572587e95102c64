//! Packets as they should be, cut, and changed at random.

use super::version as codec_version;
use super::*;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, DisconnectProperties, LastWillProperties, PubAckProperties, PubAckReason, PublishProperties,
    RetainForwardRule, SubscribeProperties, UnsubscribeProperties,
};

const BYTES_MAX: usize = 4_096;

fn user_properties() -> Vec<(String, String)> {
    vec![("key".into(), "value".into())]
}

fn publish_properties() -> PublishProperties {
    PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(60),
        response_topic: Some("answers".into()),
        correlation_data: Some(Bytes::from_static(b"c1")),
        user_properties: user_properties(),
        content_type: Some("application/json".into()),
        topic_alias: Some(1),
        subscription_identifiers: Vec::new(),
    }
}

/// One of each packet that a client sends, with every property.
fn seeds(version: Version) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = vec![vec![0xC0, 0], vec![0xE0, 0]];
    let mut out = BytesMut::new();
    match version {
        Version::V5 => seeds.extend(packets().iter().map(|packet| {
            packet.write(&mut out, None).unwrap();
            out.split().to_vec()
        })),
        Version::V4 => seeds.extend(packets_v4().iter().map(|packet| {
            packet.write(&mut out, usize::MAX).unwrap();
            out.split().to_vec()
        })),
    }
    seeds
}

fn packets() -> [Packet; 6] {
    let mut publish =
        Publish::new("tidegate/lab/things/a/actions/b", QoS::AtLeastOnce, "{\"a\":1}", Some(publish_properties()));
    publish.pkid = 7;
    let mut ack = PubAck::new(7, None);
    ack.reason = PubAckReason::QuotaExceeded;
    ack.properties = Some(PubAckProperties { reason_string: Some("no".into()), user_properties: user_properties() });
    let filter = Filter {
        path: "a/+/#".into(),
        qos: QoS::AtLeastOnce,
        preserve_retain: true,
        retain_forward_rule: RetainForwardRule::OnNewSubscribe,
        ..Filter::default()
    };
    let properties = Some(SubscribeProperties { id: Some(3), user_properties: user_properties() });
    let subscribe = Subscribe { pkid: 8, filters: vec![filter.clone(), filter], properties };
    let properties = Some(UnsubscribeProperties { user_properties: user_properties() });
    let unsubscribe = Unsubscribe { pkid: 9, filters: vec!["a/+/#".into(), "b".into()], properties };
    let disconnect = Disconnect {
        reason_code: DisconnectReasonCode::DisconnectWithWillMessage,
        properties: Some(DisconnectProperties {
            session_expiry_interval: Some(1),
            reason_string: Some("bye".into()),
            user_properties: user_properties(),
            server_reference: Some("there".into()),
        }),
    };
    let (subscribe, unsubscribe) = (Packet::Subscribe(subscribe), Packet::Unsubscribe(unsubscribe));
    [connect(), Packet::Publish(publish), Packet::PubAck(ack), subscribe, unsubscribe, Packet::Disconnect(disconnect)]
}

fn connect() -> Packet {
    let will = LastWill {
        topic: Bytes::from_static(b"tidegate/lab/things/a/properties/b/set"),
        message: Bytes::from_static(b"false"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Some(LastWillProperties {
            delay_interval: Some(1),
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(1),
            content_type: Some("application/json".into()),
            response_topic: Some("answers".into()),
            correlation_data: Some(Bytes::from_static(b"c")),
            user_properties: user_properties(),
        }),
    };
    let properties = ConnectProperties {
        session_expiry_interval: Some(1),
        receive_maximum: Some(9),
        max_packet_size: Some(1_000),
        topic_alias_max: Some(1),
        request_response_info: Some(1),
        request_problem_info: Some(0),
        user_properties: user_properties(),
        authentication_method: Some("method".into()),
        authentication_data: Some(Bytes::from_static(b"data")),
    };
    let connect =
        Connect { keep_alive: 60, client_id: "client".into(), clean_start: true, properties: Some(properties) };
    let login = Login { username: "user".into(), password: "password".into() };
    Packet::Connect(connect, Some(will), Some(login))
}

fn packets_v4() -> [v4::Packet; 5] {
    let mut connect = v4::Connect::new("client");
    connect.last_will = Some(v4::LastWill::new("tidegate/x", "false", mqttbytes::QoS::AtLeastOnce, false));
    connect.set_login("user", "password");
    let mut publish = v4::Publish::new("a/b", mqttbytes::QoS::AtLeastOnce, "true");
    publish.pkid = 7;
    let mut subscribe = v4::Subscribe::new("a/+/#", mqttbytes::QoS::AtLeastOnce);
    subscribe.pkid = 8;
    let mut unsubscribe = v4::Unsubscribe::new("a/+/#");
    unsubscribe.pkid = 9;
    let (subscribe, unsubscribe) = (v4::Packet::Subscribe(subscribe), v4::Packet::Unsubscribe(unsubscribe));
    let ack = v4::Packet::PubAck(v4::PubAck::new(7));
    [v4::Packet::Connect(connect), v4::Packet::Publish(publish), ack, subscribe, unsubscribe]
}

/// A fast generator with a fixed seed (xorshift, Marsaglia 2003): a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or(0)
    }
}

/// Changes, cuts, repeats or lengthens a packet, one to four times.
fn mutate(packet: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(packet.len());
        match random.below(7) {
            0 if !packet.is_empty() => packet[at] ^= 1 << random.below(8),
            1 if !packet.is_empty() => packet[at] = random.byte(),
            2 => packet.insert(at, random.byte()),
            3 if !packet.is_empty() => drop(packet.remove(at)),
            4 => packet.truncate(at),
            5 => packet.extend_from_slice(&other[random.below(other.len())..]),
            // The length says something else than there is.
            _ if packet.len() > 1 => packet[1] = random.byte(),
            _ => {}
        }
    }
}

#[test]
fn every_seed_is_read_back() {
    for version in [Version::V4, Version::V5] {
        for seed in seeds(version) {
            let mut stream = BytesMut::from(&seed[..]);
            let packet = read(version, &mut stream, BYTES_MAX).unwrap().unwrap();
            assert!(stream.is_empty(), "{packet:?}");
            // Cut anywhere, it is no packet yet, and no error.
            for end in 0..seed.len() {
                let mut stream = BytesMut::from(&seed[..end]);
                assert!(matches!(read(version, &mut stream, BYTES_MAX), Ok(None)), "{seed:x?} cut at {end}");
            }
        }
    }
}

/// What a server sends, too, can be written; in MQTT 5 it is as long as it was, so nothing of it was overlooked.
fn written_again(version: Version, packet: &Packet, bytes: usize, out: &mut BytesMut) {
    let whole = version == Version::V5 && matches!(packet, Packet::Subscribe(_) | Packet::Unsubscribe(_));
    if whole || matches!(packet, Packet::Publish(_)) {
        write(version, packet.clone(), out).unwrap();
        assert!(version == Version::V4 || out.len() == bytes, "{packet:?}: {} bytes of {bytes}", out.len());
        out.clear();
    }
}

#[test]
fn a_million_mutated_packets_are_read_or_refused() {
    let mut random = Random(0x5EED_0001);
    let (mut packets, mut refused) = (0_u32, 0_u32);
    let mut out = BytesMut::new();
    for version in [Version::V4, Version::V5] {
        let seeds = seeds(version);
        for _ in 0..500_000 {
            let mut packet = seeds[random.below(seeds.len())].clone();
            let other = random.below(seeds.len());
            mutate(&mut packet, &seeds[other], &mut random);
            // Whatever it says: it must not panic.
            let _version = codec_version(&packet, BYTES_MAX);
            let mut stream = BytesMut::from(&packet[..]);
            let mut left = stream.len();
            while let Some(read) = read(version, &mut stream, BYTES_MAX).transpose() {
                match read {
                    Ok(packet) => {
                        packets += 1;
                        let bytes = std::mem::replace(&mut left, stream.len()) - stream.len();
                        written_again(version, &packet, bytes, &mut out);
                    }
                    Err(_) => {
                        refused += 1;
                        break;
                    }
                }
            }
        }
    }
    assert!(
        packets > 100_000 && refused > 100_000,
        "{packets} packets, {refused} refused: the mutations are too mild or too wild"
    );
}

#[test]
fn a_version_is_told_from_a_whole_connect_only() {
    for (version, seed) in [(Version::V4, &seeds(Version::V4)[2]), (Version::V5, &seeds(Version::V5)[2])] {
        assert_eq!(codec_version(seed, BYTES_MAX), Ok(Some(Ok(version))));
        assert_eq!(codec_version(&seed[..seed.len() - 1], BYTES_MAX), Ok(None));
        let mut flagged = seed.clone();
        let flags = flagged.iter().position(|byte| *byte == b'T').unwrap() + 3;
        flagged[flags] |= 1;
        assert_eq!(codec_version(&flagged, BYTES_MAX), Ok(Some(Ok(version))), "so that it can be told what is wrong");
        assert!(read(version, &mut BytesMut::from(&flagged[..]), BYTES_MAX).is_err(), "the reserved flag");
    }
    assert!(codec_version(&[0x30, 0], BYTES_MAX).is_err());
    assert!(codec_version(&[0x10, 0xff, 0xff, 0x7f], BYTES_MAX).is_err(), "longer than the limit, known from the head");
}
