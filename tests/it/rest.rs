//! Properties over HTTP: read, write, all at once, with the age and the quality of what is read.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::{
    Gateway, Site,
    http::Request,
    site::{HOST_MONITOR, LABORATORY, RELAY},
};

const ON: &str = "/things/lamp/properties/on";
const MACHINE: &str = "/things/machine/properties";

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    site.start()
}

#[test]
fn what_was_written_is_read() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    for on in [true, false, true] {
        client.json("PUT", ON, &json!(on))?.expect(204)?;
        ensure!(client.value(ON)? == on);
    }
    Ok(())
}

#[test]
fn when_one_of_several_writes_fails_none_is_kept() -> Result<()> {
    let site = Site::new()?;
    // Without a grant for its line the second write is refused by the handler, after the first has been taken.
    site.thing("lab", LABORATORY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let counter = "/things/lab/properties/counter";
    client.json("PUT", counter, &json!(1))?.expect(204)?;
    let several = client.json("PUT", "/things/lab/properties", &json!({ "counter": 2, "line": true }))?;
    ensure!(several.status >= 500, "{several:?}");
    ensure!(client.value(counter)? == 1, "{}", client.value(counter)?);
    let gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value(counter)? == 1, "after a restart");
    Ok(())
}

#[test]
fn a_reading_says_how_old_and_how_good_it_is() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let simulated = client.get(ON)?.expect(200)?;
    ensure!(simulated.header("reading-quality") == Some("good; simulated"), "{simulated:?}");
    let real = client.get(&format!("{MACHINE}/load1"))?.expect(200)?;
    ensure!(real.header("reading-quality") == Some("good"), "{real:?}");
    for answer in [simulated, real] {
        ensure!(answer.header("last-modified").is_some_and(|date| date.ends_with("GMT")), "{answer:?}");
        ensure!(answer.header("age").is_some_and(|age| age.parse::<u32>().is_ok()), "{answer:?}");
        ensure!(answer.header("cache-control") == Some("no-cache"), "{answer:?}");
        ensure!(answer.header("content-type") == Some("application/json"), "{answer:?}");
    }
    Ok(())
}

#[test]
fn all_properties_come_as_one_object_and_several_are_written_as_one() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let settings = json!({ "samplingInterval": 250, "temperatureThreshold": 71.5 });
    client.json("PUT", MACHINE, &settings)?.expect(204)?;
    ensure!(client.value(&format!("{MACHINE}/samplingInterval"))? == 250);
    ensure!(client.value(&format!("{MACHINE}/temperatureThreshold"))? == 71.5);
    // One bad member: none is written.
    let mixed = json!({ "samplingInterval": 500, "temperatureThreshold": "hot" });
    let problem = client.json("PUT", MACHINE, &mixed)?.problem(400)?;
    ensure!(problem["validationErrors"].to_string().contains("temperatureThreshold"), "{problem}");
    ensure!(client.value(&format!("{MACHINE}/samplingInterval"))? == 250);
    let lamp = client.value("/things/lamp/properties")?;
    ensure!(lamp == json!({ "on": false }), "{lamp}");
    Ok(())
}

#[test]
fn statistics_are_of_real_samples() -> Result<()> {
    let gateway = gateway()?;
    let statistics = gateway.client().value(&format!("{MACHINE}/loadStatistics"))?;
    let samples = statistics["samples"].as_u64();
    ensure!(samples.is_some_and(|samples| (1..=60).contains(&samples)), "{statistics}");
    ensure!(statistics["mean"].is_number() && statistics["median"].is_number(), "{statistics}");
    Ok(())
}

#[test]
fn head_and_options_tell_without_doing() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let head = client.send(&Request::new("HEAD", ON))?.expect(200)?;
    ensure!(head.body.is_empty() && head.header("content-length") == Some("5"), "{head:?}");
    let options = client.send(&Request::new("OPTIONS", ON))?;
    let allow = options.header("allow").unwrap_or_default();
    ensure!(["GET", "HEAD", "PUT", "OPTIONS"].iter().all(|method| allow.contains(method)), "{options:?}");
    Ok(())
}
