//! Real handlers: the laboratory and the relay, compiled by `handler-build` once for this process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use handler_build::{BuildRequest, build};
use handler_host::{
    Answer, Effect, HandlerComponent, HandlerError, HandlerInstance, Level, Origin, Outcome, Signal, Value,
};
use things::{Board, Grant, Hardware};

use crate::guest::{call, engine, setup, setup_with, started};

fn compiled(package: &str) -> HandlerComponent {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = build(&BuildRequest::of_package(workspace, package)).unwrap();
    engine().load(&built.bytes).unwrap()
}

fn laboratory() -> &'static HandlerComponent {
    static COMPILED: OnceLock<HandlerComponent> = OnceLock::new();
    COMPILED.get_or_init(|| compiled("laboratory"))
}

fn relay() -> &'static HandlerComponent {
    static COMPILED: OnceLock<HandlerComponent> = OnceLock::new();
    COMPILED.get_or_init(|| compiled("relay"))
}

async fn start_laboratory(misbehave: Option<&str>) -> Answer<()> {
    let mut set_up = setup(laboratory());
    let setting = |how: &str| ("misbehave".to_owned(), Value::Text(how.to_owned()));
    set_up.config.settings.extend(misbehave.map(setting));
    HandlerInstance::start(set_up, Origin::Fresh, 200).await
}

#[tokio::test]
async fn the_laboratory_answers() {
    let instance = started(start_laboratory(None).await);
    let answer = instance.read_property("statistics", call(1_000)).await;
    assert!(matches!(answer.result.unwrap().value, Value::Json(json) if json.starts_with('{')));
    let answer = answer.instance.unwrap().write_property("counter", Value::Integer(7), call(1_000)).await;
    answer.result.unwrap();
    assert!(answer.effects.iter().any(|effect| matches!(effect, Effect::State { .. })), "{:?}", answer.effects);
    let instance = answer.instance.unwrap();
    assert_eq!(instance.state().len(), 1);
    let sum = Value::Json(r#"{"a":2,"b":40}"#.into());
    let answer = instance.invoke_action("add", Some(sum), call(1_000)).await;
    let mut outcome = answer.result.unwrap();
    let mut instance = answer.instance.unwrap();
    if outcome == Outcome::Running {
        let answer = instance.wake().await;
        answer.result.unwrap();
        outcome = answer.effects.into_iter().find_map(done).unwrap();
        instance = answer.instance.unwrap();
    }
    assert_eq!(outcome, Outcome::Done(Some(Value::Integer(42))));
    instance.stop().await.result.unwrap();
}

fn done(effect: Effect) -> Option<Outcome> {
    if let Effect::Done { result, .. } = effect { Some(Outcome::Done(result.unwrap())) } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn endless_loops_end_at_their_budgets_wherever_they_are() {
    let ends = |error: Option<HandlerError>| assert!(matches!(error, Some(HandlerError::Deadline { .. })), "{error:?}");
    ends(start_laboratory(Some("start:loop")).await.result.err());
    ends(started(start_laboratory(Some("read:loop")).await).read_property("noop", call(50)).await.result.err());
    ends(started(start_laboratory(Some("wake:loop")).await).wake().await.result.err());
    ends(started(start_laboratory(Some("read:delay")).await).read_property("noop", call(50)).await.result.err());
}

#[tokio::test]
async fn what_a_handler_does_wrong_is_told_apart() {
    let read = async |how: &str| started(start_laboratory(Some(how)).await).read_property("noop", call(2_000)).await;
    let answer = read("read:trap").await;
    assert!(matches!(answer.result, Err(HandlerError::Trap { .. })), "{:?}", answer.result);
    let answer = read("read:allocate").await;
    assert!(matches!(answer.result, Err(HandlerError::MemoryLimit { .. })), "{:?}", answer.result);
    let answer = read("read:recurse").await;
    assert!(matches!(answer.result, Err(HandlerError::Trap { .. })), "{:?}", answer.result);
    let answer = read("read:storm-event").await;
    answer.result.unwrap();
    assert!(matches!(answer.effects.last(), Some(Effect::Dropped { count: 90_000.., .. })));
}

#[tokio::test]
async fn the_relay_drives_its_line() {
    let board = Board::new();
    let hardware = Hardware::new(Some(board));
    let grant = serde_json::json!({"kind": "gpio", "chip": "board:gpio", "line": 17, "direction": "output"});
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let slot = hardware.claim("pump", "coil", &grant).unwrap();
    let slots = HashMap::from([("coil".to_owned(), slot.clone())]);
    let (set_up, _signals) = setup_with(relay(), slots).unwrap();
    let answer = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await).wake().await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().write_property("on", Value::Boolean(true), call(1_000)).await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().read_property("on", call(1_000)).await;
    assert_eq!(answer.result.unwrap().value, Value::Boolean(true));
    let things::Slot::Gpio(line) = slot else { panic!("a line") };
    assert_eq!(line.read().await.unwrap(), things::Level::High);
}

#[tokio::test]
async fn edges_reach_the_handler_as_signals() {
    let board = Board::new();
    let hardware = Hardware::new(Some(board.clone()));
    let grant =
        serde_json::json!({"kind": "gpio", "chip": "board:gpio", "line": 22, "direction": "input", "active-low": true});
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let slots = HashMap::from([("button".to_owned(), hardware.claim("test", "button", &grant).unwrap())]);
    let (set_up, mut signals) = setup_with(laboratory(), slots).unwrap();
    let answer = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await).wake().await;
    answer.result.unwrap();
    board.press("button", 1).unwrap();
    let signal = tokio::time::timeout(Duration::from_secs(5), signals.recv()).await.unwrap().unwrap();
    assert!(matches!(&signal, Signal::Edge(edge) if edge.level == Level::High || edge.level == Level::Low));
    let answer = answer.instance.unwrap().on_signal(signal).await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().wake().await;
    assert!(answer.effects.iter().any(|effect| matches!(effect, Effect::Reading { name, .. } if name == "edges")));
}
