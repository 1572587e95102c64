//! More of everything than anybody needs: host calls, log lines, events, readings, keys, wakes, running actions. What is
//! beyond a bound is dropped and counted, or refused; the call itself may be good.

use super::{
    case::{BEGUN, Case, DEADLINE, MODEL, OK, OVERLOADED, Promise, Strike, TRAP, WRITTEN},
    words::{LETTERS, RUNNING, event, guest, letters, log, reading, set, times, wake_at},
    written::{Guest, ZEROS},
};

/// A slow machine may end a storm at its budget before it is over.
const OVER: [Promise; 2] = [OK, DEADLINE];
/// 4 KiB of a log line.
const LINE: &str = "(call $write (i32.const 2) (i32.const 131072) (i32.const 4096))";
const EVENT: &str = "(call $event (i32.const 4096) (i32.const 5) (i32.const 4) (i64.const 131072) (i32.const 15000) (i32.const 0) (i32.const 0))";
const READING: &str = "(call $reading (i32.const 4112) (i32.const 5) (i32.const 4) (i64.const 131072) (i32.const 15000) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 1000))";
const NAMES: &str =
    r#"(data (i32.const 4096) "storm") (data (i32.const 4112) "quiet") (data (i32.const 4128) "nobody")"#;

pub(super) fn cases() -> Vec<Case> {
    [in_a_call(), in_every_wake(), vec![of_readings()], of_state(), of_actions()].concat()
}

/// One call does it 20,000 times.
fn in_a_call() -> Vec<Case> {
    let many = |name: &str, guest: Guest, call: &str| {
        let body = format!("{} {ZEROS}", times(20_000, call));
        Case::of(name, guest.on("read-property", &body)).read(&OVER).times(3)
    };
    let named = |guest: Guest| letters(guest).fields(NAMES);
    let unknown = EVENT.replacen("i32.const 4096", "i32.const 4128", 1).replacen("i32.const 5", "i32.const 6", 1);
    let progress = "(call $progress (i64.const 7) (i64.const 7) (i32.const 4) (i64.const 131072) (i32.const 9000) (i32.const 0) (i32.const 0))";
    let done = "(call $done (i64.const 7) (i64.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    vec![
        many("log lines", log(letters(guest())), LINE),
        many("events", event(named(guest())), EVENT),
        many("events that the model does not know", event(named(guest())), &unknown),
        many("readings", reading(named(guest())), READING),
        many(
            "progress of nothing",
            named(guest()).import("emit", "progress", "(param i64 i64 i32 i64 i32 i32 i32)"),
            progress,
        ),
        many(
            "results of nothing",
            named(guest()).import("emit", "done", "(param i64 i64 i32 i32 i32 i64 i32 i32 i32)"),
            done,
        ),
        many("looks at the clock", guest().import("clock", "now", "(result i64)"), "(drop (call $now))"),
        many("random numbers", guest().import("clock", "random", "(result i64)"), "(drop (call $random))"),
        many("short delays", guest().import("clock", "delay", "(param i32)"), "(call $delay (i32.const 90))"),
        Case::of(
            "a delay of an hour",
            guest()
                .import("clock", "delay", "(param i32)")
                .on("read-property", "(call $delay (i32.const -1)) i32.const 1024"),
        )
        .read(&[DEADLINE])
        .times(3),
        Case::of(
            "copies of its memory",
            letters(guest()).on(
                "read-property",
                &format!(
                    "{} {ZEROS}",
                    times(10_000, "(memory.copy (i32.const 131072) (i32.const 131073) (i32.const 3000000))")
                ),
            ),
        )
        .read(&[DEADLINE])
        .times(2),
    ]
}

/// It wants to be woken at once, always, and does this each time.
fn in_every_wake() -> Vec<Case> {
    let each = |name: &str, guest: Guest, body: &str| {
        // Reads find their turn all the while; one that is refused says when to ask again.
        Case::of(name, guest.on("wake", &format!("{body} {}", wake_at("0")))).read(&[OK, OVERLOADED]).times(150)
    };
    let named = |guest: Guest| letters(guest).fields(NAMES);
    let key = "(call $set (i32.const 256) (i32.const 8) (i32.const 131072) (i32.const 60000) (i32.const 2048))";
    vec![
        each("a wake every 0 ms", guest(), ""),
        each("64 log lines in each wake", log(letters(guest())), &times(64, LINE)),
        each("events in each wake", event(named(guest())), &times(200, EVENT)),
        each("readings in each wake", reading(named(guest())), &times(200, READING)),
        each("state in each wake", set(letters(guest())), key),
        each("what the model forbids in each wake", event(named(guest())), &{
            let unknown = EVENT.replacen("i32.const 4096", "i32.const 4128", 1);
            times(200, &unknown.replacen("i32.const 5", "i32.const 6", 1))
        }),
        Case::of("a wake at the end of time", guest().on("wake", &wake_at("-1"))).read(&[OK]),
    ]
}

/// A megabyte under each of its names, in turn.
fn of_readings() -> Case {
    let names: String = (0..8).map(|at| format!(r#""p{at}": {{}},"#)).collect();
    let model = MODEL.replacen(r#""quiet""#, &format!(r#"{names} "quiet""#), 1);
    let name = "(i32.add (i32.const 4096) (i32.shl (i32.and (global.get $count) (i32.const 7)) (i32.const 1)))";
    let body = format!(
        "(call $reading {name} (i32.const 2) (i32.const 4) (i64.const 131072) (i32.const 1000000) (i32.const 0)
         (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 1000000))
         (global.set $count (i32.add (global.get $count) (i32.const 1))) {ZEROS}"
    );
    let guest = letters(guest()).fields(r#"(data (i32.const 4096) "p0p1p2p3p4p5p6p7")"#);
    let component = reading(guest).on("read-property", &body).model(&model).component();
    Case::bytes("megabytes of readings", component)
        .read(&[OK])
        .times(8)
        .strike(Strike::Faults, &[OK])
        .says("bytes of readings, which are kept")
}

/// Keys: 256 of them, 1 MiB in all; what is beyond is refused, and the call that goes on trying ends well.
fn of_state() -> Vec<Case> {
    // The key is the counter's four bytes, made letters.
    let key = "(i32.store (i32.const 4096) (i32.or (i32.and (global.get $count) (i32.const 0x0f0f0f0f)) (i32.const 0x40404040)))
        (i32.store (i32.const 4100) (i32.or (i32.and (i32.shr_u (global.get $count) (i32.const 4)) (i32.const 0x0f0f0f0f)) (i32.const 0x40404040)))";
    let sets = |size: u32| {
        format!(
            "{key} (call $set (i32.const 4096) (i32.const 8) (i32.const {LETTERS}) (i32.const {size}) (i32.const 2048))"
        )
    };
    let writes = |name: &str, size| {
        let body = format!("{} {ZEROS}", times(5_000, &sets(size)));
        Case::of(name, set(letters(guest())).on("write-property", &body))
            .write(&[WRITTEN, DEADLINE])
            .times(2)
            .read(&[OK])
    };
    let deletes = guest()
        .import("state", "delete", "(param i32 i32)")
        .on("read-property", &format!("{} {ZEROS}", times(20_000, "(call $delete (i32.const 256) (i32.const 8))")));
    let lists = guest().import("state", "keys", "(param i32)").on(
        "read-property",
        &format!("{} {ZEROS}", times(2_000, "(global.set $heap (i32.const 65536)) (call $keys (i32.const 2048))")),
    );
    vec![
        writes("a storm of keys", 10),
        writes("a storm of large keys", 60_000),
        // A deletion has no fault to answer with: one beyond the bound of a call ends it.
        Case::of("a storm of deletions", deletes).read(&[TRAP, DEADLINE]).times(2),
        Case::of("lists of keys", lists).read(&OVER).times(2),
    ]
}

/// Actions that never end.
fn of_actions() -> Vec<Case> {
    vec![
        Case::of("actions that never end", guest().on("invoke-action", RUNNING))
            .invoke(&[BEGUN])
            .times(64)
            .invoke(&[OVERLOADED])
            .times(3)
            .strike(Strike::Cancel, &[WRITTEN])
            .read(&[OK]),
    ]
}
