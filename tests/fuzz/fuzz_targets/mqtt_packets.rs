//! See `tests::fuzz::mqtt_packets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = tests::fuzz::mqtt_packets(bytes);
});
