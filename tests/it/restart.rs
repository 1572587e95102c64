//! What was acknowledged is there again: after kill -9 as after a clean stop.

use anyhow::{Result, bail, ensure};
use serde_json::json;
use tests::{
    Gateway, Site,
    gateway::{Launch, Launched},
    handlers,
    http::Request,
    site::{HOST_MONITOR, RELAY},
};

const THRESHOLD: &str = "/things/machine/properties/temperatureThreshold";
const KILLS: u32 = 5;

fn site() -> Result<Site> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    Ok(site)
}

#[test]
fn an_acknowledged_setting_survives_kill_9() -> Result<()> {
    let mut site = site()?;
    let mut written = None;
    for round in 0..KILLS {
        let gateway = site.start()?;
        let client = gateway.client();
        if let Some(before) = written {
            ensure!(client.value(THRESHOLD)? == before, "round {round}");
        }
        let threshold = 60.5 + f64::from(round);
        client.json("PUT", THRESHOLD, &json!(threshold))?.expect(204)?;
        written = Some(threshold);
        site = gateway.kill()?;
    }
    Ok(())
}

#[test]
fn a_thing_keeps_its_id_and_its_pushed_handler() -> Result<()> {
    let gateway = site()?.start()?;
    let id = gateway.client().value("/things/lamp")?["id"].clone();
    let component = handlers::variant("relay", "pushed")?;
    let push = Request::new("POST", "/things/lamp/handler/actions/replace").body("application/wasm", component);
    let digest = gateway.client().send(&push)?.expect(200)?.value()?["digest"].clone();
    ensure!(digest.is_string());
    let gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value("/things/lamp")?["id"] == id);
    ensure!(gateway.client().value("/things/lamp/handler/properties/digest")? == digest);
    Ok(())
}

#[test]
fn a_relay_starts_from_its_fail_safe_level() -> Result<()> {
    let gateway = site()?.start()?;
    gateway.client().json("PUT", "/things/lamp/properties/on", &json!(true))?.expect(204)?;
    let gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn a_changed_declaration_wins_over_what_was_written() -> Result<()> {
    let site = site()?;
    let declared = |threshold: f64| format!("{HOST_MONITOR}[settings]\ntemperatureThreshold = {threshold:?}\n");
    site.thing("machine", &declared(70.0))?;
    let gateway = site.start()?;
    ensure!(gateway.client().value(THRESHOLD)? == 70.0);
    gateway.client().json("PUT", THRESHOLD, &json!(75.0))?.expect(204)?;
    let (_, site) = gateway.stop()?;
    let gateway = site.start()?;
    ensure!(gateway.client().value(THRESHOLD)? == 75.0, "what was written is lost");
    let (_, site) = gateway.stop()?;
    site.thing("machine", &declared(80.0))?;
    let gateway = site.start()?;
    ensure!(gateway.client().value(THRESHOLD)? == 80.0, "the file's new value has not won");
    Ok(())
}

#[test]
fn with_two_gib_of_address_space_it_serves() -> Result<()> {
    let launch = Launch { runner: vec!["prlimit".into(), "--as=2147483648".into()], ..Launch::default() };
    let Launched::Serves(gateway) = Gateway::launch(site()?, &launch)? else { bail!("it has ended") };
    ensure!(gateway.output().contains("little address space"), "{}", gateway.output());
    gateway.client().json("PUT", "/things/lamp/properties/on", &json!(true))?.expect(204)?;
    ensure!(gateway.client().value("/things/machine/properties/load1")?.is_number());
    Ok(())
}
