//! Doors for fuzzers into rooms that are private: whatever bytes they bring, nothing may panic.

use bytes::BytesMut;

use crate::binding_mqtt::endpoint::codec::{self, Version};

/// Reads MQTT packets, of both versions, as a session does that takes packets of up to `packet_bytes_max` bytes; how many
/// there were.
#[must_use]
pub fn mqtt_packets(bytes: &[u8], packet_bytes_max: usize) -> usize {
    let mut packets = 0;
    let _version = codec::version(bytes, packet_bytes_max);
    for version in [Version::V4, Version::V5] {
        let mut stream = BytesMut::from(bytes);
        while let Ok(Some(_)) = codec::read(version, &mut stream, packet_bytes_max) {
            packets += 1;
        }
    }
    packets
}
