//! Every way in which a handler can be hostile or broken, each on demand.

use std::hint::black_box;
use tidegate_handler::{Delay, Fault, Thing, log};

/// Does the named wrong; comes back only from what the gateway is to bound without a trap.
pub(crate) fn misbehave(thing: &Thing, how: &str) -> Result<(), Fault> {
    match how {
        "loop" => spin(),
        "trap" => panic!("misbehaving as told"),
        "allocate" => allocate(),
        "recurse" => {
            black_box(recurse(black_box(1)));
        }
        "delay" => embedded_hal::delay::DelayNs::delay_ms(&mut Delay, 60_000),
        "storm-log" => (0..100_000).for_each(|_| log::info("a storm of lines")),
        "storm-event" => (0..100_000).for_each(|count| thing.emit("storm", count)),
        _ => return Err(Fault::invalid("there is no such way to misbehave")),
    }
    Ok(())
}

fn spin() {
    loop {
        black_box(());
    }
}

/// Takes memory and touches it until there is none.
fn allocate() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1))) + 1
}
