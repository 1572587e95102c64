//! How an instance is lost: by a trap, at its memory limit, by recursion; and what is left of it.

use handler_host::{Effect, HandlerError, HandlerInstance, Limits, Origin};

use crate::calls::{SET, with_state};
use crate::guest::{Guest, ZEROS, call, setup, started};

const LOG: &str = "(call $write (i32.const 4) (i32.const 300) (i32.const 20))";

#[tokio::test]
async fn a_trap_takes_the_instance_and_its_state_changes_and_leaves_its_last_words() {
    let guest = with_state(Guest::new())
        .import("log", "write", "(param i32 i32 i32)")
        .on("read-property", &format!("{SET} {LOG} unreachable"));
    let mut set_up = setup(&guest.load());
    set_up.state.insert("settings/interval".into(), b"before".to_vec());
    let state = set_up.state.clone();
    let instance = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await);
    let answer = instance.read_property("x", call(100)).await;
    assert!(answer.instance.is_none());
    let Err(HandlerError::Trap { export, reason, frames }) = answer.result else { panic!("{:?}", answer.result) };
    assert_eq!(export, "read-property");
    assert!(reason.contains("unreachable"), "{reason}");
    assert!(!frames.is_empty() && frames.len() <= 8, "{frames:?}");
    assert!(matches!(&answer.effects[..], [Effect::Log { .. }]), "{:?}", answer.effects);
    assert_eq!(answer.salvaged, Some(state));
}

#[tokio::test]
async fn what_a_faulting_call_wrote_stays() {
    // `err(busy)`: result discriminant 1, fault discriminant 4 at offset 8 (payloads of `reading` align to 8).
    let body = format!(
        "{SET} (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1032) (i32.const 4)) {ZEROS}"
    );
    let answer = with_state(Guest::new()).on("read-property", &body).start().await.read_property("x", call(100)).await;
    assert!(matches!(answer.result, Err(HandlerError::Fault(handler_host::Fault::Busy))), "{:?}", answer.result);
    assert_eq!(answer.instance.unwrap().state()["settings/interval"], b"he");
}

#[tokio::test]
async fn a_memory_bomb_ends_at_its_limit() {
    // Grows by a page until it is refused, then gives up as a guest's allocator does.
    let body = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let answer = Guest::new().on("wake", body).start().await.wake().await;
    assert!(answer.instance.is_none());
    assert!(
        matches!(answer.result, Err(HandlerError::MemoryLimit { memory_bytes_max: 16_777_216 })),
        "{:?}",
        answer.result
    );
}

#[tokio::test]
async fn a_memory_that_is_too_large_from_the_start_is_no_instance() {
    let component = Guest::new().memory(r#"(memory (export "memory") 300)"#).load();
    let answer = HandlerInstance::start(setup(&component), Origin::Fresh, 1_000).await;
    assert!(answer.instance.is_none());
    assert!(matches!(answer.result, Err(HandlerError::BadComponent { .. })), "{:?}", answer.result);
}

#[tokio::test]
async fn room_that_is_not_there_is_a_trap() {
    let component = Guest::new().realloc("i32.const -16").load();
    let answer = HandlerInstance::start(setup(&component), Origin::Fresh, 1_000).await;
    assert!(matches!(answer.result, Err(HandlerError::Trap { export: "start", .. })), "{:?}", answer.result);
}

#[tokio::test]
async fn a_refused_growth_alone_is_no_loss() {
    let body = format!("(drop (memory.grow (i32.const 1000))) {ZEROS}");
    let answer = Guest::new().on("wake", &body).start().await.wake().await;
    answer.result.unwrap();
    assert_eq!(answer.instance.unwrap().memory_bytes(), 3 * 64 * 1024);
}

#[tokio::test]
async fn a_thing_that_is_allowed_more_than_a_slot_gets_it() {
    let component = Guest::new().on("wake", &format!("(drop (memory.grow (i32.const 512))) {ZEROS}")).load();
    let mut set_up = setup(&component);
    set_up.limits = Limits { memory_bytes_max: 64 << 20, ..Limits::default() };
    let answer = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await).wake().await;
    assert_eq!(answer.instance.unwrap().memory_bytes(), 515 * 64 * 1024);
}

#[tokio::test]
async fn recursion_without_end_is_a_trap() {
    let body = "(call_indirect (type $self) (i64.const 0) (i32.const 0))";
    let guest = Guest::new()
        .on("wake", body)
        .fields("(type $self (func (param i64) (result i32))) (table 1 funcref) (elem (i32.const 0) $wake)");
    let answer = guest.start().await.wake().await;
    let Err(HandlerError::Trap { reason, .. }) = answer.result else { panic!("{:?}", answer.result) };
    assert!(reason.contains("stack"), "{reason}");
}

#[tokio::test]
async fn a_huge_string_is_not_copied_out() {
    // A log line of 8 MiB, twice what one host call may carry.
    let body = format!(
        "(drop (memory.grow (i32.const 200))) (call $write (i32.const 2) (i32.const 0) (i32.const 8388608)) {ZEROS}"
    );
    let answer =
        Guest::new().import("log", "write", "(param i32 i32 i32)").on("wake", &body).start().await.wake().await;
    let Err(HandlerError::Trap { reason, .. }) = answer.result else { panic!("{:?}", answer.result) };
    assert!(reason.contains("fuel"), "{reason}");
}
