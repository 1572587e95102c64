//! `tidegate check`: what a start would refuse is said before it, all at once, with file and line.

use std::{fs, time::SystemTime};

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
    fs::write(folder.join("relay.wasm"), handlers::component("relay")?)?;
    site.thing("lamp", site::RELAY)?.thing("climate", site::CLIMATE)?;
    fs::write(folder.join("bme280.wasm"), handlers::component("bme280")?)?;
    let gateway = site.start()?;
    let input = json!({ "thing": "climate", "settings": { "samplingInterval": 300 } });
    gateway.client().json("POST", "/things/gateway/actions/configure", &input)?.expect(200)?;
    let (_, site) = gateway.stop()?;
    // The version that was kept serves on without its file; what was configured stands over the file.
    fs::remove_file(folder.join("relay.wasm"))?;
    check(&site)?.ok()?;
    fs::write(folder.join("relay.wasm"), "no component")?;
    let said = check(&site)?.ok()?.errors;
    ensure!(said.contains("warning: ") && said.contains("relay.wasm is refused"), "{said}");
    drop(site.start()?);
    Ok(())
}

/// The files of the data directory, and when each was written.
fn kept(site: &Site) -> Result<Vec<(String, Vec<u8>, SystemTime)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(site.data_dir())? {
        let entry = entry?;
        let about = entry.metadata()?;
        let bytes = if about.is_file() { fs::read(entry.path())? } else { Vec::new() };
        files.push((entry.file_name().to_string_lossy().into_owned(), bytes, about.modified()?));
    }
    files.sort();
    Ok(files)
}

#[test]
fn nothing_that_is_kept_is_changed_and_a_damaged_store_is_a_fault() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", site::RELAY)?;
    // A kill leaves a state file that a start repairs.
    let site = site.start()?.kill()?;
    let before = kept(&site)?;
    check(&site)?.ok()?;
    super::doctor::doctor(&site, &["--json"])?.run()?;
    ensure!(kept(&site)? == before, "what is kept was written to");
    fs::write(site.data_dir().join("state.redb"), "no store")?;
    let said = check(&site)?.expect(3)?.errors;
    ensure!(
        said.contains("state.redb: the state file is damaged") && said.contains("hint: restore state.redb"),
        "{said}"
    );
    fs::remove_file(site.declaration("lamp"))?;
    check(&site)?.expect(3)?;
    refused_at_start(site, "the state file is damaged")
}

#[test]
fn a_component_that_does_not_fit_is_no_fault_while_a_kept_version_serves() -> Result<()> {
    let mut site = Site::new()?;
    let relay = site.own_handlers()?.join("relay.wasm");
    fs::write(&relay, handlers::component("relay")?)?;
    site.thing("lamp", site::RELAY)?;
    let (_, site) = site.start()?.stop()?;
    fs::write(&relay, handlers::component("led")?)?;
    let said = check(&site)?.ok()?.errors;
    let doubt =
        "`grants.lamp`: the handler wants it (pwm), and it is not granted (version 1, which is kept, serves on)";
    ensure!(said.contains(doubt) && said.matches("warning: ").count() == said.matches("serves on)").count(), "{said}");
    let (_, site) = site.start()?.stop()?;
    // The kept version has to fit too.
    site.thing("lamp", &site::RELAY.replace("grants.coil", "grants.coill"))?;
    let said = check(&site)?.expect(3)?.errors;
    ensure!(said.contains("1 fault in") && said.contains("`grants.coil`: the handler wants it (gpio)"), "{said}");
    refused_at_start(site, "`grants.coil`: the handler wants it")
}

#[test]
fn what_a_running_gateway_may_have_been_given_is_no_fault() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", site::RELAY)?;
    let gateway = site.start()?;
    // The file says nothing of the pushed version and its grant; now it does not fit the folder's component either.
    let led = handlers::folder()?.join("led.wasm");
    let led = led.to_str().context("no UTF-8 path")?;
    let grant = "lamp={ kind = \"pwm\", chip = \"board:pwm-0\", channel = 0, frequency-hz = 1000, fail-safe = 0 }";
    super::run(&gateway, &["handler", "push", "lamp", led, "--approve", "--yes", "--grant", grant])?.ok()?;
    gateway.site().thing("lamp", &site::RELAY.replace("grants.coil", "grants.coill"))?;
    gateway.site().thing("gone", "handler = \"gone\"\n")?;
    let said = check(gateway.site())?.ok()?.errors;
    for doubt in ["`grants.coil`: the handler wants it (gpio), and it is not granted", "there is no gone.wasm in "] {
        ensure!(said.contains(doubt), "no `{doubt}`: {said}");
    }
    ensure!(said.matches("(what was configured or pushed cannot be seen now)").count() == 3, "{said}");
    let url = format!("http://{}", gateway.client().address());
    let said = super::doctor::doctor(gateway.site(), &["--json", "--gateway", &url])?.run()?.ok()?;
    super::doctor::found(&said, "handlers", "warn", "cannot be seen now")
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
