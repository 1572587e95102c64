//! A climate sensor in good and in bad days: sampled on its own interval, broken in every way the board knows, drifting.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Gateway, Site, eventually, handlers,
    http::Request,
    site::{CLIMATE, RELAY},
    sse::EventStream,
};

const TEMPERATURE: &str = "/things/climate/properties/temperature";
const INTERVAL: &str = "/things/climate/properties/samplingInterval";
pub(crate) const SOON: Duration = Duration::from_secs(20);

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("climate", CLIMATE)?.thing("lamp", RELAY)?;
    site.start()
}

fn board(client: Client, action: &str, input: &Value) -> Result<()> {
    client.json("POST", &format!("/things/board/actions/{action}"), input)?.expect(204).map(drop)
}

fn set_temperature(client: Client, celsius: f64) -> Result<()> {
    board(client, "set", &json!({ "part": "bme280", "quantity": "temperature", "value": celsius }))
}

/// Waits until the Thing reads this temperature, as exactly as the chip measures. On a busy machine a sample may be late.
fn reads(client: Client, celsius: f64) -> Result<()> {
    eventually(&format!("it reads {celsius} degC"), SOON, || {
        let answer = client.get(TEMPERATURE)?;
        if answer.status == 503 {
            return Ok(None);
        }
        let read = answer.expect(200)?.value()?.as_f64().context("no number")?;
        Ok(((read - celsius).abs() < 0.015).then_some(()))
    })
}

#[test]
fn a_sample_has_units_a_time_and_the_mark_of_the_simulation() -> Result<()> {
    let site = Site::new()?;
    site.thing("climate", &CLIMATE.replace("samplingInterval = 200", "samplingInterval = 5000"))?;
    let gateway = site.start()?;
    let client = gateway.client();
    reads(client, 21.5)?;
    let description = client.value("/things/climate")?;
    for (name, unit, expected) in
        [("temperature", "DEG_C", 21.5), ("humidity", "PERCENT_RH", 45.0), ("pressure", "PA", 101_325.0)]
    {
        ensure!(description["properties"][name]["unit"] == format!("qudt:{unit}"), "{description}");
        let answer = client.get(&format!("/things/climate/properties/{name}"))?.expect(200)?;
        ensure!(answer.header("reading-quality") == Some("good; simulated"), "{answer:?}");
        ensure!(answer.header("last-modified").is_some(), "{answer:?}");
        let value = answer.value()?.as_f64().context("no number")?;
        ensure!((value - expected).abs() < expected / 1000.0, "{name}: {value}");
    }
    Ok(())
}

#[test]
fn a_deployment_serves_the_board_by_changing_the_line_of_the_bus() -> Result<()> {
    let deployed = fs::read_to_string(handlers::root().join("deploy/things.d/climate.toml"))?;
    let (real, simulated) = ("\nbus = \"/dev/i2c-1\"\n", "\nbus = \"board:i2c-1\"\n");
    ensure!(deployed.matches(real).count() == 1, "{deployed}");
    let site = Site::new()?;
    site.thing("climate", &deployed.replace(real, simulated))?;
    let gateway = site.start()?;
    reads(gateway.client(), 21.5)
}

#[test]
fn every_fault_lapses_says_why_is_told_and_mends_itself() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let mut failed = EventStream::open(&client, "/things/climate/events/sensorFailed", None)?;
    let mut recovered = EventStream::open(&client, "/things/climate/events/sensorRecovered", None)?;
    let faults = [
        ("no-acknowledge", "acknowledge"),
        ("stuck-bus", "in time"),
        ("wrong-chip-id", "0x58"),
        ("garbage", "BME280"),
        ("slow-conversion", "measuring"),
    ];
    for (fault, why) in faults {
        reads(client, 21.5)?;
        board(client, "fail", &json!({ "part": "bme280", "fault": fault }))?;
        let began = Instant::now();
        let refused = eventually("the reading lapses", SOON, || {
            let answer = client.get(TEMPERATURE)?;
            Ok((answer.status != 200).then_some(answer))
        })?;
        ensure!(began.elapsed() < Duration::from_secs(2), "{fault}: good for three intervals, which are 0.6 s");
        ensure!(refused.header("retry-after").is_some(), "{refused:?}");
        let problem = refused.problem(503)?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains(why), "{fault}: {problem}");
        let told = failed.expect_message()?.value()?;
        ensure!(told.as_str().is_some_and(|told| told.contains(why)), "{fault}: {told}");
        // It is a fault and no crash, and nobody else's.
        let status = client.value("/things/climate/handler/properties/status")?;
        ensure!(status["state"] == "running" || status["state"] == "canary", "{fault}: {status}");
        ensure!(client.value("/things/climate/handler/properties/faults")? == json!([]), "{fault}");
        client.value("/things/lamp/properties/on")?;
        board(client, "fail", &json!({ "part": "bme280", "fault": "none" }))?;
        recovered.expect_message()?;
    }
    reads(client, 21.5)
}

#[test]
fn a_new_interval_takes_effect_at_once_and_survives_kill_9() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    reads(client, 21.5)?;
    client.json("PUT", INTERVAL, &json!(99))?.problem(400)?;
    client.json("PUT", INTERVAL, &json!(3_600_000))?.expect(204)?;
    // The sample that this brings is good for hours, and the next one is an hour away.
    eventually("the long interval is slept through", SOON, || {
        set_temperature(client, 30.0)?;
        let first = client.get(TEMPERATURE)?.expect(200)?;
        set_temperature(client, 21.5)?;
        let age = first.header("age").and_then(|age| age.parse::<u32>().ok());
        Ok(age.is_some_and(|age| age > 0).then_some(()))
    })?;
    set_temperature(client, 35.0)?;
    client.json("PUT", INTERVAL, &json!(150))?.expect(204)?;
    reads(client, 35.0)?;
    let gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value(INTERVAL)? == 150);
    reads(gateway.client(), 21.5)
}

#[test]
fn a_drift_is_seen_by_an_observer() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    reads(client, 21.5)?;
    let both = json!({ "part": "bme280", "quantity": "temperature", "to": 30, "perSecond": 1, "duration": 1000 });
    client.json("POST", "/things/board/actions/drift", &both)?.problem(400)?;
    let mut stream = EventStream::open(&client, TEMPERATURE, None)?;
    let drift = json!({ "part": "bme280", "quantity": "temperature", "to": 30, "duration": 2000 });
    board(client, "drift", &drift)?;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| *last < 29.98) {
        seen.push(stream.expect_message()?.value()?.as_f64().context("no number")?);
    }
    ensure!(seen.len() > 3 && seen.is_sorted(), "{seen:?}");
    board(
        client,
        "drift",
        &json!({ "part": "bme280", "quantity": "temperature", "perSecond": -100, "duration": 60_000 }),
    )?;
    reads(client, -40.0)
}

#[test]
fn replacing_a_handler_that_samples_loses_no_read() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    reads(client, 21.5)?;
    client.json("PUT", INTERVAL, &json!(1_000))?.expect(204)?;
    reads(client, 21.5)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<u32> {
            let (mut count, mut connection) = (0, client.connect()?);
            while !done.load(Ordering::Relaxed) {
                connection.send(&Request::new("GET", TEMPERATURE))?.expect(200)?;
                count += 1;
            }
            Ok(count)
        });
        let replaced = (0..10).try_for_each(|round| {
            let component = handlers::variant("bme280", &format!("round {round}"))?;
            let push = Request::new("POST", "/things/climate/handler/actions/replace");
            client.send(&push.body("application/wasm", component))?.expect(200)?;
            // Each of them samples.
            let celsius = 25.0 + f64::from(round);
            set_temperature(client, celsius)?;
            reads(client, celsius)
        });
        done.store(true, Ordering::Relaxed);
        let count = reader.join().map_err(|_| anyhow!("the reader panicked"))??;
        replaced?;
        ensure!(count > 10, "{count}");
        ensure!(client.value(INTERVAL)? == 1_000);
        Ok(())
    })
}
