//! What a handler can reach: granted slots only, after its start only, and edges as signals.

use std::collections::HashMap;
use std::time::Duration;

use handler_host::{HandlerError, HandlerInstance, Level, Origin, Signal};
use things::{Board, Grant, Hardware, Slot};

use crate::guest::{Guest, ZEROS, call, setup, setup_with, started};

const WANTS: &str =
    r#"{"tidegate:wants":[{"label":"lamp","kind":"pwm","optional":true},{"label":"button","kind":"gpio"}]}"#;
/// `watch(1, both)`, then the answer's discriminant as the reading's value: `integer(0)` for `ok`, `integer(1)` for an error.
const WATCH: &str = "(call $watch (i32.const 1) (i32.const 2) (i32.const 2048)) (i32.store8 (i32.const 1032) (i32.const 2)) (i64.store (i32.const 1040) (i64.load8_u (i32.const 2048)))";

fn watcher() -> Guest {
    Guest::new()
        .import("gpio", "watch", "(param i32 i32 i32)")
        .model(WANTS)
        .on("read-property", &format!("{WATCH} {ZEROS}"))
}

fn button(hardware: &Hardware) -> HashMap<String, Slot> {
    let grant: Grant = toml_grant();
    HashMap::from([("button".to_owned(), hardware.claim("test", "button", &grant).unwrap())])
}

fn toml_grant() -> Grant {
    serde_json::from_value(
        serde_json::json!({"kind": "gpio", "chip": "board:gpio", "line": 22, "direction": "input", "active-low": true}),
    )
    .unwrap()
}

#[test]
fn a_want_that_is_not_granted_is_refused_by_its_label() {
    let Err(error) = setup_with(&watcher().load(), HashMap::new()) else { panic!("started without its button") };
    assert!(matches!(&error, HandlerError::Denied { capability } if capability == "button (gpio)"), "{error:?}");
}

#[tokio::test]
async fn an_import_without_a_want_is_refused() {
    let guest = Guest::new().import("i2c", "transaction", "(param i32 i32 i32 i32 i32)");
    let answer = HandlerInstance::start(setup(&guest.load()), Origin::Fresh, 100).await;
    assert!(answer.instance.is_none());
    assert!(
        matches!(&answer.result, Err(HandlerError::Denied { capability }) if capability == "tidegate:thing/i2c@1.0.0")
    );
}

#[tokio::test]
async fn edges_of_a_watched_line_are_signals_of_this_instance() {
    let board = Board::new();
    let hardware = Hardware::new(Some(board.clone()));
    let (set_up, mut signals) = setup_with(&watcher().load(), button(&hardware)).unwrap();
    let capabilities = set_up.capabilities.clone();
    let instance = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await);
    let answer = instance.read_property("x", call(1_000)).await;
    assert_eq!(answer.result.unwrap().value, handler_host::Value::Integer(0));
    board.press("button", 1).unwrap();
    for level in [Level::High, Level::Low] {
        let signal = tokio::time::timeout(Duration::from_secs(5), signals.recv()).await.unwrap().unwrap();
        assert!(matches!(signal, Signal::Edge(edge) if edge.slot == 1 && edge.level == level), "{signal:?}");
    }
    assert_eq!(capabilities.signals_lost(), 0);
}

#[tokio::test]
async fn devices_are_busy_in_a_rehearsal_and_in_start() {
    let hardware = Hardware::new(Some(Board::new()));
    let rejects = format!(
        "{WATCH} (if (i64.eqz (i64.load (i32.const 1040))) (then unreachable)) (i64.store (i32.const 1032) (i64.const 0)) (i64.store (i32.const 1040) (i64.const 0)) {ZEROS}"
    );
    let (mut set_up, _signals) = setup_with(&watcher().on("start", &rejects).load(), button(&hardware)).unwrap();
    started(HandlerInstance::start(set_up.clone(), Origin::Swapped, 1_000).await);
    set_up.capabilities = set_up.capabilities.rehearsal();
    let instance = started(HandlerInstance::start(set_up, Origin::Swapped, 1_000).await);
    let answer = instance.read_property("x", call(100)).await;
    assert_eq!(answer.result.unwrap().value, handler_host::Value::Integer(1));
}
