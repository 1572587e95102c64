//! See `tests::fuzz::data_schema`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = tests::fuzz::data_schema(bytes);
});
