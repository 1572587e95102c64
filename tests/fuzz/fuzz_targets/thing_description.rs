//! See `tests::fuzz::thing_description`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = tests::fuzz::thing_description(bytes);
});
