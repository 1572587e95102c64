//! The handlers folder while the gateway runs: what is dropped into it serves, what is half written or bad never does.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Gateway, Site, eventually, handlers,
    site::{HOST_MONITOR, LABORATORY, RELAY},
    sse::EventStream,
};
use tidegate::names::ComponentDigest;

const SOON: Duration = Duration::from_secs(20);
/// Of the reads during a replacement.
const PACE: Duration = Duration::from_millis(2);

/// A site whose handlers folder is its own, with the project's handlers in it.
fn site() -> Result<Site> {
    let mut site = Site::new()?;
    let folder = site.own_handlers()?.to_owned();
    for name in ["relay", "host-monitor", "laboratory"] {
        fs::write(folder.join(name).with_extension("wasm"), handlers::component(name)?)?;
    }
    Ok(site)
}

fn lamp() -> Result<Gateway> {
    let site = site()?;
    site.thing("lamp", RELAY)?;
    site.start()
}

fn file(gateway: &Gateway, handler: &str) -> PathBuf {
    gateway.site().handlers().join(handler).with_extension("wasm")
}

fn handler(client: Client, thing: &str, property: &str) -> Result<Value> {
    client.value(&format!("/things/{thing}/handler/properties/{property}"))
}

fn runs(client: Client, thing: &str, component: &[u8]) -> Result<bool> {
    Ok(handler(client, thing, "digest")? == ComponentDigest::of(component).to_string())
}

fn comes_to_run(gateway: &Gateway, thing: &str, component: &[u8]) -> Result<()> {
    let client = gateway.client();
    let came = eventually("the dropped component runs", SOON, || Ok(runs(client, thing, component)?.then_some(())));
    came.map_err(|error| error.context(gateway.output()))
}

/// The reason of the newest of `count` refusals.
fn refused(gateway: &Gateway, thing: &str, count: usize) -> Result<String> {
    eventually("the refusal is said", SOON, || {
        let refusals = handler(gateway.client(), thing, "refusals")?;
        let last = refusals.as_array().filter(|refusals| refusals.len() == count).and_then(|refusals| refusals.last());
        Ok(last.and_then(|last| last["reason"].as_str().map(str::to_owned)))
    })
    .map_err(|error| error.context(gateway.output()))
}

#[test]
fn a_component_that_is_copied_or_moved_in_replaces_while_the_thing_is_read() -> Result<()> {
    let site = site()?;
    // A read may wait for its processor: what is shown here is that none fails by a replacement.
    site.configure("[board]\nsimulated = true\n[budgets]\nread-ms = 2_000\n")?;
    site.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let done = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let done = Arc::clone(&done);
        move || -> Result<()> {
            let mut connection = client.connect()?;
            while !done.load(Relaxed) {
                connection.send(&tests::http::Request::new("GET", "/things/lamp/properties/on"))?.expect(200)?;
                thread::park_timeout(PACE);
            }
            Ok(())
        }
    });
    let (copied, moved) = (handlers::variant("relay", "copied")?, handlers::variant("relay", "moved")?);
    fs::write(file(&gateway, "relay"), &copied)?;
    comes_to_run(&gateway, "lamp", &copied)?;
    let beside = gateway.site().handlers().join(".relay.wasm.part");
    fs::write(&beside, &moved)?;
    fs::rename(&beside, file(&gateway, "relay"))?;
    comes_to_run(&gateway, "lamp", &moved)?;
    done.store(true, Relaxed);
    reader.join().map_err(|_| anyhow!("the reader panicked"))??;
    let versions = handler(client, "lamp", "versions")?;
    ensure!(versions.as_array().is_some_and(|versions| versions.len() == 3), "{versions}");
    ensure!(versions[0]["origin"] == "folder", "{versions}");
    Ok(())
}

#[test]
fn a_link_that_leads_to_another_component_replaces() -> Result<()> {
    let gateway = lamp()?;
    let (linked, relinked) = (handlers::variant("relay", "linked")?, handlers::variant("relay", "relinked")?);
    let builds = gateway.site().path().join("builds");
    fs::create_dir(&builds)?;
    fs::write(builds.join("1"), &linked)?;
    fs::write(builds.join("2"), &relinked)?;
    fs::remove_file(file(&gateway, "relay"))?;
    symlink(builds.join("1"), file(&gateway, "relay"))?;
    comes_to_run(&gateway, "lamp", &linked)?;
    symlink(builds.join("2"), builds.join("link"))?;
    fs::rename(builds.join("link"), file(&gateway, "relay"))?;
    comes_to_run(&gateway, "lamp", &relinked)
}

#[test]
fn a_half_written_component_is_not_loaded_before_it_is_closed() -> Result<()> {
    let site = site()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let whole = handlers::variant("relay", "whole")?;
    let (first, second) = whole.split_at(whole.len() / 2);
    let mut writing = fs::File::create(file(&gateway, "relay"))?;
    writing.write_all(first)?;
    writing.sync_all()?;
    // What was dropped later is there: the half one was passed over.
    let later = handlers::variant("host-monitor", "later")?;
    fs::write(file(&gateway, "host-monitor"), &later)?;
    comes_to_run(&gateway, "machine", &later)?;
    ensure!(runs(client, "lamp", &handlers::component("relay")?)?);
    ensure!(handler(client, "lamp", "refusals")? == json!([]), "{}", gateway.output());
    writing.write_all(second)?;
    drop(writing);
    comes_to_run(&gateway, "lamp", &whole)?;
    ensure!(handler(client, "lamp", "refusals")? == json!([]), "{}", gateway.output());
    Ok(())
}

#[test]
fn what_is_no_handler_for_the_thing_is_refused_with_its_reason() -> Result<()> {
    let site = site()?;
    site.configure("[board]\nsimulated = true\n[limits]\ncomponent-bytes-max = 4_194_304\n")?;
    site.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let mut events = EventStream::open(&client, "/things/lamp/handler/events/refused", None)?;
    let relay = handlers::component("relay")?;
    let (other_kind, more_wants) = (handlers::component("laboratory")?, handlers::component("host-monitor")?);
    let bad: [(&str, &[u8], &str); 5] = [
        ("no component", b"no component at all", "refused"),
        ("half a component", &relay[..relay.len() / 2], "refused"),
        ("more than is allowed", &vec![0; 5 << 20], "larger than 4194304 bytes"),
        ("another kind of device", &other_kind, "lacks"),
        ("more wants than grants", &more_wants, "grant"),
    ];
    for (count, (what, bytes, word)) in bad.iter().enumerate() {
        fs::write(file(&gateway, "relay"), bytes)?;
        let reason = refused(&gateway, "lamp", count + 1)?;
        ensure!(reason.contains(word), "{what}: {reason}");
        ensure!(events.expect_message()?.value()?["reason"] == reason, "{what}");
        eventually("the log says it", SOON, || Ok(gateway.output().contains(&reason).then_some(())))?;
        ensure!(runs(client, "lamp", &relay)? && client.value("/things/lamp/properties/on")?.is_boolean(), "{what}");
    }
    fs::remove_file(file(&gateway, "relay"))?;
    let good = handlers::variant("relay", "good")?;
    fs::write(file(&gateway, "relay"), &good)?;
    comes_to_run(&gateway, "lamp", &good)
}

#[test]
fn what_was_dropped_serves_after_a_restart_and_what_was_refused_does_not() -> Result<()> {
    let site = site()?;
    site.thing("lab", LABORATORY)?;
    let gateway = site.start()?;
    let good = handlers::variant("laboratory", "good")?;
    fs::write(file(&gateway, "laboratory"), &good)?;
    comes_to_run(&gateway, "lab", &good)?;
    // A start by itself rehearses nothing: it would install this one.
    fs::write(file(&gateway, "laboratory"), handlers::misbehaving("start:trap")?)?;
    let reason = refused(&gateway, "lab", 1)?;
    ensure!(reason.contains("rehearsal"), "{reason}");
    let gateway = gateway.kill()?.start()?;
    let client = gateway.client();
    ensure!(runs(client, "lab", &good)? && handler(client, "lab", "version")? == 2, "{}", gateway.output());
    client.value("/things/lab/properties/number")?;
    let next = handlers::variant("laboratory", "next")?;
    fs::write(file(&gateway, "laboratory"), &next)?;
    comes_to_run(&gateway, "lab", &next)?;
    let (_, site) = gateway.stop()?;
    fs::write(site.handlers().join("laboratory.wasm"), b"no component, and put there while nobody watched")?;
    let gateway = site.start()?;
    ensure!(runs(gateway.client(), "lab", &next)? && handler(gateway.client(), "lab", "version")? == 3);
    refused(&gateway, "lab", 1)?;
    Ok(())
}

#[test]
fn what_lacked_a_grant_is_taken_by_a_start_that_finds_it_given() -> Result<()> {
    let site = site()?;
    site.thing("box", LABORATORY)?;
    let gateway = site.start()?;
    let relay = handlers::component("relay")?;
    fs::write(file(&gateway, "laboratory"), &relay)?;
    ensure!(refused(&gateway, "box", 1)?.contains("grant"));
    let (_, site) = gateway.stop()?;
    site.thing("box", &RELAY.replace("\"relay\"", "\"laboratory\""))?;
    let gateway = site.start()?;
    ensure!(runs(gateway.client(), "box", &relay)?, "{}", gateway.output());
    Ok(())
}

#[test]
fn what_was_dropped_and_turns_out_bad_is_rolled_back_and_not_taken_again() -> Result<()> {
    let site = site()?;
    site.thing("lab", LABORATORY)?;
    let gateway = site.start()?;
    let (good, bad) = (handlers::component("laboratory")?, handlers::misbehaving("number:trap")?);
    fs::write(file(&gateway, "laboratory"), &bad)?;
    comes_to_run(&gateway, "lab", &bad)?;
    let client = gateway.client();
    eventually("it is rolled back", SOON, || {
        client.value("/things/lab/properties/number")?;
        Ok(runs(client, "lab", &good)?.then_some(()))
    })?;
    let gateway = gateway.kill()?.start()?;
    ensure!(runs(gateway.client(), "lab", &good)?, "{}", gateway.output());
    Ok(())
}

#[test]
fn every_thing_of_a_handler_gets_it_and_what_was_seen_is_no_news() -> Result<()> {
    let site = site()?;
    site.thing("lamp", RELAY)?.thing("pump", &RELAY.replace("line = 17", "line = 27"))?;
    let gateway = site.start()?;
    let client = gateway.client();
    let both = handlers::variant("relay", "both")?;
    for round in 0..2 {
        fs::write(file(&gateway, "relay"), &both)?;
        comes_to_run(&gateway, "lamp", &both)?;
        comes_to_run(&gateway, "pump", &both)?;
        ensure!(handler(client, "lamp", "version")? == 2 && handler(client, "pump", "version")? == 2, "round {round}");
    }
    eventually("it is said that it is no news", SOON, || {
        Ok((gateway.output().matches("is no news").count() == 2).then_some(()))
    })?;
    ensure!(handler(client, "lamp", "version")? == 2 && handler(client, "pump", "version")? == 2);
    Ok(())
}

#[test]
fn a_handlers_folder_that_is_replaced_by_another_is_watched_again() -> Result<()> {
    let gateway = lamp()?;
    let folder = gateway.site().handlers().to_owned();
    fs::remove_dir_all(&folder)?;
    eventually("it is said that the folder is gone", SOON, || {
        Ok(gateway.output().contains("can't be watched").then_some(()))
    })?;
    ensure!(gateway.client().value("/things/lamp/properties/on")?.is_boolean());
    let back = handlers::variant("relay", "back")?;
    fs::create_dir(&folder)?;
    fs::write(file(&gateway, "relay"), &back)?;
    comes_to_run(&gateway, "lamp", &back)?;
    // Another folder in its place, with its file already in it.
    let (other, elsewhere) = (handlers::variant("relay", "other")?, gateway.site().path().join("elsewhere"));
    fs::create_dir(&elsewhere)?;
    fs::write(elsewhere.join("relay.wasm"), &other)?;
    fs::rename(&folder, gateway.site().path().join("away"))?;
    fs::rename(&elsewhere, &folder)?;
    comes_to_run(&gateway, "lamp", &other)?;
    let again = handlers::variant("relay", "again")?;
    fs::write(file(&gateway, "relay"), &again)?;
    comes_to_run(&gateway, "lamp", &again)
}
