//! Budgets: an endless loop ends in time, is moved out of the way meanwhile, and holds nobody up.

use std::time::{Duration, Instant};

use handler_host::{HandlerError, HandlerInstance, Limits, Origin};

use crate::guest::{Guest, SPIN, ZEROS, call, setup, started};

fn assert_deadline<T: std::fmt::Debug>(answer: &handler_host::Answer<T>, budget_ms: u32) {
    assert!(
        matches!(answer.result, Err(HandlerError::Deadline { budget_ms: of }) if of == budget_ms),
        "{:?}",
        answer.result
    );
    assert!(answer.instance.is_none() && answer.salvaged.is_some());
    let (least, most) = (Duration::from_millis(budget_ms.into()), Duration::from_millis(u64::from(budget_ms) + 5_000));
    assert!((least..most).contains(&answer.report.elapsed), "{:?}", answer.report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_endless_loop_ends_at_its_budget_on_a_thread_of_its_own() {
    let answer = Guest::new().on("read-property", SPIN).start().await.read_property("x", call(60)).await;
    assert_deadline(&answer, 60);
    assert!(answer.report.moved_to_background);
    let answer = Guest::new().on("wake", SPIN).start().await.wake().await;
    assert_deadline(&answer, 100);
    let spins = Guest::new().on("start", SPIN).load();
    assert_deadline(&HandlerInstance::start(setup(&spins), Origin::Fresh, 60).await, 60);
    let spins = Guest::new().fields(&format!("(func $spin {SPIN}) (start $spin)")).load();
    assert_deadline(&HandlerInstance::start(setup(&spins), Origin::Fresh, 60).await, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_calls_go_on_beside_an_endless_loop() {
    let mut instance = Guest::new().start().await;
    let spinning = Guest::new().on("read-property", SPIN).start().await;
    let spinner = tokio::spawn(spinning.read_property("x", call(300)));
    let (mut slowest, mut count) = (Duration::ZERO, 0_u32);
    while !spinner.is_finished() {
        let began = Instant::now();
        let answer = instance.read_property("y", call(100)).await;
        instance = answer.instance.unwrap();
        slowest = slowest.max(began.elapsed());
        count += 1;
        tokio::task::yield_now().await;
    }
    assert_deadline(&spinner.await.unwrap(), 300);
    assert!(count > 100, "{count} calls, the slowest {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_call_comes_back_from_the_other_thread_with_its_answer() {
    // About 40 ms of counting: an i64 at 1032 counts down.
    let body = format!(
        "(i64.store (i32.const 2048) (i64.const 40000000)) (loop $again (i64.store (i32.const 2048) (i64.sub (i64.load (i32.const 2048)) (i64.const 1))) (br_if $again (i64.ne (i64.load (i32.const 2048)) (i64.const 0)))) {ZEROS}"
    );
    let answer = Guest::new().on("read-property", &body).start().await.read_property("x", call(10_000)).await;
    answer.result.unwrap();
    assert!(answer.report.moved_to_background, "{:?}", answer.report);
    let answer = answer.instance.unwrap().wake().await;
    answer.result.unwrap();
    assert!(!answer.report.moved_to_background);
}

#[tokio::test]
async fn a_blocking_delay_ends_with_the_budget() {
    let body = format!("(call $delay (i32.const 5000000)) {ZEROS}");
    let guest = Guest::new().import("clock", "delay", "(param i32)").on("read-property", &body);
    let answer = guest.start().await.read_property("x", call(40)).await;
    assert_deadline(&answer, 40);
    assert!(!answer.report.moved_to_background, "it used no processor");
}

#[tokio::test]
async fn a_running_call_can_be_cancelled() {
    let body = format!("(call $delay (i32.const 50000000)) {ZEROS}");
    let instance = Guest::new().import("clock", "delay", "(param i32)").on("wake", &body);
    let mut set_up = setup(&instance.load());
    set_up.limits = Limits { wake_ms: 60_000, ..Limits::default() };
    let instance = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await);
    let canceller = instance.canceller();
    let (answer, ()) = tokio::join!(instance.wake(), async { canceller.cancel() });
    assert!(matches!(answer.result, Err(HandlerError::Deadline { .. })), "{:?}", answer.result);
    assert!(answer.report.elapsed < Duration::from_secs(10));
}

#[tokio::test]
async fn an_instance_that_is_lost_has_used_the_processor_time_of_the_next() {
    let mut set_up = setup(&Guest::new().on("read-property", SPIN).load());
    set_up.limits = Limits { cpu_ms_per_minute: 40, ..Limits::default() };
    let mut lost = 0;
    loop {
        let instance = started(HandlerInstance::start(set_up.clone(), Origin::Recovered, 1_000).await);
        let answer = instance.read_property("x", call(20)).await;
        if matches!(answer.result, Err(HandlerError::CpuBudget { .. })) {
            assert!(answer.instance.is_some() && lost > 0);
            return;
        }
        assert_deadline(&answer, 20);
        lost += 1;
        assert!(lost < 200, "each loop begins with a minute of its own");
    }
}

#[tokio::test]
async fn processor_time_has_a_budget_by_the_minute() {
    let spins = Guest::new().on("read-property", &format!("(i64.store (i32.const 2048) (i64.const 2000000)) (loop $again (i64.store (i32.const 2048) (i64.sub (i64.load (i32.const 2048)) (i64.const 1))) (br_if $again (i64.ne (i64.load (i32.const 2048)) (i64.const 0)))) {ZEROS}"));
    let mut set_up = setup(&spins.load());
    set_up.limits = Limits { cpu_ms_per_minute: 1, ..Limits::default() };
    let mut instance = started(HandlerInstance::start(set_up, Origin::Fresh, 1_000).await);
    let mut calls = 0;
    let error = loop {
        let answer = instance.read_property("x", call(1_000)).await;
        instance = answer.instance.expect("refused before it began");
        calls += 1;
        match answer.result {
            Ok(_) => assert!(calls < 100),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, HandlerError::CpuBudget { retry_ms: 1..=60_000 }), "{error:?}");
}
