//! A version that turns out to be bad: its reads are answered by the version before, it is rolled back by itself, and the
//! state is as it was with what consumers wrote since. Lines and running actions of a lost handler end safely.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Gateway, Site, eventually, handlers,
    http::Request,
    site::{CLIMATE, LABORATORY},
};

const LAB: &str = "/things/lab";
const HANDLER: &str = "/things/lab/handler";
const SOON: Duration = Duration::from_secs(20);
/// The pauses in which a driver tries a chip again grow.
const LONG: Duration = Duration::from_secs(60);
/// More than a probation.
const SECONDS: Duration = Duration::from_secs(3);
/// The laboratory with a line that goes low when nobody looks after it: the relay's, so that the board shows it.
const LINE: &str = r#"
[grants.line]
kind = "gpio"
chip = "board:gpio"
line = 17
direction = "output"
fail-safe = false
"#;

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lab", &format!("{LABORATORY}{LINE}"))?;
    site.start()
}

fn push(client: Client, component: &[u8]) -> Result<tests::http::Response> {
    client.send(&Request::new("POST", &format!("{HANDLER}/actions/replace")).body("application/wasm", component))
}

fn property(client: Client, name: &str) -> Result<Value> {
    client.value(&format!("{LAB}/properties/{name}"))
}

fn handler(client: Client, name: &str) -> Result<Value> {
    client.value(&format!("{HANDLER}/properties/{name}"))
}

/// Reads more often than a canary takes faults; every read has to be answered.
fn read_on(client: Client) -> Result<()> {
    (0..10).try_for_each(|_| property(client, "number").map(|_| ()))
}

#[test]
fn a_version_that_traps_is_rolled_back_and_no_read_fails() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let good = handler(client, "digest")?;
    client.json("PUT", &format!("{LAB}/properties/counter"), &json!(1))?.expect(204)?;
    push(client, &handlers::misbehaving("number:trap")?)?.expect(200)?;
    ensure!(handler(client, "digest")? != good && handler(client, "status")?["state"] == "canary");
    client.json("PUT", &format!("{LAB}/properties/counter"), &json!(2))?.expect(204)?;
    read_on(client)?;
    ensure!(handler(client, "digest")? == good, "still {}", handler(client, "status")?);
    ensure!(property(client, "counter")? == 2, "what a consumer wrote meanwhile stays");
    let faults = handler(client, "faults")?;
    ensure!(faults[0]["kind"] == "trap", "{faults}");
    Ok(())
}

#[test]
fn a_version_whose_every_read_traps_is_rolled_back_before_anybody_reads() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let good = handler(client, "digest")?;
    push(client, &handlers::misbehaving("read:trap")?)?;
    eventually("it is rolled back", SOON, || Ok((handler(client, "digest")? == good).then_some(())))?;
    property(client, "number")?;
    Ok(())
}

#[test]
fn a_rollback_survives_a_restart() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let good = handler(client, "digest")?;
    push(client, &handlers::misbehaving("number:trap")?)?.expect(200)?;
    read_on(client)?;
    let gateway = gateway.kill()?.start()?;
    ensure!(handler(gateway.client(), "digest")? == good);
    property(gateway.client(), "number")?;
    Ok(())
}

#[test]
fn a_canary_goes_on_after_a_restart() -> Result<()> {
    let gateway = gateway()?;
    let good = handler(gateway.client(), "digest")?;
    push(gateway.client(), &handlers::misbehaving("number:trap")?)?.expect(200)?;
    let gateway = gateway.kill()?.start()?;
    let client = gateway.client();
    ensure!(handler(client, "digest")? != good, "the switch was committed");
    read_on(client)?;
    ensure!(handler(client, "digest")? == good, "the faults count after a restart as before it");
    Ok(())
}

#[test]
fn a_step_back_by_hand_skips_a_version_that_was_rolled_back() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let good = handler(client, "digest")?;
    push(client, &handlers::misbehaving("number:trap")?)?.expect(200)?;
    read_on(client)?;
    push(client, &handlers::variant("laboratory", "third")?)?.expect(200)?;
    ensure!(handler(client, "digest")? != good);
    client.send(&Request::new("POST", &format!("{HANDLER}/actions/rollback")))?.expect(200)?;
    ensure!(handler(client, "digest")? == good, "{}", handler(client, "versions")?);
    Ok(())
}

#[test]
fn a_version_that_fails_its_rehearsal_never_serves() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let good = handler(client, "digest")?;
    for wrong in ["start:trap", "start:loop", "start:allocate", "wake:trap", "wake:loop"] {
        let refused = push(client, &handlers::misbehaving(wrong)?)?.problem(400)?;
        ensure!(refused["detail"].as_str().is_some_and(|detail| detail.contains("rehearsal")), "{wrong}: {refused}");
        ensure!(handler(client, "digest")? == good && handler(client, "version")? == 1, "{wrong}");
        property(client, "number")?;
    }
    Ok(())
}

/// A climate sensor whose readings are good for `good_s` seconds, read once, and then a new version on probation for a second
/// while its chip does not answer.
fn silent_climate(good_s: u32) -> Result<(Gateway, Value)> {
    let site = Site::new()?;
    site.configure("[board]\nsimulated = true\n[canary]\nseconds = 1\ncalls = 1\n")?;
    site.thing("climate", &CLIMATE.replace("= 200", &format!("= {}", good_s * 1_000 / 3)))?;
    let gateway = site.start()?;
    let client = gateway.client();
    let temperature = || client.get("/things/climate/properties/temperature");
    eventually("it is read", SOON, || Ok((temperature()?.status == 200).then_some(())))?;
    let good = client.value("/things/climate/handler/properties/digest")?;
    let next = handlers::variant("bme280", "silent")?;
    client.json("POST", "/things/board/actions/fail", &json!({ "part": "bme280", "fault": "no-acknowledge" }))?;
    let replace = Request::new("POST", "/things/climate/handler/actions/replace").body("application/wasm", next);
    client.send(&replace)?.expect(200)?;
    Ok((gateway, good))
}

#[test]
fn a_version_that_has_no_reading_where_the_one_before_had_is_rolled_back() -> Result<()> {
    let (gateway, good) = silent_climate(6)?;
    let client = gateway.client();
    eventually("it is rolled back", SOON, || {
        // Calls enough to end a probation well.
        client.get("/things/climate/properties/temperature")?;
        Ok((client.value("/things/climate/handler/properties/digest")? == good).then_some(()))
    })?;
    let text = gateway.output();
    let told = "it has no reading of humidity, pressure, temperature, which the version before had";
    ensure!(text.contains(told) && text.contains("acknowledge"), "{text}");
    Ok(())
}

#[test]
fn a_version_whose_readings_come_late_is_kept() -> Result<()> {
    let (gateway, good) = silent_climate(30)?;
    let client = gateway.client();
    let state = || -> Result<Value> { Ok(client.value("/things/climate/handler/properties/status")?["state"].clone()) };
    let waited = Instant::now();
    eventually("its probation is longer than a second", SOON, || Ok((waited.elapsed() > SECONDS).then_some(())))?;
    ensure!(state()? == "canary", "the readings of the version before are good for half a minute");
    client.json("POST", "/things/board/actions/fail", &json!({ "part": "bme280", "fault": "none" }))?.expect(204)?;
    eventually("it has proved itself", LONG, || {
        client.get("/things/climate/properties/temperature")?;
        Ok((state()? == "running").then_some(()))
    })?;
    ensure!(client.value("/things/climate/handler/properties/digest")? != good);
    Ok(())
}

#[test]
fn what_is_configured_on_probation_holds_for_the_version_that_comes_back() -> Result<()> {
    let mut gateway = gateway()?;
    let good = handler(gateway.client(), "digest")?;
    push(gateway.client(), &handlers::misbehaving("number:trap")?)?.expect(200)?;
    let line = json!({ "kind": "gpio", "chip": "board:gpio", "line": 27, "direction": "output", "fail-safe": false });
    let configure = json!({ "thing": "lab", "grants": { "line": line } });
    gateway.client().json("POST", "/things/gateway/actions/configure", &configure)?.expect(200)?;
    gateway = gateway.kill()?.start()?;
    let client = gateway.client();
    let lit = || -> Result<(Value, Value)> {
        client.json("PUT", &format!("{LAB}/properties/line"), &json!(true))?.expect(204)?;
        let board = client.value("/things/board/properties/state")?;
        Ok((board["relay"]["on"].clone(), board["led"]["on"].clone()))
    };
    ensure!(handler(client, "digest")? != good && handler(client, "status")?["state"] == "canary");
    ensure!(lit()? == (json!(false), json!(true)), "the new version drives the new line");
    read_on(client)?;
    ensure!(handler(client, "digest")? == good, "{}", handler(client, "status")?);
    ensure!(lit()? == (json!(false), json!(true)), "and so does the one before");
    Ok(())
}

#[test]
fn an_action_in_flight_ends_with_its_handler_and_the_line_goes_low() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let started = |how: &str| -> Result<String> {
        client.json("PUT", &format!("{LAB}/properties/line"), &json!(true))?.expect(204)?;
        ensure!(client.value("/things/board/properties/state")?["relay"]["on"] == true, "{how}");
        let count = json!({ "n": 1000, "delay": 100 });
        let status = client.json("POST", &format!("{LAB}/actions/count"), &count)?.expect(201)?.value()?;
        Ok(status["href"].as_str().unwrap_or_default().to_owned())
    };
    let ended = |href: &str, problem: &str| -> Result<()> {
        let path = href.find("/things/").map_or(href, |start| &href[start..]).to_owned();
        let status = client.value(&path)?;
        ensure!(status["status"] == "failed", "{status}");
        ensure!(status["error"]["type"].as_str().is_some_and(|kind| kind.ends_with(problem)), "{status}");
        eventually("the line goes low", SOON, || {
            let state = client.value("/things/board/properties/state")?;
            Ok((state["relay"]["on"] == false).then_some(()))
        })
    };
    let replaced = started("replace")?;
    push(client, &handlers::variant("laboratory", "next")?)?.expect(200)?;
    ended(&replaced, "handler-replaced")?;
    let lost = started("trap")?;
    client.json("POST", &format!("{LAB}/actions/misbehave"), &json!({ "how": "trap" }))?.problem(500)?;
    ended(&lost, "")
}

#[test]
fn a_handler_that_does_not_stay_up_says_so_and_health_is_degraded() -> Result<()> {
    // In its first wake, and in a later one: neither may go on for ever without a pause.
    ["wake:trap", "later:trap"].into_iter().try_for_each(does_not_stay_up)
}

fn does_not_stay_up(wrong: &str) -> Result<()> {
    let site = Site::new()?;
    site.thing("lab", &format!("{LABORATORY}{LINE}[settings]\nmisbehave = \"{wrong}\"\n"))?;
    let gateway = site.start()?;
    let client = gateway.client();
    eventually("the handler is in a crash loop", SOON, || {
        Ok((handler(client, "status")?["state"] == "crash-loop").then_some(()))
    })?;
    let answer = client.get(&format!("{LAB}/properties/number"))?;
    ensure!(answer.header("retry-after").is_some(), "{answer:?}");
    answer.problem(503)?;
    let health = client.value("/things/gateway/properties/health")?;
    ensure!(health["status"] == "degraded" && health["failing"][0]["thing"] == "lab", "{health}");
    Ok(())
}
