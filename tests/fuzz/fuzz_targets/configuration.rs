//! See `tests::fuzz::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = tests::fuzz::configuration(bytes);
});
