//! `tidegate check`: what a start would refuse is said before it, all at once, with file and line.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::{CommandLine, Site, command::Said, handlers, site};

fn check(site: &Site) -> Result<Said> {
    let path = |path: &std::path::Path| path.to_str().map(str::to_owned).context("no UTF-8 path");
    let (config, data, handlers) = (path(&site.config())?, path(&site.data_dir())?, path(site.handlers())?);
    CommandLine::new(&["check", "--config", &config, "--data-dir", &data, "--handlers", &handlers])?.run()
}

/// A start ends, and says so.
fn refused_at_start(site: Site, what: &str) -> Result<()> {
    let Err(error) = site.start() else { anyhow::bail!("it started in spite of {what}") };
    let said = format!("{error:#}");
    ensure!(said.contains(what), "no `{what}`: {said}");
    Ok(())
}

#[test]
fn what_a_start_would_refuse_is_told_at_once_with_file_and_line() -> Result<()> {
    let site = Site::new()?;
    site.configure("lissten = 1\n[board]\nsimulated = true\n")?;
    site.thing(
        "climate",
        &site::CLIMATE.replace("samplingInterval = 200", "samplingInterval = 1\nsampligInterval = 5"),
    )?;
    site.thing("lamp", &site::RELAY.replace("[grants.coil]", "[grants.coill]"))?;
    site.thing("door", &site::BUTTON.replace("line = 22", "line = 23"))?;
    site.thing("gone", "title = \"Gone\"\nhandler = \"gone\"\n")?;
    let said = check(&site)?.expect(3)?.errors;
    for wanted in [
        "tidegate.toml:1:1: unknown key `lissten`",
        "climate.toml:9:1: `settings.samplingInterval`: ",
        "hint: the property of the same name is {\"type\":\"integer\",\"minimum\":100,",
        "climate.toml:10:1: `settings.sampligInterval`: the Thing Model of its handler has no such property",
        "hint: did you mean `samplingInterval`?",
        "`grants.coil`: the handler wants it (gpio), and it is not granted",
        "`grants.coill`: the handler does not want it",
        "`grants.button`: line = 23: the simulated board has lines 17 (relay)",
        "gone.toml:2:1: there is no gone.wasm in ",
        "hint: `tidegate build` makes it",
    ] {
        ensure!(said.contains(wanted), "no `{wanted}`: {said}");
    }
    ensure!(said.contains("5 faults in the configuration") && said.matches("warning: ").count() == 2, "{said}");
    Ok(())
}

#[test]
fn check_and_start_refuse_the_same() -> Result<()> {
    for (name, text, what) in [
        ("climate", site::CLIMATE.replace("= 200", "= 1"), "climate.toml:9:1: `settings.samplingInterval`: "),
        ("lamp", site::RELAY.replace("grants.coil", "grants.coill"), "`grants.coil`: the handler wants it"),
        ("led", site::LED.replace("channel = 0", "channel = 3"), "channel = 3: the simulated board has channel 0"),
        ("gone", "handler = \"gone\"".to_owned(), "there is no gone.wasm in "),
    ] {
        let site = Site::new()?;
        site.thing(name, &text)?;
        let said = check(&site)?.expect(3)?.errors;
        ensure!(said.contains(what), "no `{what}`: {said}");
        refused_at_start(site, what)?;
    }
    Ok(())
}

#[test]
fn a_setting_that_is_no_property_is_told_and_serves() -> Result<()> {
    let site = Site::new()?;
    site.thing("climate", &site::CLIMATE.replace("samplingInterval", "samplingIntervall"))?;
    let said = check(&site)?.ok()?;
    ensure!(said.errors.contains("`settings.samplingIntervall`: ") && said.output.contains("is sound"), "{said:?}");
    let gateway = site.start()?;
    let told = gateway.output();
    ensure!(told.contains("WARN") && told.contains("did you mean `samplingInterval`?"), "{told}");
    Ok(())
}

#[test]
fn what_a_gateway_has_kept_is_looked_at() -> Result<()> {
    let mut site = Site::new()?;
    let folder = site.own_handlers()?.to_owned();
    std::fs::write(folder.join("relay.wasm"), handlers::component("relay")?)?;
    site.thing("lamp", site::RELAY)?.thing("climate", site::CLIMATE)?;
    std::fs::write(folder.join("bme280.wasm"), handlers::component("bme280")?)?;
    let gateway = site.start()?;
    let input = json!({ "thing": "climate", "settings": { "samplingInterval": 300 } });
    gateway.client().json("POST", "/things/gateway/actions/configure", &input)?.expect(200)?;
    let (_, site) = gateway.stop()?;
    // The version that was kept serves on without its file; what was configured stands over the file.
    std::fs::remove_file(folder.join("relay.wasm"))?;
    check(&site)?.ok()?;
    std::fs::write(folder.join("relay.wasm"), "no component")?;
    let said = check(&site)?.ok()?.errors;
    ensure!(said.contains("warning: ") && said.contains("relay.wasm is refused"), "{said}");
    drop(site.start()?);
    Ok(())
}

#[test]
fn a_configuration_that_is_not_there_has_a_hint() -> Result<()> {
    for command in [&["check"][..], &["serve"], &["token", "new"], &["token", "list"]] {
        let said = CommandLine::new(&[command, &["--config", "/nowhere/tidegate.toml"]].concat())?.run()?.expect(3)?;
        ensure!(said.errors.contains("/nowhere/tidegate.toml: cannot be read"), "{said:?}");
        ensure!(said.errors.contains("hint: name the gateway's file"), "{said:?}");
    }
    Ok(())
}
