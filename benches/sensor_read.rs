//! One sample of a BME280 by its published driver: native, and in a handler through our host, over the same thread of the
//! same simulated bus, in rounds that alternate.
//!
//! Both run the same code: the laboratory is linked natively too. The way to the bus's thread and back is in both.

use std::{
    collections::{BTreeMap, HashMap},
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use benches::{Latencies, Table};
use bme280_rs::AsyncBme280;
use embedded_hal_async::{
    delay::DelayNs,
    i2c::{Error, ErrorKind, ErrorType, I2c, Operation},
};
use handler_host::{
    Call, Capabilities, Config, EngineConfig, HandlerEngine, HandlerInstance, InstanceSetup, Limits, Origin,
    ThingClock, Value,
};
use laboratory::{measuring, sample_json};
use serde_json::json;
use tests::handlers;
use things::{Board, DeviceError, Grant, Hardware, I2cOperation, I2cSlot, Slot};

const ROUNDS: usize = 25;
const READS: usize = 2_000;
const OVERHEAD_P50_US: f64 = 10.0;
/// What the board is told to show.
const SAMPLE: &str = "[21.5";

/// embedded-hal-async over a slot.
struct Native(I2cSlot);

#[derive(Debug)]
struct Failed(DeviceError);

impl Error for Failed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Native {
    type Error = Failed;
}

impl I2c for Native {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Failed> {
        let asked = operations.iter().map(|operation| match operation {
            Operation::Read(buffer) => I2cOperation::Read(u32::try_from(buffer.len()).unwrap_or(u32::MAX)),
            Operation::Write(bytes) => I2cOperation::Write(bytes.to_vec()),
        });
        let answers = self.0.transaction(u16::from(address), asked.collect()).await.map_err(Failed)?;
        let buffers = operations.iter_mut().filter_map(|operation| match operation {
            Operation::Read(buffer) => Some(buffer),
            Operation::Write(_) => None,
        });
        for (buffer, bytes) in buffers.zip(answers) {
            buffer.copy_from_slice(&bytes);
        }
        Ok(())
    }
}

struct Pause;

impl DelayNs for Pause {
    async fn delay_ns(&mut self, ns: u32) {
        tokio::time::sleep(Duration::from_nanos(u64::from(ns))).await;
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hardware = Hardware::new(Some(Board::new()));
    let (native, wasm) = runtime.block_on(measure(&hardware))?;
    let mut table = Table::new("sensor_read", "A sample of a BME280", &["by bme280-rs 0.4.1", "p50 us", "p99 us"]);
    for (how, latencies) in [("native", &native), ("in a handler, Wasm", &wasm)] {
        let [p50, p99] = latencies.cells();
        table.row([how.to_owned(), p50, p99]);
    }
    let p50_us = |latencies: &Latencies| latencies.within(500).as_secs_f64() * 1e6;
    let overhead = p50_us(&wasm) - p50_us(&native);
    table.promise(&format!("the sandbox costs p50 <= {OVERHEAD_P50_US} us"), overhead, overhead <= OVERHEAD_P50_US);
    table.note(format!(
        "{ROUNDS} alternating rounds of {READS} samples each; temperature, humidity and pressure in one burst"
    ));
    table.note("both wait for the thread of the simulated bus, which is most of the time");
    table.publish()
}

async fn measure(hardware: &Hardware) -> Result<(Latencies, Latencies)> {
    let Slot::I2c(bus) = slot(hardware, "native")? else { bail!("an I2C grant has an I2C slot") };
    let mut sensor = measuring(Native(bus), Pause).await.map_err(|failed| failed.0)?;
    let mut instance = handler(slot(hardware, "wasm")?).await?;
    let (mut native, mut wasm) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        if round == 1 {
            // The first one was to get warm.
            (native, wasm) = (Vec::new(), Vec::new());
        }
        for _ in 0..READS {
            native.push(sampled(&mut sensor).await?);
        }
        for _ in 0..READS {
            let began = Instant::now();
            let (sample, next) = read(instance).await?;
            wasm.push(began.elapsed());
            check(&sample)?;
            instance = next;
        }
    }
    Ok((Latencies::from(native), Latencies::from(wasm)))
}

async fn sampled(sensor: &mut AsyncBme280<Native, Pause>) -> Result<Duration> {
    let began = Instant::now();
    let sample = black_box(sample_json(sensor).await.map_err(|failed| failed.0)?);
    let elapsed = began.elapsed();
    check(&sample)?;
    Ok(elapsed)
}

fn check(sample: &str) -> Result<()> {
    if sample.starts_with(SAMPLE) { Ok(()) } else { bail!("no sample of this board: {sample}") }
}

fn slot(hardware: &Hardware, thing: &str) -> Result<Slot> {
    // Shared, because two hold the chip.
    let grant = json!({ "kind": "i2c", "bus": "board:i2c-1", "address": 0x76, "shared": true });
    let grant: Grant = serde_json::from_value(grant)?;
    Ok(hardware.claim(thing, "sensor", &grant)?)
}

/// The laboratory, started as a gateway starts it, once its chip measures.
async fn handler(slot: Slot) -> Result<HandlerInstance> {
    let engine = HandlerEngine::new(EngineConfig::default())?;
    let component = engine.load(&handlers::component("laboratory")?)?;
    let (signals, _) = tokio::sync::mpsc::channel(1);
    let slots = HashMap::from([("sensor".to_owned(), slot)]);
    let setup = InstanceSetup {
        capabilities: Capabilities::new(component.wants(), slots, signals)?,
        component,
        clock: ThingClock::resume(0),
        state: BTreeMap::new(),
        config: Config { thing: "laboratory".to_owned(), ..Config::default() },
        // The bench reads without a pause: no Thing does.
        limits: Limits { cpu_ms_per_minute: u32::MAX, device_calls_per_second: u32::MAX, ..Limits::default() },
    };
    let answer = HandlerInstance::start(setup, Origin::Fresh, 1_000).await;
    answer.result?;
    let mut instance = answer.instance.context("the laboratory did not start")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let answer = instance.wake().await;
        answer.result?;
        instance = answer.instance.context("the laboratory was lost")?;
        let answer = instance.read_property("sensor", Call::gateway(100)).await;
        instance = answer.instance.context("the laboratory was lost")?;
        match answer.result {
            Ok(reading) if matches!(&reading.value, Value::Json(sample) if sample.starts_with(SAMPLE)) => {
                return Ok(instance);
            }
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    bail!("the laboratory's sensor does not measure")
}

async fn read(instance: HandlerInstance) -> Result<(String, HandlerInstance)> {
    let answer = instance.read_property("sensor", Call::gateway(100)).await;
    let instance = answer.instance.context("the laboratory was lost")?;
    match black_box(answer.result?).value {
        Value::Json(sample) => Ok((sample, instance)),
        other => bail!("no sample: {other:?}"),
    }
}
