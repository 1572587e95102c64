//! See `tests::fuzz::Admission`.
#![no_main]

use std::sync::LazyLock;

static ADMISSION: LazyLock<tests::fuzz::Admission> =
    LazyLock::new(|| tests::fuzz::Admission::new().expect("this machine can have an engine"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = ADMISSION.component(bytes);
});
