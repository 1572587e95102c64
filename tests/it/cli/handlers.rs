//! `tidegate handler`: list, show, push, rollback, inspect, log.

use anyhow::{Context as _, Result, ensure};
use tests::{CommandLine, Site, handlers, site};

use super::{gateway, run};

#[test]
fn handlers_are_listed_shown_replaced_and_rolled_back() -> Result<()> {
    let gateway = gateway()?;
    let listed = run(&gateway, &["handler", "list", "--json"])?.ok()?.json()?;
    let lamp = listed.as_array().and_then(|rows| rows.iter().find(|row| row["thing"] == "lamp")).context("no lamp")?;
    ensure!(lamp["version"] == 1 && lamp["status"]["state"] == "running", "{lamp}");
    let table = run(&gateway, &["handler", "list"])?.ok()?.output;
    ensure!(table.lines().count() == 4 && table.starts_with("THING "), "{table}");

    let file = gateway.site().path().join("other.wasm");
    std::fs::write(&file, handlers::variant("relay", "one")?)?;
    let file = file.to_str().context("no UTF-8 path")?;
    let inspected = run(&gateway, &["handler", "inspect", file, "--json"])?.ok()?.json()?;
    let pushed = run(&gateway, &["handler", "push", "lamp", file, "--json"])?.ok()?.json()?;
    ensure!(pushed["thing"] == "lamp" && pushed["version"] == 2 && pushed["digest"] == inspected["digest"], "{pushed}");
    let shown = run(&gateway, &["handler", "show", "lamp"])?.ok()?.output;
    ensure!(shown.contains("chip=board:gpio line=17") && shown.contains("Versions"), "{shown}");
    let back = run(&gateway, &["handler", "rollback", "lamp", "--json"])?.ok()?.json()?;
    let shown = run(&gateway, &["handler", "show", "lamp", "--json"])?.ok()?.json()?;
    ensure!(back["digest"] == lamp["digest"] && shown["digest"] == lamp["digest"], "{back}");

    let expect = ["handler", "push", "lamp", file, "--expect", inspected["digest"].as_str().context("no digest")?];
    run(&gateway, &expect)?.expect(5)?;
    run(&gateway, &["handler", "push", "gateway", file])?.failed(5, "has no handler", "gateway itself")?;
    run(&gateway, &["handler", "push", "lamp", "/nowhere.wasm"])?.failed(2, "/nowhere.wasm", "tidegate build")?;
    run(&gateway, &["handler", "push", "lamp", "/proc/cpuinfo"])?.failed(2, "no WebAssembly", "tidegate build")?;
    run(&gateway, &["handler", "inspect", "/proc/cpuinfo"])?.failed(1, "no handler", "tidegate build")?;
    Ok(())
}

#[test]
fn without_a_version_before_there_is_no_way_back_and_a_hint() -> Result<()> {
    let gateway = gateway()?;
    let said = run(&gateway, &["handler", "rollback", "lamp"])?.failed(5, "refused", "handler push lamp FILE")?;
    ensure!(said.errors.contains("no version before") && !said.errors.contains("goes back in place"), "{said:?}");
    Ok(())
}

#[test]
fn a_setting_is_held_against_the_component_that_is_pushed() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", &site::LED.replace("fail-safe = 0", "fail-safe = 0\n[settings]\nbrightness = 5"))?;
    let gateway = site.start()?;
    let file = handlers::folder()?.join("led.wasm");
    let file = file.to_str().context("no UTF-8 path")?;
    let push = |setting: &str| run(&gateway, &["handler", "push", "lamp", file, "--setting", setting]);
    push("brightness=500")?.failed(2, "`settings.brightness`: ", "\"maximum\":100")?;
    let said = push("brightnes=50")?.ok()?.errors;
    ensure!(said.contains("warning: `settings.brightnes`: ") && said.contains("did you mean `brightness`?"), "{said}");
    Ok(())
}

#[test]
fn a_component_that_contradicts_the_settings_is_refused_with_its_field() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", &format!("{}[settings]\nbrightness = 500\n[grants.lamp]\n{LAMP}", site::RELAY))?;
    let gateway = site.start()?;
    ensure!(gateway.output().contains("`settings.brightness`: "), "{}", gateway.output());
    let file = handlers::folder()?.join("led.wasm");
    let file = file.to_str().context("no UTF-8 path")?;
    let said = run(&gateway, &["handler", "push", "lamp", file, "--approve"])?.expect(5)?.errors;
    ensure!(said.contains("/settings/brightness: ") && said.contains("maximum of 100"), "{said}");
    Ok(())
}

/// The board's light, in the words of a file.
const LAMP: &str = "kind = \"pwm\"\nchip = \"board:pwm-0\"\nchannel = 0\nfrequency-hz = 1000\n";

#[test]
fn a_log_is_printed_and_followed() -> Result<()> {
    let site = Site::new()?;
    site.thing("lab", site::LABORATORY)?;
    let gateway = site.start()?;
    run(&gateway, &["thing", "invoke", "lab", "say", "first\x1b[2J words"])?.ok()?;
    let said = run(&gateway, &["handler", "log", "lab"])?.ok()?.output;
    ensure!(said.contains("first") && said.contains("[2J words") && !said.contains('\x1b'), "{said}");
    let running =
        CommandLine::new(&["handler", "log", "lab", "--follow", "--json", "-n", "0"])?.of(&gateway).start()?;
    // The first look may come before or after the next line: lines go on until one was seen.
    let line = |line: &str| line.contains("second").then(|| line.to_owned());
    let seen = tests::eventually("the line is followed", std::time::Duration::from_secs(30), || {
        run(&gateway, &["thing", "invoke", "lab", "say", "second"])?.ok()?;
        Ok(running.output().lines().find_map(line))
    })?;
    let seen: serde_json::Value = serde_json::from_str(&seen)?;
    ensure!(seen["message"].as_str().is_some_and(|text| text.contains("second")) && seen["time"].is_string(), "{seen}");
    Ok(())
}

#[test]
fn what_a_new_handler_wants_is_shown_and_given_after_a_question() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", site::RELAY)?;
    let gateway = site.start()?;
    let file = handlers::folder()?.join("led.wasm");
    let file = file.to_str().context("no UTF-8 path")?;
    let push = ["handler", "push", "lamp", file, "--approve"];
    let lamp = "lamp={ kind = \"pwm\", chip = \"board:pwm-0\", channel = 0, frequency-hz = 1000, fail-safe = 0 }";
    let refused = run(&gateway, &push)?.failed(5, "does not allow it", "--grant 'lamp=")?;
    ensure!(refused.errors.contains("not known to be granted"), "{refused:?}");
    let given = [&push[..], &["--grant", lamp]].concat();
    run(&gateway, &given)?.failed(2, "this gives `lamp`", "--yes")?;
    // Refused for another reason: what was given for it is taken back.
    let digest = "0".repeat(64);
    let other = [&given[..], &["--yes", "--expect", &digest]].concat();
    let refused = run(&gateway, &other)?.expect(5)?;
    ensure!(refused.errors.contains("was taken back"), "{refused:?}");
    run(&gateway, &push)?.expect(5)?;
    let wrong = lamp.replace("pwm-0", "pwm-7");
    let said = run(&gateway, &[&push[..], &["--yes", "--grant", &wrong]].concat())?;
    let said = said.failed(5, "refused", "tidegate hardware")?;
    ensure!(said.errors.contains("the simulated board has \"board:pwm-0\""), "{said:?}");
    run(&gateway, &[&push[..], &["--yes", "--grant", "lamp"]].concat())?.failed(2, "--grant", "push --help")?;
    run(&gateway, &[&push[..], &["--yes", "--grant", "lamp={ kind = pwm }"]].concat())?.failed(
        2,
        "`lamp`: no",
        "push",
    )?;
    let pushed = run(&gateway, &[&given[..], &["--yes"]].concat())?.ok()?;
    ensure!(pushed.errors.contains("new: ") && pushed.output.contains("version"), "{pushed:?}");
    run(&gateway, &["thing", "write", "lamp", "brightness", "100"])?.ok()?;
    Ok(())
}
