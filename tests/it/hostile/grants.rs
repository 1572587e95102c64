//! Devices, registers, lines, files and Things that were not granted. A guest traps here if it ever gets what it asks for:
//! an answer says that it did not.

use super::{
    case::{Case, MODEL, OK},
    words::{devices, guest},
    written::{Guest, ZEROS},
};

const ANSWERS: u32 = 2048;

pub(super) fn cases() -> Vec<Case> {
    [wants(), slots()].concat()
}

/// The corpus's Thing Model with these wants.
fn model(wants: &str) -> String {
    MODEL.replacen(r#""title""#, &format!(r#""tidegate:wants": [{wants}], "title""#), 1)
}

fn wants() -> Vec<Case> {
    let wanting = |name: &str, wants: &str| Case::bytes(name, guest().model(&model(wants)).component());
    let imports = |name: &str, guest: Guest| Case::of(name, guest).refused("was not granted");
    vec![
        imports("a bus that no want names", guest().import("i2c", "transaction", "(param i32 i32 i32 i32 i32)")),
        imports("lines that no want names", guest().import("gpio", "write", "(param i32 i32 i32)")),
        imports("files that no want names", guest().import("sysfs", "read", "(param i32 i32)")),
        wanting("a want that was not granted", r#"{"label": "coil", "kind": "gpio"}"#).forbidden("coil (gpio)"),
        wanting("a grant of another kind", r#"{"label": "chip", "kind": "gpio"}"#).forbidden("chip (gpio)"),
        wanting("a label of markup", r#"{"label": "<script>\u001b[2J", "kind": "gpio"}"#).forbidden("gpio"),
    ]
}

/// It was granted the button's line, one chip with one register to write, and one file.
fn slots() -> Vec<Case> {
    let transaction = |slot: u32, address: u32, at: u32, count: u32| {
        format!(
            "(call $transaction (i32.const {slot}) (i32.const {address}) (i32.const {at}) (i32.const {count})
             (i32.const {ANSWERS}))"
        )
    };
    // Operations: `write` of two bytes to register 0xE0 at 4096, `read` of 4 GiB at 4112, of 32 KiB at
    // 4160, for which a real bus would not be anybody else's for seconds.
    let operations = r#"(data (i32.const 4096) "\01\00\00\00\80\10\00\00\02\00\00\00") (data (i32.const 4224) "\e0\b6")
        (data (i32.const 4112) "\00\00\00\00\ff\ff\ff\ff")
        (data (i32.const 4160) "\00\00\00\00\00\80\00\00")"#;
    let tries = |name: &str, call: &str| {
        let trap_if_ok = format!("(if (i32.eqz (i32.load8_u (i32.const {ANSWERS}))) (then unreachable))");
        let guest = devices(guest())
            .import("things", "read", "(param i32 i32 i32 i32)")
            .import("things", "subscribe", "(param i32 i32 i32 i32)")
            .fields(operations)
            .on("read-property", &format!("{call} {trap_if_ok} {ZEROS}"));
        let wants = r#"{"label": "button", "kind": "gpio"}, {"label": "chip", "kind": "i2c"},
            {"label": "file", "kind": "sysfs"}"#;
        let bytes = guest.model(&model(wants)).component();
        Case::bytes(name, bytes).read(&[OK]).times(2)
    };
    let answers = |call: &str| format!("({call} (i32.const {ANSWERS}))");
    vec![
        tries("another address on its bus", &transaction(1, 0x40, 4112, 0)),
        tries("a register that was not granted", &transaction(1, 0x76, 4096, 1)),
        tries("a read of 4 GiB", &transaction(1, 0x76, 4112, 1)),
        tries("a read of 32 KiB", &transaction(1, 0x76, 4160, 1)),
        tries("an address of no chip", &transaction(1, 0xffff, 4112, 0)),
        tries("a slot of another kind", &transaction(0, 0x76, 4112, 0)),
        tries("a slot that there is not", &transaction(7, 0x76, 4112, 0)),
        tries("the last slot of all", &transaction(u32::MAX, 0x76, 4112, 0)),
        tries("writing a line that is an input", &answers("call $write (i32.const 0) (i32.const 1)")),
        tries("watching a file", &answers("call $watch (i32.const 2) (i32.const 2)")),
        tries("reading a chip as a file", &answers("call $file (i32.const 1)")),
        tries("another Thing", &answers("call $thing (i32.const 0) (i32.const 300) (i32.const 5)")),
        tries("another Thing's events", &answers("call $subscribe (i32.const 0) (i32.const 300) (i32.const 5)")),
    ]
}
