//! Little address space, as on kernels with 39-bit user space: the engine falls back to small reservations and works.

use std::process::Command;

use handler_host::{AddressSpace, EngineConfig, HandlerEngine, HandlerError, HandlerInstance, Origin};

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
    let start = async || HandlerInstance::start(setup(&component), Origin::Fresh, 5_000).await;
    let (mut instances, places) = (Vec::new(), EngineConfig::default().instances_max as usize);
    let refused = loop {
        let answer = start().await;
        match answer.instance {
            Some(instance) => instances.push(instance),
            None => break answer.result,
        }
    };
    // The pool is not all: only where a memory of its own would starve the process is a handler refused.
    assert!(instances.len() > 2 * places, "{} instances", instances.len());
    assert!(matches!(refused, Err(HandlerError::Overloaded)), "{refused:?}");
    // Of its own and from the pool.
    drop((instances.pop(), instances.remove(0)));
    instances.extend([started(start().await), started(start().await)]);
    for instance in instances {
        let answer = instance.read_property("x", call(1_000)).await;
        answer.result.unwrap();
    }
    let answer = started(start().await).wake().await;
    assert!(answer.result.is_err(), "an endless loop ends here too");
}
