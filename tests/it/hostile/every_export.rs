//! Each export loops, traps, recurses without end, or takes all memory: its caller is told which, and nobody else hears of it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::Site;

use super::{
    case::{BEGUN, Case, DEADLINE, FAILED, OK, Promise, SUSPENDED, Strike, TRAP, UNKNOWN, WRITTEN},
    words::{BOMB, RECURSE, RUNNING, armed, guest},
    written::{Guest, SPIN, ZEROS},
};

const ARM: &str = "(global.set $armed (i32.const 1))";
/// The button is the Thing's; other wants it has none.
const LISTENS: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "Hostile", "properties": {"value": {}},
    "tidegate:wants": [{"label": "button", "kind": "gpio"}]}"#;

/// What an export does, and what its caller gets for it.
const WAYS: [(&str, &str, Promise); 4] = [
    ("loops", SPIN, DEADLINE),
    ("traps", "unreachable", TRAP),
    ("recurses", RECURSE, TRAP),
    ("takes all memory", BOMB, FAILED),
];

pub(super) fn cases() -> Vec<Case> {
    WAYS.into_iter().flat_map(|(way, body, promise)| of_way(way, body, promise)).collect()
}

fn of_way(way: &str, body: &str, promise: Promise) -> Vec<Case> {
    let named = |place: &str, guest: Guest| Case::of(&format!("{place} {way}"), guest);
    let on = |export, body: &str| guest().on(export, body);
    let then = |body: &str| format!("{body} {ZEROS}");
    vec![
        named("a read", on("read-property", body)).read(&[promise]).times(2),
        named("a write", on("write-property", body)).write(&[promise]).times(2).read(&[OK]),
        named("an invocation", on("invoke-action", body)).invoke(&[promise]).times(2).read(&[OK]),
        named("a cancelling", on("cancel-action", body).on("invoke-action", RUNNING))
            .invoke(&[BEGUN])
            // The action ends with its handler, whatever that says to it: what was wanted.
            .strike(Strike::Cancel, &[WRITTEN])
            .strike(Strike::Cancel, &[UNKNOWN])
            .read(&[OK]),
        // A write is answered before the handler is woken.
        named("a wake", on("write-property", &then(ARM)).on("wake", &then(&armed(body)))).write(&[WRITTEN]).read(&[OK]),
        on_signal(way, body),
        named("a start", on("start", body)).refused("rehearsal"),
        named("a start function", guest().fields(&format!("(func $boot {body}) (start $boot)"))).refused("rehearsal"),
        // Origin 3 is `recovered`: it starts well while it is rehearsed, and no more when it was lost.
        named("a start after a loss", {
            let recovers = format!("(if (i32.eq (local.get 6) (i32.const 3)) (then {body}))");
            on("start", &then(&recovers)).on("read-property", "unreachable")
        })
        .read(&[TRAP])
        .strike(Strike::Stands("crash-loop"), &[])
        .read(&[SUSPENDED])
        .strike(Strike::Describe, &[OK]),
        named("a realloc", guest().realloc(body)).refused("rehearsal"),
        named("a realloc in service", {
            let answers = "(global.set $heap (i32.add (global.get $heap) (i32.const 4096))) (global.get $heap)";
            on("invoke-action", &then(ARM)).realloc(&format!("{} {answers}", armed(body)))
        })
        .strike(Strike::Invoke("go", serde_json::Value::Null), &[BEGUN, OK])
        .read(&[promise]),
        named("a post-return", {
            let export = "cabi_post_tidegate:thing/handler@1.0.0#read-property";
            guest().fields(&format!(r#"(func (export "{export}") (param i32) {body})"#))
        })
        .read(&[promise])
        .times(2),
    ]
}

fn on_signal(way: &str, body: &str) -> Case {
    let watches = format!("(call $watch (i32.const 0) (i32.const 2) (i32.const 2048)) {ZEROS}");
    let guest = guest()
        .import("gpio", "watch", "(param i32 i32 i32)")
        .on("wake", &watches)
        .on("on-signal", body)
        .on("read-property", ZEROS);
    Case::bytes(&format!("a signal {way}"), guest.model(LISTENS).component())
        .strike(Strike::Press, &[WRITTEN, OK])
        .read(&[OK, SUSPENDED])
}

/// A handler whose `stop` does not end: the gateway does all the same, within the time that it gives a stop.
pub(super) fn stops() -> Result<()> {
    for (way, body, _) in WAYS {
        let mut site = Site::new()?;
        let component = guest().on("stop", body).model(super::case::MODEL).component();
        std::fs::write(site.own_handlers()?.join("last.wasm"), component)?;
        site.thing("victim", "handler = \"last\"\n")?;
        let gateway = site.start()?;
        gateway.client().get("/things/victim/properties/value")?.expect(200)?;
        let began = Instant::now();
        let (status, _) = gateway.stop()?;
        ensure!(status.success(), "a stop {way}: {status}");
        ensure!(began.elapsed() < Duration::from_secs(15), "a stop {way}: {:?}", began.elapsed());
    }
    Ok(())
}
