//! See `tests::fuzz::thing_model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = tests::fuzz::thing_model(bytes);
});
