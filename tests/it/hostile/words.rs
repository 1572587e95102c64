//! Fragments of WebAssembly text that the tables are written with: answers in the canonical ABI, loops, imports.

use super::written::Guest;

/// Where answers that are no zeros are laid out: the result of an export, 8192 = its discriminant.
const ANSWER: u32 = 8192;
/// Grows its memory until that is refused, then gives up as a guest's allocator does.
pub(super) const BOMB: &str =
    "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
/// Calls itself without end; needs [`deep`].
pub(super) const RECURSE: &str = "(drop (call $deep (i64.const 0))) unreachable";
/// 64 KiB of the letter x, from there on.
pub(super) const LETTERS: u32 = 131_072;

/// A guest with `$deep` and with `$armed` and `$count`, which start at zero with each instance.
pub(super) fn guest() -> Guest {
    Guest::new().fields(
        "(global $armed (mut i32) (i32.const 0)) (global $count (mut i32) (i32.const 0))
         (func $deep (param i64) (result i64) (i64.add (call $deep (local.get 0)) (i64.const 1)))",
    )
}

/// `body`, once the guest is armed.
pub(super) fn armed(body: &str) -> String {
    format!("(if (global.get $armed) (then {body}))")
}

/// `body`, so many times.
pub(super) fn times(count: u32, body: &str) -> String {
    format!(
        "(global.set $count (i32.const {count})) (loop $again {body}
         (global.set $count (i32.sub (global.get $count) (i32.const 1))) (br_if $again (global.get $count)))"
    )
}

/// The answer of `read-property`: a value whose text, JSON or medium lies at `pointer`.
pub(super) fn value(discriminant: u8, pointer: u32, length: u32) -> String {
    let (kind, at, size) = (ANSWER + 8, ANSWER + 16, ANSWER + 20);
    format!(
        "(i32.store8 (i32.const {kind}) (i32.const {discriminant})) (i32.store (i32.const {at}) (i32.const {pointer}))
         (i32.store (i32.const {size}) (i32.const {length})) i32.const {ANSWER}"
    )
}

/// A text as the answer of `read-property`.
pub(super) fn text(pointer: u32, length: u32) -> String {
    value(4, pointer, length)
}

/// JSON as the answer of `read-property`.
pub(super) fn json(pointer: u32, length: u32) -> String {
    value(6, pointer, length)
}

/// A number as the answer of `read-property`.
pub(super) fn number(number: &str) -> String {
    format!(
        "(i32.store8 (i32.const 8200) (i32.const 3)) (f64.store (i32.const 8208) (f64.const {number})) i32.const 8192"
    )
}

/// A fault as the answer of `read-property`: 3 is `invalid`, 5 `denied`, 6 `unavailable`, 7 `failed`.
pub(super) fn fault(discriminant: u8, pointer: u32, length: u32) -> String {
    format!(
        "(i32.store8 (i32.const 8192) (i32.const 1)) (i32.store8 (i32.const 8200) (i32.const {discriminant}))
         (i32.store (i32.const 8204) (i32.const {pointer})) (i32.store (i32.const 8208) (i32.const {length}))
         i32.const 8192"
    )
}

/// `running` as the answer of `invoke-action`.
pub(super) const RUNNING: &str = "(i32.store8 (i32.const 8200) (i32.const 1)) i32.const 8192";

/// The next wake as the answer of `wake`, in microseconds of the Thing's clock.
pub(super) fn wake_at(microseconds: &str) -> String {
    format!(
        "(i32.store8 (i32.const 8192) (i32.const 1)) (i64.store (i32.const 8200) (i64.const {microseconds}))
         i32.const 8192"
    )
}

/// Bytes in the guest's memory.
pub(super) fn bytes(guest: Guest, at: u32, bytes: &[u8]) -> Guest {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    guest.fields(&format!("(data (i32.const {at}) \"{escaped}\")"))
}

/// 16 pages, and 64 KiB of letters that are written at the start.
pub(super) fn letters(guest: Guest) -> Guest {
    guest
        .memory(r#"(memory (export "memory") 64)"#)
        .fields("(func $fill (memory.fill (i32.const 131072) (i32.const 120) (i32.const 3000000))) (start $fill)")
}

pub(super) fn log(guest: Guest) -> Guest {
    guest.import("log", "write", "(param i32 i32 i32)")
}

pub(super) fn event(guest: Guest) -> Guest {
    guest.import("emit", "event", "(param i32 i32 i32 i64 i32 i32 i32)")
}

pub(super) fn reading(guest: Guest) -> Guest {
    guest.import("emit", "reading", "(param i32 i32 i32 i64 i32 i32 i32 i64 i32 i64)")
}

pub(super) fn set(guest: Guest) -> Guest {
    guest.import("state", "set", "(param i32 i32 i32 i32 i32)")
}

/// Imports i2c, gpio, sysfs and things.
pub(super) fn devices(guest: Guest) -> Guest {
    guest
        .import("i2c", "transaction", "(param i32 i32 i32 i32 i32)")
        .import("gpio", "write", "(param i32 i32 i32)")
        .import("gpio", "watch", "(param i32 i32 i32)")
        .import("sysfs", "read", "(param i32 i32)")
}
