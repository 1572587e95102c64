//! Actions over HTTP: done at once, or a resource of their own that can be watched and cancelled.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{Client, Gateway, Site, eventually, http::Request, site::RELAY};

const DEADLINE: Duration = Duration::from_secs(20);
const PULSE: &str = "/things/lamp/actions/pulse";
const ON: &str = "/things/lamp/properties/on";

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    site.start()
}

/// Starts a pulse; where its status lies.
fn pulse(client: Client, duration_ms: u32) -> Result<String> {
    let answer = client.json("POST", PULSE, &json!({ "duration": duration_ms }))?.expect(201)?;
    let status = answer.value()?;
    ensure!(matches!(status["status"].as_str(), Some("pending" | "running")), "{status}");
    ensure!(status["timeRequested"].is_string(), "{status}");
    let location = answer.header("location").context("no Location")?;
    ensure!(
        status["href"].as_str().is_some_and(|href| location.ends_with(href) || href.ends_with(location)),
        "{status}"
    );
    Ok(location.to_owned())
}

fn status_is(client: Client, location: &str, wanted: &str) -> Result<Value> {
    eventually(&format!("status {wanted}"), DEADLINE, || {
        let status = client.value(location)?;
        Ok((status["status"] == wanted).then_some(status))
    })
}

#[test]
fn a_flood_of_reads_cannot_keep_a_relay_on() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    pulse(client, 300)?;
    let flood = Instant::now();
    let mut connection = client.connect()?;
    while flood.elapsed() < Duration::from_secs(1) {
        // Beyond the handler's rate of device calls a read is refused; that is no reason to stay on.
        let status = connection.send(&Request::new("GET", ON))?.status;
        ensure!(status == 200 || status == 503, "{status}");
    }
    eventually("the relay is off", DEADLINE, || {
        let state = client.value("/things/board/properties/state")?;
        Ok((state["relay"]["on"] == false).then_some(()))
    })
}

#[test]
fn a_pulse_runs_switches_and_completes() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let location = pulse(client, 400)?;
    eventually("the relay is on", DEADLINE, || Ok((client.value(ON)? == true).then_some(())))?;
    let status = status_is(client, &location, "completed")?;
    ensure!(status["output"].is_object() && status["timeEnded"].is_string(), "{status}");
    ensure!(client.value(ON)? == false);
    let all = client.value("/things/lamp/actions")?;
    ensure!(all["pulse"][0]["status"] == "completed", "{all}");
    Ok(())
}

#[test]
fn a_cancelled_pulse_is_off_and_gone() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let location = pulse(client, 60_000)?;
    status_is(client, &location, "running")?;
    eventually("the relay is on", DEADLINE, || Ok((client.value(ON)? == true).then_some(())))?;
    client.send(&Request::new("DELETE", &location))?.expect(204)?;
    client.get(&location)?.problem(404)?;
    eventually("the relay is off", DEADLINE, || Ok((client.value(ON)? == false).then_some(())))?;
    let all = client.value("/things/lamp/actions")?;
    ensure!(all.get("pulse").is_none_or(|list| list == &json!([])), "{all}");
    Ok(())
}

#[test]
fn the_newest_invocation_comes_first() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let first = pulse(client, 20)?;
    status_is(client, &first, "completed")?;
    let second = pulse(client, 20)?;
    status_is(client, &second, "completed")?;
    let all = client.value("/things/lamp/actions")?;
    let newest = all["pulse"][0]["href"].as_str().context("no href")?;
    ensure!(second.ends_with(newest) || newest.ends_with(&second), "{all}");
    Ok(())
}

#[test]
fn the_board_is_set_by_a_synchronous_action() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let parts = client.value("/things/board/properties/parts")?;
    ensure!(parts.as_array().is_some_and(|parts| !parts.is_empty()), "{parts}");
    let unknown = json!({ "part": "kettle", "quantity": "temperature", "value": 21.5 });
    let problem = client.json("POST", "/things/board/actions/set", &unknown)?;
    ensure!((400..500).contains(&problem.status), "{problem:?}");
    Ok(())
}
