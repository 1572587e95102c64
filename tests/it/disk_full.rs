//! A disk that is full, or fails: reads and what is not kept go on, what would have to be kept is refused with 507, and
//! when there is space again it is kept again, without a restart.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Gateway, Launch, Launched, Site, eventually, handlers,
    http::Request,
    site::{BUTTON, CLIMATE, LABORATORY, RELAY},
    small_disk::{self, Filler},
    sse::EventStream,
    strace::{self, Failing},
};

const COUNTER: &str = "/things/lab/properties/counter";
const HEALTH: &str = "/things/gateway/properties/health";
const SOON: Duration = Duration::from_secs(30);
/// Everything by which bytes come to a disk.
const WRITING: &str = "pwrite64,fdatasync,fsync,ftruncate";
/// More refusals than a handler may have faults, or failed starts.
const REFUSALS: u64 = 12;
/// What the store says when it cannot write, and when it can again.
const TROUBLE: &str = "the store cannot be written";
const RECOVERED: &str = "the store can be written again";

fn site() -> Result<Site> {
    let site = Site::new()?;
    site.configure(
        "[board]\nsimulated = true\n[canary]\ncalls = 1_000\n[budgets]\nread-ms = 5_000\nwrite-ms = 5_000\n",
    )?;
    // A traced gateway is slow: its readings are to be good for longer.
    let climate = CLIMATE.replace("samplingInterval = 200", "samplingInterval = 2000");
    site.thing("lab", LABORATORY)?.thing("bell", BUTTON)?.thing("climate", &climate)?.thing("lamp", RELAY)?;
    Ok(site)
}

fn count(client: Client, n: u64) -> Result<()> {
    client.json("PUT", COUNTER, &json!(n))?.expect(204).map(drop)
}

fn is_refused(client: Client, n: u64) -> Result<()> {
    let problem = client.json("PUT", COUNTER, &json!(n))?.problem(507)?;
    ensure!(problem["type"].as_str().is_some_and(|kind| kind.ends_with(":storage")), "{problem}");
    Ok(())
}

fn push(client: Client, mark: &str) -> Result<tests::Response> {
    let component = handlers::variant("laboratory", mark)?;
    let target = "/things/lab/handler/actions/replace";
    client.send(&Request::new("POST", target).body("application/wasm", component))
}

fn handler(client: Client, property: &str) -> Result<Value> {
    client.value(&format!("/things/lab/handler/properties/{property}"))
}

fn press(client: Client) -> Result<()> {
    let answer = client.json("POST", "/things/board/actions/press", &json!({ "part": "button" }))?;
    ensure!((200..300).contains(&answer.status), "{answer:?}");
    Ok(())
}

/// Reads, an effect and an action that keep nothing.
fn goes_on(client: Client, counter: u64) -> Result<()> {
    ensure!(client.value(COUNTER)? == counter, "a refused write is read");
    ensure!(client.value("/things/lab/properties/number")?.is_number());
    ensure!(client.value("/things/climate/properties/temperature")?.is_number());
    ensure!(client.value("/things/bell/properties/presses")?.is_number());
    client.json("PUT", "/things/lamp/properties/on", &json!(counter.is_multiple_of(2)))?.expect(204)?;
    let sum = client.json("POST", "/things/lab/actions/add", &json!({ "a": 2, "b": 40 }))?.expect(200)?;
    ensure!(sum.value()? == 42);
    Ok(())
}

fn health_is(gateway: &Gateway, wanted: &str) -> Result<Value> {
    eventually(&format!("health is {wanted}"), SOON, || {
        let health = gateway.client().value(HEALTH)?;
        Ok((health["status"] == wanted).then_some(health))
    })
    .map_err(|error| error.context(gateway.output()))
}

fn said(gateway: &Gateway, words: &str) -> usize {
    gateway.output().matches(words).count()
}

/// Names of all files below a folder.
fn files(folder: &Path) -> Result<BTreeSet<OsString>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        }
        found.insert(entry.file_name());
    }
    Ok(found)
}

fn nothing_more(folder: &Path, before: &BTreeSet<OsString>) -> Result<()> {
    let mut left = Vec::new();
    let cleared = eventually("nothing is left behind", SOON, || {
        left = files(folder)?.difference(before).cloned().collect();
        Ok(left.is_empty().then_some(()))
    });
    cleared.with_context(|| format!("{left:?}"))
}

#[test]
fn on_a_full_disk_reads_go_on_and_what_would_be_kept_is_refused_until_there_is_space() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let gateway = site()?.start()?;
    let client = gateway.client();
    count(client, 1)?;
    let mut presses = EventStream::open(&client, "/things/bell/events/pressed", None)?;
    press(client)?;
    ensure!(presses.expect_message()?.value()? == 1);
    let mut samples = EventStream::open(&client, "/things/climate/properties/temperature", None)?;
    samples.expect_message()?;

    let full = Failing::begin(gateway.id(), WRITING, "ENOSPC")?;
    for n in 0..REFUSALS {
        is_refused(client, 100 + n)?;
        goes_on(client, 1)?;
    }
    press(client)?;
    let drift = json!({ "part": "bme280", "quantity": "temperature", "value": 31 });
    client.json("POST", "/things/board/actions/set", &drift)?.expect(204)?;
    samples.expect_message()?;
    let health = health_is(&gateway, "degraded")?;
    ensure!(health["storage"].as_str().is_some_and(|reason| !reason.is_empty()), "{health}");
    ensure!(handler(client, "status")?["state"] == "running" && handler(client, "faults")? == json!([]));
    full.end()?;

    ensure!(health_is(&gateway, "ok")?.get("storage").is_none());
    ensure!(said(&gateway, TROUBLE) == 1 && said(&gateway, RECOVERED) == 1, "{}", gateway.output());
    count(client, 2)?;
    goes_on(client, 2)?;
    // A press that could not be kept was not told; one that can be is, as soon as the button is looked after again.
    let told = eventually("a press is told", SOON, || {
        press(client)?;
        Ok(client.value("/things/bell/properties/presses")?.as_u64().filter(|presses| *presses >= 2))
    })?;
    ensure!(presses.expect_message()?.value()? == 2, "{told} are counted");
    let gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value(COUNTER)? == 2, "a refused write came back");
    Ok(())
}

#[test]
fn no_call_that_fails_loses_or_keeps_what_was_not_told() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let mut gateway = site()?.start()?;
    let mut kept = 0;
    for (calls, error) in [("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EDQUOT")] {
        let client = gateway.client();
        count(client, kept + 1)?;
        let failing = Failing::begin(gateway.id(), calls, error)?;
        for n in 0..3 {
            is_refused(client, 100 + n).with_context(|| format!("{calls} with {error}"))?;
            ensure!(client.value(COUNTER)? == kept + 1, "{calls} with {error}");
        }
        failing.end()?;
        count(client, kept + 2).with_context(|| format!("after {calls} with {error}"))?;
        kept += 2;
        gateway = gateway.kill()?.start()?;
        ensure!(gateway.client().value(COUNTER)? == kept, "after {calls} with {error}");
    }
    Ok(())
}

#[test]
fn a_full_disk_is_no_fault_of_a_version_on_trial() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let gateway = site()?.start()?;
    let client = gateway.client();
    count(client, 1)?;
    push(client, "on trial")?.expect(200)?;
    let digest = handler(client, "digest")?;
    let full = Failing::begin(gateway.id(), WRITING, "ENOSPC")?;
    (0..REFUSALS).try_for_each(|n| is_refused(client, 100 + n))?;
    ensure!(handler(client, "digest")? == digest && handler(client, "status")?["state"] == "canary");
    full.end()?;
    count(client, 2)
}

#[test]
fn a_handler_pushed_to_a_full_disk_is_refused_and_leaves_nothing_behind() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let gateway = site()?.start()?;
    let (client, data_dir) = (gateway.client(), gateway.site().data_dir());
    let (digest, before) = (handler(client, "digest")?, files(&data_dir)?);
    for (mark, calls) in [("component", "fsync"), ("name", "/^rename"), ("record", "fdatasync")] {
        let full = Failing::begin(gateway.id(), calls, "ENOSPC")?;
        push(client, mark)?.problem(507).with_context(|| mark.to_owned())?;
        full.end()?;
        ensure!(handler(client, "digest")? == digest, "{mark}");
        // Once the store is sure that the refused record is not on disk either.
        nothing_more(&data_dir, &before).with_context(|| mark.to_owned())?;
    }
    push(client, "component")?.expect(200)?;
    ensure!(handler(client, "versions")?.as_array().map(Vec::len) == Some(2));
    Ok(())
}

/// No injected errors: a file system of its own that is filled to the last byte.
#[test]
fn a_disk_that_is_really_full_recovers_too() -> Result<()> {
    if !small_disk::is_permitted()? {
        return Ok(());
    }
    let site = site()?;
    let data_dir = site.data_dir();
    let launch = Launch { runner: small_disk::at(&data_dir, 16 << 20), ..Launch::default() };
    let gateway = match Gateway::launch(site, &launch)? {
        Launched::Serves(gateway) => *gateway,
        Launched::Ended { output, .. } => anyhow::bail!("it did not start: {output}"),
    };
    let (client, data_dir) = (gateway.client(), small_disk::seen(gateway.id(), &data_dir));
    count(client, 1)?;
    let (digest, before) = (handler(client, "digest")?, files(&data_dir)?);
    let filler = Filler::of(&data_dir)?;
    push(client, "large")?.problem(507)?;
    let mut kept = 1;
    for n in 2..50 {
        // What goes into pages that the file has already is kept on a full disk too.
        let answer = client.json("PUT", COUNTER, &json!(n))?;
        if answer.status == 204 {
            kept = n;
        } else {
            answer.problem(507)?;
        }
        goes_on(client, kept)?;
    }
    drop(filler);
    ensure!(handler(client, "digest")? == digest);
    nothing_more(&data_dir, &before)?;
    count(client, 100)?;
    push(client, "large")?.expect(200)?;
    health_is(&gateway, "ok")?;
    ensure!(client.value(COUNTER)? == 100);
    Ok(())
}
