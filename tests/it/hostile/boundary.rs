//! Pointers, lengths, discriminants and encodings that are lies: the canonical ABI checks each, and the call ends as a trap.

use super::{
    case::{BEGUN, Case, OK, TRAP},
    words::{armed, bytes, devices, event, fault, guest, json, letters, log, set, text, value},
    written::{Guest, ZEROS},
};

/// 4 GiB less a byte.
const ALL: u32 = u32::MAX;
/// Three pages: the end of the memory.
const END: u32 = 3 << 16;
const ARM: &str = "(global.set $armed (i32.const 1)) i32.const 1024";

pub(super) fn cases() -> Vec<Case> {
    [answers(), host_calls(), allocations()].concat()
}

fn reads(name: &str, guest: Guest, body: &str) -> Case {
    Case::of(name, guest.on("read-property", body)).read(&[TRAP]).times(2)
}

/// What an export answers.
fn answers() -> Vec<Case> {
    let of = |name: &str, body: &str| reads(name, guest(), body);
    vec![
        of("a text of 4 GiB", &text(0, ALL)),
        of("a text beyond the memory", &text(END, 1)),
        of("a text across the end of the memory", &text(END - 1, 2)),
        of("a text whose end wraps around", &text(ALL, 2)),
        of("JSON of 4 GiB", &json(16, ALL)),
        of("a medium's type of 4 GiB", &value(5, 0, ALL)),
        of("a fault of 4 GiB", &fault(7, 0, ALL)),
        of("a fault beyond the memory", &fault(3, END, 8)),
        of("an answer beyond the memory", &format!("i32.const {END}")),
        of("an answer at the end of the address space", "i32.const -8"),
        of("an answer that is not aligned", "i32.const 8193"),
        of("a result that is neither", "(i32.store8 (i32.const 8192) (i32.const 7)) i32.const 8192"),
        of("a value of no kind", &value(99, 0, 0)),
        of("a quality of no kind", "(i32.store8 (i32.const 8232) (i32.const 9)) i32.const 8192"),
        reads("a text that is no UTF-8", bytes(guest(), 4096, b"\xff\xfe\x80"), &text(4096, 3)),
        reads("half a character", bytes(guest(), 4096, "é".as_bytes()), &text(4096, 1)),
        reads("a surrogate", bytes(guest(), 4096, b"\xed\xa0\x80"), &text(4096, 3)),
        // 4 MiB is what an answer may carry.
        reads("a text of 8 MiB", guest().memory(r#"(memory (export "memory") 200)"#), &text(0, 8 << 20)),
    ]
}

/// What it hands to the host.
fn host_calls() -> Vec<Case> {
    let of = |name: &str, guest: Guest, call: &str| reads(name, guest, &format!("{call} {ZEROS}"));
    let logs = |name: &str, call: &str| of(name, log(guest()), call);
    let list = "(call $transaction (i32.const 0) (i32.const 118) (i32.const 0) (i32.const -1) (i32.const 2048))";
    let with_chip = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "Hostile", "properties": {"value": {}},
        "tidegate:wants": [{"label": "chip", "kind": "i2c"}, {"label": "button", "kind": "gpio"},
            {"label": "file", "kind": "sysfs"}]}"#;
    let chip = devices(guest()).on("read-property", &format!("{list} {ZEROS}")).model(with_chip).component();
    vec![
        logs("a log line of 4 GiB", "(call $write (i32.const 2) (i32.const 0) (i32.const -1))"),
        logs("a log line beyond the memory", "(call $write (i32.const 2) (i32.const 196608) (i32.const 1))"),
        logs("a log line of no level", "(call $write (i32.const 9) (i32.const 300) (i32.const 5))"),
        of(
            "a log line that is no UTF-8",
            bytes(log(guest()), 4096, b"\xc3\x28"),
            "(call $write (i32.const 2) (i32.const 4096) (i32.const 2))",
        ),
        of(
            "an event's name of 4 GiB",
            event(guest()),
            "(call $event (i32.const 0) (i32.const -1) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        ),
        of(
            "an event's text of 4 GiB",
            event(guest()),
            "(call $event (i32.const 300) (i32.const 5) (i32.const 4) (i64.const 0) (i32.const -1) (i32.const 0) (i32.const 0))",
        ),
        of(
            "a key of 4 GiB",
            set(guest()),
            "(call $set (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 2048))",
        ),
        of(
            "4 GiB under a key",
            set(guest()),
            "(call $set (i32.const 256) (i32.const 17) (i32.const 0) (i32.const -1) (i32.const 2048))",
        ),
        of(
            "an answer of the host beyond the memory",
            set(guest()),
            "(call $set (i32.const 256) (i32.const 17) (i32.const 0) (i32.const 1) (i32.const -4))",
        ),
        of(
            "an answer of the host that is not aligned",
            set(guest()),
            "(call $set (i32.const 256) (i32.const 17) (i32.const 0) (i32.const 1) (i32.const 2049))",
        ),
        Case::bytes("4 GiB of operations on a bus", chip).read(&[TRAP]).times(2),
    ]
}

/// What it answers when the host asks it for room, and what it does meanwhile.
fn allocations() -> Vec<Case> {
    let usual = "(global.set $heap (i32.add (global.get $heap) (i32.const 4096))) (global.get $heap)";
    let in_service = |name: &str, guest: Guest, wrong: &str| {
        let realloc = format!("{} {usual}", armed(wrong));
        Case::of(name, guest.on("invoke-action", ARM).realloc(&realloc)).invoke(&[OK, BEGUN]).read(&[TRAP])
    };
    let speaks = "(call $write (i32.const 2) (i32.const 300) (i32.const 5))";
    vec![
        Case::of("room beyond the memory", guest().realloc("i32.const -16")).refused("rehearsal"),
        Case::of("room that is not aligned", guest().realloc("i32.const 65537")).refused("rehearsal"),
        in_service("room beyond the memory, in service", guest(), "(return (i32.const -16))"),
        in_service("a host call while the host asks for room", log(guest()), speaks),
        {
            let export = "cabi_post_tidegate:thing/handler@1.0.0#read-property";
            let guest = log(guest()).fields(&format!(r#"(func (export "{export}") (param i32) {speaks})"#));
            Case::of("a host call after the answer", guest).read(&[TRAP]).times(2)
        },
        // It may overwrite what is its own: it harms itself alone.
        Case::of("room in its own texts", letters(guest()).realloc("i32.const 256")).read(&[OK]),
    ]
}
