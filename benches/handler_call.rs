//! What a call into a handler costs: a no-op, and mean and median of 60 integers with their JSON, native and through our
//! host. The peers' table is Kuribayashi 2023, on a Raspberry Pi 4.
//!
//! "noop" is `read-property` with the full call record, answering null.

use std::{collections::BTreeMap, collections::HashMap, hint::black_box};

use anyhow::{Context as _, Result, anyhow};
use benches::{Latencies, Table};
use handler_host::{
    Call, Capabilities, Config, EngineConfig, HandlerEngine, HandlerInstance, InstanceSetup, Limits, Origin, ThingClock,
};
use tests::handlers;

const WARM_UP: usize = 10_000;
const CALLS: usize = 200_000;
const NOOP_P50_US: f64 = 1.0;
const STATISTICS_P50_US: f64 = 3.0;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let instance = runtime.block_on(start())?;
    let columns = ["call", "p50 us", "p99 us", "Kuribayashi 2023 (Pi 4), us"];
    let mut table = Table::new("handler_call", "A call into a handler", &columns);
    let native = Latencies::of(WARM_UP, CALLS, || {
        black_box(statistics_as_json(black_box(&SAMPLES)));
    });
    row(&mut table, "mean and median of 60 integers, native", &native, "31");
    let (instance, statistics) = through_host(&runtime, instance, "statistics")?;
    row(&mut table, "mean and median of 60 integers, Wasm", &statistics, "252");
    let (_, noop) = through_host(&runtime, instance, "noop")?;
    row(&mut table, "noop, Wasm", &noop, "247");
    for (what, latencies, limit) in [("noop", &noop, NOOP_P50_US), ("statistics", &statistics, STATISTICS_P50_US)] {
        let p50 = latencies.within(500).as_secs_f64() * 1e6;
        table.promise(&format!("{what}: p50 <= {limit} us on x86-64"), p50, p50 <= limit);
    }
    table.note(format!("{CALLS} calls each, one after the other, on one thread; the watch itself costs about 0.03 us"));
    table.publish()
}

fn row(table: &mut Table, call: &str, latencies: &Latencies, published: &str) {
    let [p50, p99] = latencies.cells();
    table.row([call.to_owned(), p50, p99, published.to_owned()]);
}

/// The laboratory, started as a gateway starts it.
async fn start() -> Result<HandlerInstance> {
    let engine = HandlerEngine::new(EngineConfig::default())?;
    let component = engine.load(&handlers::component("laboratory")?)?;
    let (signals, _) = tokio::sync::mpsc::channel(1);
    let setup = InstanceSetup {
        capabilities: Capabilities::new(component.wants(), HashMap::new(), signals)?,
        component,
        clock: ThingClock::resume(0),
        state: BTreeMap::new(),
        config: Config { thing: "laboratory".to_owned(), ..Config::default() },
        // The bench computes without a pause: no Thing does.
        limits: Limits { cpu_ms_per_minute: u32::MAX, ..Limits::default() },
    };
    let answer = HandlerInstance::start(setup, Origin::Fresh, 1_000).await;
    answer.result?;
    answer.instance.context("the laboratory did not start")
}

/// Reads a property again and again; the instance goes into each call and comes back.
fn through_host(
    runtime: &tokio::runtime::Runtime,
    instance: HandlerInstance,
    property: &str,
) -> Result<(HandlerInstance, Latencies)> {
    let mut held = Some(instance);
    let mut failure = None;
    let latencies = runtime.block_on(async {
        let mut durations = Vec::with_capacity(CALLS);
        for call in 0..WARM_UP + CALLS {
            let Some(instance) = held.take() else { break };
            let began = std::time::Instant::now();
            let answer = instance.read_property(property, Call::gateway(100)).await;
            let elapsed = began.elapsed();
            if let Err(error) = black_box(answer.result) {
                failure = Some(error);
            }
            held = answer.instance;
            if call >= WARM_UP {
                durations.push(elapsed);
            }
        }
        Latencies::from(durations)
    });
    match (held, failure) {
        (Some(instance), None) => Ok((instance, latencies)),
        (_, failure) => Err(anyhow!("reading {property} failed: {failure:?}")),
    }
}

/// The last minute of a sensor that samples once per second.
const SAMPLES: [i64; 60] = {
    let mut samples = [0; 60];
    let mut state: i64 = 17;
    let mut at = 0;
    while at < 60 {
        state = (state * 1103 + 12345) % 65536;
        samples[at] = state;
        at += 1;
    }
    samples
};

/// The native twin of the guest's `statistics`.
#[expect(clippy::cast_precision_loss, reason = "samples are below 2^16")]
fn statistics_as_json(samples: &[i64; 60]) -> String {
    let mut sorted = *samples;
    sorted.sort_unstable();
    let mean = samples.iter().sum::<i64>() as f64 / 60.0;
    let median = (sorted[29] + sorted[30]) as f64 / 2.0;
    format!("{{\"mean\":{mean},\"median\":{median},\"samples\":60}}")
}
