//! `tidegate thing`: found, read, written, invoked and observed, for people and for programs.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{CommandLine, eventually};

use super::{gateway, run};

/// Longer than anything here takes.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn things_are_listed_shown_read_and_written() -> Result<()> {
    let gateway = gateway()?;
    let listed = run(&gateway, &["thing", "list"])?.ok()?.output;
    ensure!(listed.starts_with("NAME ") && !listed.contains('\x1b'), "{listed}");
    ensure!(listed.lines().any(|line| line.starts_with("lamp ") && line.contains("1 property, 1 action")), "{listed}");
    let names = run(&gateway, &["thing", "list", "--json"])?.ok()?.json()?;
    let names: Vec<_> = names.as_array().context("no list")?.iter().map(|thing| thing["name"].clone()).collect();
    ensure!(names == ["board", "climate", "gateway", "lamp", "led"], "{names:?}");

    let shown = run(&gateway, &["thing", "show", "led"])?.ok()?.output;
    ensure!(shown.contains("integer 0..100 %") && shown.contains("to=<integer 0..100 %>"), "{shown}");
    let shown = run(&gateway, &["thing", "show", "led", "--json"])?.ok()?.json()?;
    ensure!(shown["description"]["title"].is_string() && shown["actions"].is_object(), "{shown}");
    let id = shown["description"]["id"].as_str().context("no id")?;
    ensure!(run(&gateway, &["thing", "show", id, "--json"])?.ok()?.json()?["name"] == "led");

    run(&gateway, &["thing", "write", "lamp", "on", "on"])?.ok()?;
    let written = run(&gateway, &["thing", "write", "led", "brightness", "40", "--json"])?.ok()?.json()?;
    ensure!(written == json!({"thing": "led", "property": "brightness", "value": 40}), "{written}");
    ensure!(gateway.client().value("/things/lamp/properties/on")? == true);
    let written = run(&gateway, &["thing", "write", "led", "brightness=30"])?.ok()?.output;
    ensure!(written.trim() == "brightness of led is 30 %", "{written}");
    run(&gateway, &["thing", "write", "led", "brightness=30", "on=true"])?.failed(2, "one property", "NAME=VALUE")?;
    run(&gateway, &["thing", "write", "led", "brightness"])?.failed(2, "no value for", "led brightness VALUE")?;
    run(&gateway, &["thing", "write", "led", "brightness=40"])?.ok()?;
    let read = run(&gateway, &["thing", "read", "led", "brightness"])?.ok()?.output;
    ensure!(read.contains("40 %") && read.contains("good"), "{read}");
    let read = run(&gateway, &["thing", "read", "led", "--json"])?.ok()?.json()?;
    let brightness = &read["properties"]["brightness"];
    ensure!(brightness["value"] == 40 && brightness["unit"] == "qudt:PERCENT", "{read}");
    ensure!(
        brightness["taken"].is_string() && brightness["age"].is_u64() && brightness["quality"].is_string(),
        "{read}"
    );
    Ok(())
}

#[test]
fn what_does_not_fit_is_told_before_it_is_sent() -> Result<()> {
    let gateway = gateway()?;
    let wrong = |arguments: &[&str]| run(&gateway, arguments);
    let said = wrong(&["thing", "invoke", "led", "fade", "to=101", "duration=x"])?.failed(
        2,
        "schema",
        "to=<integer 0..100 %>",
    )?;
    ensure!(said.errors.contains("because: to: ") && said.errors.contains("because: duration: "), "{said:?}");
    wrong(&["thing", "write", "lamp", "on", "perhaps"])?.failed(2, "does not fit", "boolean")?;
    wrong(&["thing", "write", "led", "brightness", "-1"])?.failed(2, "does not fit", "0..100")?;
    wrong(&["thing", "write", "climate", "temperature", "3"])?.failed(5, "cannot be written", "only be read")?;
    wrong(&["thing", "invoke", "led", "fade"])?.failed(2, "wants an input", "duration=")?;
    wrong(&["thing", "invoke", "led", "fade", "too=1"])?.failed(2, "input is wrong", "to=")?;
    wrong(&["thing", "show", "clmate"])?.failed(6, "no Thing `clmate`", "`climate`")?;
    wrong(&["thing", "read", "climate", "temprature"])?.failed(6, "temprature", "`temperature`")?;
    wrong(&["thing", "read", "led", "fade"])?.failed(6, "fade", "thing invoke")?;
    wrong(&["thing", "observe", "led", "nothing"])?.failed(6, "nothing", "thing show led")?;
    wrong(&["thing", "invoke", "lamp/handler", "replace"])?.failed(2, "takes bytes", "handler push")?;
    Ok(())
}

#[test]
fn an_action_is_followed_to_its_end_or_left_or_cancelled() -> Result<()> {
    let gateway = gateway()?;
    let said = run(&gateway, &["thing", "invoke", "led", "fade", "to=30", "duration=700"])?.ok()?;
    ensure!(said.output.trim() == "fade completed: 30 %" && said.errors.contains("fade "), "{said:?}");
    let long = ["thing", "invoke", "led", "fade", "{\"to\": 100, \"duration\": 600000}"];
    let left = run(&gateway, &[&long[..], &["--json", "--no-wait"]].concat())?.ok()?.json()?;
    ensure!(left["status"] == "running" && left["href"].is_string(), "{left}");
    ensure!(run(&gateway, &["thing", "show", "led"])?.ok()?.output.contains("UNDER WAY"));

    // Ctrl-C leaves it running and says so; with the option it cancels it.
    let running = CommandLine::new(&long)?.of(&gateway).start()?;
    running.line(|line| line.contains("fade running").then_some(()))?;
    let (status, said) = running.interrupt(LONG)?;
    ensure!(status.code() == Some(130) && said.contains("hint: it goes on"), "{status} {said}");
    ensure!(said.contains("tidegate thing cancel led fade"), "{said}");
    let statuses = |count: usize| {
        let all = gateway.client().value("/things/led/actions")?;
        let running = all["fade"].as_array().into_iter().flatten().filter(|status| status["status"] == "running");
        Ok((running.count() == count).then_some(()))
    };
    eventually("one fade goes on", LONG, || statuses(1))?;
    let running = CommandLine::new(&[&long[..], &["--cancel-on-interrupt"]].concat())?.of(&gateway).start()?;
    running.line(|line| line.contains("fade running").then_some(()))?;
    let (status, said) = running.interrupt(LONG)?;
    ensure!(status.code() == Some(130) && said.contains("fade cancelled"), "{status} {said}");
    eventually("no fade goes on", LONG, || statuses(0))?;

    run(&gateway, &[&long[..], &["--no-wait"]].concat())?.ok()?;
    let cancelled = run(&gateway, &["thing", "cancel", "led", "fade", "--json"])?.ok()?.json()?;
    ensure!(cancelled["cancelled"].as_array().is_some_and(|addresses| addresses.len() == 1), "{cancelled}");
    run(&gateway, &["thing", "cancel", "led", "fade"])?.failed(5, "under way", "thing show led")?;
    Ok(())
}

#[test]
fn an_action_that_fails_says_why() -> Result<()> {
    let gateway = gateway()?;
    let running =
        CommandLine::new(&["thing", "invoke", "led", "fade", "to=100", "duration=600000"])?.of(&gateway).start()?;
    running.line(|line| line.contains("fade running").then_some(()))?;
    run(&gateway, &["thing", "write", "led", "brightness", "1"])?.ok()?;
    let (status, said) = running.end(LONG)?;
    ensure!(
        status.code() == Some(1) && said.contains("the action `fade` failed") && said.contains("because: "),
        "{said}"
    );
    Ok(())
}

#[test]
fn values_are_observed_and_a_lost_connection_is_made_again() -> Result<()> {
    let gateway = gateway()?;
    let address = gateway.client().address().to_string();
    let running = CommandLine::new(&["thing", "observe", "lamp", "on", "--json"])?.of(&gateway).start()?;
    let value = |wanted: bool| {
        move |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["kind"] == "value" && line["value"] == wanted && line["id"].is_string()).then_some(())
        }
    };
    let kind = |wanted: &'static str| {
        move |line: &str| (serde_json::from_str::<Value>(line).ok()?["kind"] == wanted).then_some(())
    };
    running.line(value(false))?;
    gateway.client().json("PUT", "/things/lamp/properties/on", &json!(true))?.expect(204)?;
    running.line(value(true))?;
    let site = gateway.kill()?;
    running.line(kind("lost"))?;
    let _again = tests::Gateway::start_at(site, &address)?;
    running.line(kind("back"))?;
    Ok(())
}

#[test]
fn a_count_of_values_ends_an_observation() -> Result<()> {
    let gateway = gateway()?;
    let said = run(&gateway, &["thing", "observe", "climate", "--count", "2"])?.ok()?;
    ensure!(said.output.lines().count() >= 2 && !said.output.contains('\x1b'), "{said:?}");
    Ok(())
}
