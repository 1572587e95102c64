//! Little address space, as on kernels with 39-bit user space: the engine falls back to small reservations and works.

use std::process::Command;

use handler_host::{AddressSpace, EngineConfig, HandlerEngine, HandlerInstance, Origin};

use crate::guest::{Guest, SPIN, call, setup, started};

const LIMITED: &str = "TIDEGATE_TEST_LIMITED_ADDRESS_SPACE";

/// Runs itself again under a limit of 12 GiB.
#[tokio::test]
async fn under_a_limit_memories_are_reserved_small() {
    if std::env::var_os(LIMITED).is_some() {
        return in_small_address_space().await;
    }
    let this = std::env::current_exe().unwrap();
    let output = Command::new("prlimit")
        .arg(format!("--as={}", 12_u64 << 30))
        .arg(this)
        .args(["--exact", "small_address_space::under_a_limit_memories_are_reserved_small", "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn in_small_address_space() {
    let engine = HandlerEngine::new(EngineConfig::default()).unwrap();
    assert_eq!(engine.mode(), AddressSpace::Small);
    let component = engine.load(&Guest::new().on("wake", SPIN).component()).unwrap();
    let mut instances = Vec::new();
    for _ in 0..100 {
        instances.push(started(HandlerInstance::start(setup(&component), Origin::Fresh, 5_000).await));
    }
    for instance in instances {
        let answer = instance.read_property("x", call(1_000)).await;
        answer.result.unwrap();
    }
    let answer = started(HandlerInstance::start(setup(&component), Origin::Fresh, 5_000).await).wake().await;
    assert!(answer.result.is_err(), "an endless loop ends here too");
}
