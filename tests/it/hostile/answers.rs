//! Values, events and faults that break the Thing Model or are meant for other eyes: refused, cut, or said as what they are.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::eventually;

use super::{
    case::{Case, DENIED, FAILED, MODEL, OK, REFUSED, Strike, UNAVAILABLE, WRONG},
    runner,
    words::{LETTERS, RUNNING, bytes, event, fault, guest, json, letters, log, number, reading, text, value, wake_at},
    written::{Guest, ZEROS},
};

/// What would colour, clear or overwrite a terminal, reverse a line, or act in a page.
const MARKUP: &str = "\u{1b}]0;pwned\u{7}\u{1b}[2J\r\nforged line \u{202e}gnp.exe\u{0}<script>alert(1)</script>";

pub(super) fn cases() -> Vec<Case> {
    [values(), faults(), publications(), ends()].concat()
}

fn reads(name: &str, guest: Guest, body: &str) -> Case {
    Case::of(name, guest.on("read-property", body))
}

fn values() -> Vec<Case> {
    let wrong = |name: &str, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        reads(name, bytes(guest(), 4096, content), &json(4096, length)).read(&[WRONG]).times(2)
    };
    let list = |length: u32| format!("(i32.store8 (i32.const 131072) (i32.const 91)) {}", json(LETTERS, length));
    vec![
        reads("a text that is to be an integer", bytes(guest(), 4096, b"one"), &text(4096, 3))
            .strike(Strike::Read("whole"), &[WRONG]),
        reads("a fraction that is to be an integer", guest(), &number("1.5")).strike(Strike::Read("whole"), &[WRONG]),
        reads("no number", guest(), &number("nan")).read(&[WRONG]).times(2),
        reads("more than any number", guest(), &number("inf")).read(&[WRONG]).times(2),
        wrong("no JSON", b"{\"a\": "),
        wrong("JSON and more", b"1 2"),
        wrong("a number that JSON does not hold", b"1e999"),
        wrong("JSON that is deep", "[".repeat(2_000).as_bytes()),
        wrong("JSON that is deep and whole", format!("{}{}", "[".repeat(100), "]".repeat(100)).as_bytes()),
        reads("JSON of 2 MiB", letters(guest()), &list(2 << 20)).read(&[WRONG]).times(2),
        reads("a medium that the model does not name", bytes(guest(), 4096, b"text/html"), &value(5, 4096, 9))
            .read(&[WRONG])
            .times(2),
        reads("a text of 1 MiB", letters(guest()), &text(LETTERS, 1 << 20)).read(&[OK]).times(2),
        // Control characters are escaped by JSON; what is no control stays what the handler said.
        reads("a text of markup", bytes(guest(), 4096, MARKUP.as_bytes()), &text(4096, size(MARKUP)))
            .read(&[OK])
            .says("\\u001b]0;pwned")
            .never("\u{1b}")
            .never("\n"),
        reads("a reading of the future", guest(), "(i64.store (i32.const 8224) (i64.const -1)) i32.const 8192")
            .read(&[OK])
            .times(2),
    ]
}

fn size(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// A fault is one sentence in a problem document: no megabyte, no control character.
fn faults() -> Vec<Case> {
    let marked = |name: &str, discriminant, promise| {
        reads(name, bytes(guest(), 4096, MARKUP.as_bytes()), &fault(discriminant, 4096, size(MARKUP)))
            .read(&[promise])
            .never("\u{1b}")
            .never("\\u001b")
            .never("\\r\\n")
            .never("\u{202e}")
    };
    let long = |name: &str, discriminant, promise| {
        reads(name, letters(guest()), &fault(discriminant, LETTERS, 1 << 20)).read(&[promise]).times(2)
    };
    vec![
        marked("`failed` with markup", 7, FAILED),
        marked("`denied` with markup", 5, DENIED),
        marked("`invalid` with markup", 3, REFUSED),
        long("`failed` of 1 MiB", 7, FAILED),
        long("`unavailable` of 1 MiB", 6, UNAVAILABLE),
        long("`invalid` of 1 MiB", 3, REFUSED),
        Case::of("a start that fails with 1 MiB", {
            let body = "(i32.store8 (i32.const 8192) (i32.const 1)) (i32.store8 (i32.const 8196) (i32.const 7))
                (i32.store (i32.const 8200) (i32.const 131072)) (i32.store (i32.const 8204) (i32.const 1048576))
                i32.const 8192";
            letters(guest()).on("start", body)
        })
        .refused("rehearsal"),
        Case::of(
            "log lines of markup",
            log(bytes(guest(), 4096, MARKUP.as_bytes())).on(
                "read-property",
                &format!("(call $write (i32.const 3) (i32.const 4096) (i32.const {})) {ZEROS}", size(MARKUP)),
            ),
        )
        .read(&[OK])
        .times(3),
    ]
}

/// What it publishes by itself.
fn publications() -> Vec<Case> {
    let names = r#"(data (i32.const 4096) "storm") (data (i32.const 4112) "quiet") (data (i32.const 4128) "nobody") (data (i32.const 4144) "whole")"#;
    let says = |name: &str, import: fn(Guest) -> Guest, call: &str| {
        let body = format!("{call} {ZEROS}");
        Case::of(name, import(guest().fields(names)).on("read-property", &body)).read(&[OK]).times(2)
    };
    let emit = "(call $event (i32.const 4128) (i32.const 6) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let faulty = |case: Case| case.strike(Strike::Faults, &[OK]).says("model");
    vec![
        faulty(says("an event that the model does not know", event, emit)),
        faulty(says("a reading that the model does not know", reading, &publish(4128, 6, "0", "1000"))),
        faulty(says("a reading that breaks the model", reading, &publish(4144, 5, "0", "1000"))),
        says("a reading that is good for ever", reading, &publish(4112, 5, "0", "-1")),
        says("a reading of the end of time", reading, &publish(4112, 5, "-1", "0")),
    ]
}

/// An action is waited for by its caller, and never ends.
pub(super) fn waiting() -> Vec<Case> {
    let give = Strike::Invoke("give", serde_json::Value::Null);
    vec![Case::of("an answer that never comes", guest().on("invoke-action", RUNNING)).strike(give, &[UNAVAILABLE])]
}

/// A reading that is good for ever is so for the version that says it.
pub(super) fn outlives() -> Result<()> {
    let names = r#"(data (i32.const 4112) "value")"#;
    let body = format!("{} {ZEROS}", publish(4112, 5, "0", "-1"));
    let publishes = reading(guest().fields(names)).on("wake", &body);
    let gateway = runner::gateway("")?;
    runner::push(&gateway, &publishes.model(MODEL).component())?.expect(200)?;
    let value = || gateway.client().value("/things/victim/properties/value");
    ensure!(value()? == true, "it was not published");
    runner::push(&gateway, &guest().model(MODEL).component())?.expect(200)?;
    eventually("the next version is asked", Duration::from_secs(30), || Ok(value()?.is_null().then_some(())))
}

/// `publish` of `true` under a name.
fn publish(at: u32, length: u32, taken: &str, valid: &str) -> String {
    format!(
        "(call $reading (i32.const {at}) (i32.const {length}) (i32.const 1) (i64.const 1) (i32.const 0) (i32.const 0)
         (i32.const 0) (i64.const {taken}) (i32.const 0) (i64.const {valid}))"
    )
}

/// Actions that give nothing, and wakes of another time.
fn ends() -> Vec<Case> {
    vec![
        Case::of("no output where one is promised", guest().on("invoke-action", ZEROS))
            .strike(Strike::Invoke("give", serde_json::Value::Null), &[WRONG])
            .times(2),
        Case::of("a wake in the past", guest().on("wake", &wake_at("1"))).read(&[OK]).times(5),
    ]
}
