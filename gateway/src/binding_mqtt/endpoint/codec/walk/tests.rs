//! Packets that MQTT forbids beside those that it allows, byte by byte.

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;

use super::super::{Version, read};

const BYTES_MAX: usize = 4_096;

/// A packet whose length is below 128.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u8::try_from(body.len()).unwrap();
    assert!(length < 0x80, "{body:x?}");
    [vec![first, length], body].concat()
}

/// What is said to these packets of a client; `None`: they are taken.
fn said(version: Version, packet: &[u8]) -> Option<DisconnectReasonCode> {
    let mut stream = BytesMut::from(packet);
    match read(version, &mut stream, BYTES_MAX) {
        Ok(read) => {
            assert!(read.is_some() && stream.is_empty(), "{packet:x?} is no whole packet");
            None
        }
        Err(refused) => Some(refused.reason),
    }
}

fn check(version: Version, expected: Option<DisconnectReasonCode>, packets: &[(&str, Vec<u8>)]) {
    let wrong: Vec<_> = packets.iter().filter(|(_, packet)| said(version, packet) != expected).collect();
    assert!(wrong.is_empty(), "{version:?}, expected {expected:?}: {wrong:x?}");
}

/// CONNECT of level 5 with these flags, properties and fields behind them.
fn connect(flags: u8, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).unwrap();
    packet(0x10, &[b"\0\x04MQTT\x05", &[flags, 0, 60, length], properties, payload])
}

/// CONNECT of level 4.
fn connect_v4(flags: u8, payload: &[u8]) -> Vec<u8> {
    packet(0x10, &[b"\0\x04MQTT\x04", &[flags, 0, 60], payload])
}

/// PUBLISH of quality of service 0 with these properties; the payload is `true`.
fn publish(properties: &[u8]) -> Vec<u8> {
    packet(0x30, &[b"\0\x01a", &[u8::try_from(properties.len()).unwrap()], properties, b"true"])
}

/// SUBSCRIBE with these properties and one filter with these options.
fn subscribe(properties: &[u8], filter: &[u8], options: u8) -> Vec<u8> {
    let lengths = [properties.len(), filter.len()].map(|length| u8::try_from(length).unwrap());
    packet(0x82, &[&[0, 1, lengths[0]], properties, &[0, lengths[1]], filter, &[options]])
}

#[test]
fn what_the_specification_allows_is_taken() {
    let every =
        b"\x11\0\0\0\x01\x15\0\x01m\x16\0\x01\xff\x17\x01\x19\0\x21\0\x09\x22\0\x01\x26\0\x01k\0\x01v\x27\0\0\x10\0";
    let will = b"\0\x01c\x1d\x01\x01\x02\0\0\0\x01\x03\0\x01t\x08\0\x01r\x09\0\x01\xff\x18\0\0\0\x01\x26\0\0\0\0\0\x01w\0\x01\0";
    let taken = [
        ("no properties", connect(2, b"", b"\0\x01c")),
        ("no client identifier", connect(2, b"", b"\0\0")),
        ("every property", connect(2, every, b"\0\x01c")),
        ("every property of a will", connect(0x2E, b"", will)),
        ("a user property twice", connect(2, b"\x26\0\x01k\0\x01v\x26\0\x01k\0\x01v", b"\0\0")),
        ("a password alone", connect(0x42, b"", b"\0\x01c\0\x01p")),
        ("user and password", connect(0xC2, b"", b"\0\x01c\0\x01u\0\x01p")),
        ("no property", publish(b"")),
        ("properties", publish(b"\x01\x01\x02\0\0\0\x01\x03\0\x01t\x08\0\x01r\x09\0\x02\0\xff\x26\0\x01k\0\x01v")),
        ("user properties", publish(b"\x26\0\x01k\0\x01v\x26\0\0\0\0")),
        ("an alias instead of a topic", packet(0x30, &[b"\0\0\x03\x23\0\x01true"])),
        ("DUP", packet(0x3A, &[b"\0\x01a\0\x07\0true"])),
        ("no payload", packet(0x30, &[b"\0\x01a\0"])),
        ("a byte order mark", packet(0x30, &[b"\0\x04\xef\xbb\xbfa\0true"])),
        ("every option", subscribe(b"\x0B\xff\x7f\x26\0\x01k\0\x01v", b"a/#", 0x2D)),
        ("a shared subscription", subscribe(b"", b"$share/g/a", 0x29)),
        ("two filters", packet(0x82, &[b"\0\x01\0\0\x01a\x01\0\x01b\x00"])),
        ("UNSUBSCRIBE", packet(0xA2, &[b"\0\x01\x07\x26\0\x01k\0\x01v\0\x01a\0\x01b"])),
        ("PUBACK alone", packet(0x40, &[b"\0\x07"])),
        ("with a reason", packet(0x40, &[b"\0\x07\x10"])),
        ("and no properties", packet(0x40, &[b"\0\x07\x10\0"])),
        ("and properties", packet(0x40, &[b"\0\x07\x80\x04\x1F\0\x01r"])),
        ("PINGREQ", packet(0xC0, &[])),
        ("DISCONNECT alone", packet(0xE0, &[])),
        ("with a reason", packet(0xE0, &[b"\x04"])),
        ("and no properties", packet(0xE0, &[b"\x04\0"])),
        ("and properties", packet(0xE0, &[b"\x04\x09\x11\0\0\0\0\x1F\0\x01r"])),
    ];
    check(Version::V5, None, &taken);
    let taken = [
        ("CONNECT", connect_v4(2, b"\0\x01c")),
        ("a will, a user name and a password", connect_v4(0xEE, b"\0\x01c\0\x01w\0\x01\0\0\x01u\0\x01p")),
        ("a user name alone", connect_v4(0x82, b"\0\x01c\0\x01u")),
        ("PUBLISH", packet(0x30, &[b"\0\x01atrue"])),
        ("DUP", packet(0x3A, &[b"\0\x01a\0\x07"])),
        ("a length with more bytes than it needs", [&[0x30, 0x83, 0x00], b"\0\x01a".as_slice()].concat()),
        ("SUBSCRIBE", packet(0x82, &[b"\0\x01\0\x01a\x02\0\x01b\x00"])),
        ("UNSUBSCRIBE", packet(0xA2, &[b"\0\x01\0\x01a\0\x01b"])),
        ("PUBACK", packet(0x40, &[b"\0\x07"])),
        ("PINGREQ", packet(0xC0, &[])),
        ("DISCONNECT", packet(0xE0, &[])),
    ];
    check(Version::V4, None, &taken);
}

#[test]
fn what_cannot_be_parsed_is_malformed() {
    let malformed = [
        ("the reserved flag", connect(3, b"", b"\0\x01c")),
        ("a will's flag without a will", connect(0x22, b"", b"\0\x01c")),
        ("a will of quality of service 3", connect(0x1E, b"", b"\0\x01c\0\0\x01w\0\0")),
        ("more than there is", connect(2, b"", b"\0\x01cjunk")),
        ("a property of a PUBLISH", connect(2, b"\x01\x01", b"\0\x01c")),
        ("a property that there is not", connect(2, b"\x7f", b"\0\x01c")),
        ("a property of a will in CONNECT", connect(2, b"\x18\0\0\0\x01", b"\0\x01c")),
        ("a property of CONNECT in a will", connect(6, b"", b"\0\x01c\x03\x21\0\x09\0\x01w\0\0")),
        ("a will's property that is cut off", connect(6, b"", b"\0\x01c\x03\x18\0\0\0\x01\0\x01w\0\0")),
        ("NUL in the client identifier", connect(2, b"", b"\0\x02c\0")),
        ("no UTF-8 in a user name", connect(0x82, b"", b"\0\x01c\0\x01\xff")),
        ("no UTF-8 in a will's topic", connect(6, b"", b"\0\x01c\0\0\x01\xff\0\0")),
        ("DUP without an acknowledgement", packet(0x38, &[b"\0\x01a\0true"])),
        ("quality of service 3", packet(0x36, &[b"\0\x01a\0\x01\0true"])),
        ("a property that reaches into the payload", publish(b"\x08\0\x02r")),
        ("a number that reaches into the payload", publish(b"\x02\0\0\0")),
        ("properties that are longer than the packet", packet(0x30, &[b"\0\x01a\x7ftrue"])),
        ("a length of five bytes", packet(0x30, &[b"\0\x01a\x80\x80\x80\x80\0true"])),
        ("a length with more bytes than it needs", packet(0x30, &[b"\0\x01a\x80\0true"])),
        ("another", [&[0x30, 0x84, 0x00], b"\0\x01a\0".as_slice()].concat()),
        ("a property of CONNECT", publish(b"\x11\0\0\0\x01")),
        ("an identifier of a property without a value", publish(b"\x01")),
        ("NUL in a topic", packet(0x30, &[b"\0\x03a\0b\0true"])),
        ("a surrogate in a topic", packet(0x30, &[b"\0\x03\xed\xa0\x80\0true"])),
        ("no UTF-8 in a content type", publish(b"\x03\0\x01\xff")),
        ("NUL in a user property", publish(b"\x26\0\x01k\0\x01\0")),
        ("a reserved bit of a subscription", subscribe(b"", b"a", 0x40)),
        ("the other", subscribe(b"", b"a", 0x80)),
        ("a filter that is not UTF-8", subscribe(b"", b"\xc3", 0)),
        ("NUL in a filter", subscribe(b"", b"a\0", 0)),
        ("a filter without options", packet(0x82, &[b"\0\x01\0\0\x01a"])),
        ("a property of a PUBLISH", subscribe(b"\x01\x01", b"a", 0)),
        ("a subscription identifier", packet(0xA2, &[b"\0\x01\x02\x0B\x01\0\x01a"])),
        ("NUL in a filter to leave", packet(0xA2, &[b"\0\x01\0\0\x01\0"])),
        ("PUBACK without an identifier", packet(0x40, &[b"\0"])),
        ("more than there is", packet(0x40, &[b"\0\x07\x10\0junk"])),
        ("a reason that there is not", packet(0x40, &[b"\0\x07\x01"])),
        ("more than there is", packet(0xE0, &[b"\x04\0junk"])),
        ("properties that are cut off", packet(0xE0, &[b"\x04\x05\x11\0\0"])),
        ("a body of PINGREQ", packet(0xC0, &[b"\0"])),
    ];
    check(Version::V5, Some(DisconnectReasonCode::MalformedPacket), &malformed);
    let malformed = [
        ("the reserved flag", connect_v4(3, b"\0\x01c")),
        ("a password without a user name", connect_v4(0x42, b"\0\x01c\0\x01p")),
        ("more than there is", connect_v4(2, b"\0\x01cjunk")),
        ("NUL in a user name", connect_v4(0x82, b"\0\x01c\0\x01\0")),
        ("DUP without an acknowledgement", packet(0x38, &[b"\0\x01atrue"])),
        ("NUL in a topic", packet(0x30, &[b"\0\x01\0true"])),
        ("an option of MQTT 5", packet(0x82, &[b"\0\x01\0\x01a\x04"])),
        ("another", packet(0x82, &[b"\0\x01\0\x01a\x21"])),
        ("NUL in a filter", packet(0x82, &[b"\0\x01\0\x01\0\x01"])),
        ("a PUBACK of MQTT 5", packet(0x40, &[b"\0\x07\0"])),
        ("a DISCONNECT of MQTT 5", packet(0xE0, &[b"\0"])),
        ("a longer one", packet(0xE0, &[b"\0\0"])),
        ("a body of PINGREQ", packet(0xC0, &[b"\0"])),
    ];
    check(Version::V4, Some(DisconnectReasonCode::MalformedPacket), &malformed);
}

#[test]
fn what_is_not_allowed_is_a_protocol_error() {
    let data_alone = connect(2, b"\x16\0\x01d", b"\0\x01c");
    let refused = [
        ("a property twice", connect(2, b"\x11\0\0\0\x01\x11\0\0\0\x01", b"\0\x01c")),
        ("problem information of 2", connect(2, b"\x17\x02", b"\0\x01c")),
        ("response information of 2", connect(2, b"\x19\x02", b"\0\x01c")),
        ("authentication data without a method", data_alone),
        ("a will's property twice", connect(6, b"", b"\0\x01c\x04\x01\0\x01\0\0\x01w\0\0")),
        ("a format of a will's payload of 2", connect(6, b"", b"\0\x01c\x02\x01\x02\0\x01w\0\0")),
        ("a format of the payload of 2", publish(b"\x01\x02")),
        ("a topic to answer to twice", publish(b"\x08\0\x01r\x08\0\x01r")),
        ("a content type twice", publish(b"\x03\0\x01t\x03\0\x01t")),
        ("a subscription identifier of a client", publish(b"\x0B\x01")),
        ("neither topic nor alias", packet(0x30, &[b"\0\0\0true"])),
        ("packet identifier 0", packet(0x32, &[b"\0\x01a\0\0\0true"])),
        ("a handling of what is retained of 3", subscribe(b"", b"a", 0x30)),
        ("a subscription of quality of service 3", subscribe(b"", b"a", 0x03)),
        ("a shared subscription without what is local", subscribe(b"", b"$share/g/a", 0x04)),
        ("two subscription identifiers", subscribe(b"\x0B\x01\x0B\x02", b"a", 0)),
        ("no filter", packet(0x82, &[b"\0\x01\0"])),
        ("packet identifier 0", packet(0x82, &[b"\0\0\0\0\x01a\0"])),
        ("no filter to leave", packet(0xA2, &[b"\0\x01\0"])),
        ("packet identifier 0", packet(0xA2, &[b"\0\0\0\0\x01a"])),
        ("packet identifier 0", packet(0x40, &[b"\0\0"])),
        ("a reason in words twice", packet(0x40, &[b"\0\x07\0\x08\x1F\0\x01r\x1F\0\x01r"])),
        ("a property twice", packet(0xE0, &[b"\0\x0A\x11\0\0\0\0\x11\0\0\0\0"])),
    ];
    check(Version::V5, Some(DisconnectReasonCode::ProtocolError), &refused);
    let refused = [
        ("packet identifier 0", packet(0x32, &[b"\0\x01a\0\0true"])),
        ("packet identifier 0", packet(0x40, &[b"\0\0"])),
        ("a subscription of quality of service 3", packet(0x82, &[b"\0\x01\0\x01a\x03"])),
        ("no filter", packet(0x82, &[b"\0\x01"])),
        ("no filter to leave", packet(0xA2, &[b"\0\x01"])),
    ];
    check(Version::V4, Some(DisconnectReasonCode::ProtocolError), &refused);
}
