//! What a call gives back: answers, effects in order, state, the report.

use handler_host::{DroppedKind, Effect, LogLevel, Outcome, Quality, Signal, Value};
use uuid::Uuid;

use crate::guest::{Guest, ZEROS, call, setup, started};

const LOG: &str = "(call $write (i32.const 2) (i32.const 300) (i32.const 20))";
const EVENT: &str =
    "(call $event (i32.const 300) (i32.const 5) (i32.const 1) (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0))";
/// Sets `settings/interval` to the first two bytes of the memory's text.
pub(crate) const SET: &str =
    "(call $set (i32.const 256) (i32.const 17) (i32.const 300) (i32.const 2) (i32.const 2048))";

pub(crate) fn with_state(guest: Guest) -> Guest {
    guest.import("state", "set", "(param i32 i32 i32 i32 i32)")
}

fn with_log(guest: Guest) -> Guest {
    guest.import("log", "write", "(param i32 i32 i32)")
}

fn with_event(guest: Guest) -> Guest {
    guest.import("emit", "event", "(param i32 i32 i32 i64 i32 i32 i32)")
}

#[tokio::test]
async fn every_export_is_called_and_gives_the_instance_back() {
    let instance = Guest::new().start().await;
    let answer = instance.read_property("temperature", call(100)).await;
    let reading = answer.result.unwrap();
    assert_eq!((reading.value, reading.taken, reading.quality), (Value::Null, 0, Quality::Good));
    assert!(answer.effects.is_empty() && !answer.report.moved_to_background);
    let answer = answer.instance.unwrap().write_property("temperature", Value::Number(1.5), call(100)).await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().invoke_action("fade", Some(Value::Json("{}".into())), call(100)).await;
    assert_eq!(answer.result.unwrap(), Outcome::Done(None));
    let answer = answer.instance.unwrap().cancel_action(Uuid::now_v7()).await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().wake().await;
    assert_eq!(answer.result.unwrap(), None);
    let edge = handler_host::Edge { slot: 0, level: handler_host::Level::High, at: 1 };
    let answer = answer.instance.unwrap().on_signal(Signal::Edge(edge)).await;
    answer.result.unwrap();
    let answer = answer.instance.unwrap().stop().await;
    answer.result.unwrap();
    assert_eq!(answer.instance.unwrap().memory_bytes(), 3 * 64 * 1024);
}

#[tokio::test]
async fn effects_come_in_order() {
    let body = format!("{LOG} {SET} {EVENT} {ZEROS}");
    let guest = with_event(with_state(with_log(Guest::new()))).on("read-property", &body);
    let answer = guest.start().await.read_property("x", call(100)).await;
    answer.result.unwrap();
    assert_eq!(answer.report.host_calls, 3);
    let [Effect::Log { level, message, .. }, Effect::State { key, bytes }, Effect::Event { name, data }] =
        &answer.effects[..]
    else {
        panic!("{:?}", answer.effects)
    };
    assert_eq!((*level, message.as_str()), (LogLevel::Info, "hello from the guest"));
    assert_eq!((key.as_str(), bytes.as_deref()), ("settings/interval", Some(&b"he"[..])));
    assert_eq!((name.as_str(), data), ("hello", &Value::Boolean(true)));
    assert_eq!(answer.instance.unwrap().state()["settings/interval"], b"he");
}

#[tokio::test]
async fn too_many_effects_are_counted_and_dropped() {
    let many = |what: &str| {
        format!(
            "(global.set $heap (i32.const 1000)) (loop $again {what} (global.set $heap (i32.sub (global.get $heap) (i32.const 1))) (br_if $again (global.get $heap)))"
        )
    };
    let body = format!("{} {} {ZEROS}", many(LOG), many(EVENT));
    let guest = with_event(with_log(Guest::new())).on("wake", &body);
    let answer = guest.start().await.wake().await;
    answer.result.unwrap();
    assert_eq!(answer.effects.len(), 64 + 256 + 2);
    let dropped = &answer.effects[64 + 256..];
    assert_eq!(dropped[0], Effect::Dropped { what: DroppedKind::Log, count: 1_000 - 64 });
    assert_eq!(dropped[1], Effect::Dropped { what: DroppedKind::Event, count: 1_000 - 256 });
}

#[tokio::test]
async fn state_and_clock_are_those_of_the_setup() {
    let component = with_state(Guest::new()).on("wake", &format!("(i64.store offset=1032 (i32.const 0) (i64.add (local.get 0) (i64.const 7))) (i32.store8 offset=1024 (i32.const 0) (i32.const 1)) {ZEROS}")).load();
    let mut setup = setup(&component);
    setup.state.insert("a".into(), vec![1]);
    setup.clock = handler_host::ThingClock::resume(1_000_000);
    let instance = started(handler_host::HandlerInstance::start(setup, handler_host::Origin::Recovered, 100).await);
    assert_eq!(instance.state()["a"], [1]);
    let answer = instance.wake().await;
    let next = answer.result.unwrap().unwrap();
    assert!((1_000_007..60_000_000).contains(&next), "{next}");
}
