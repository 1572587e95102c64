//! Replacing a handler while its Thing is used: nothing is lost, a bad one never becomes current, a step back is one call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use serde_json::{Value, json};
use tests::{Client, Gateway, Site, handlers, http::Request, site::RELAY};

const HANDLER: &str = "/things/lamp/handler";
const ON: &str = "/things/lamp/properties/on";
const REPLACEMENTS: usize = 1_000;
/// Two workers, each a read or a write in turn: 200 requests a second together.
const WORKERS: u32 = 2;
const PACE: Duration = Duration::from_millis(10);

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    site.start()
}

fn replace(client: Client, component: &[u8]) -> Result<Value> {
    let request = Request::new("POST", &format!("{HANDLER}/actions/replace")).body("application/wasm", component);
    client.send(&request)?.expect(200)?.value()
}

fn digest(client: Client) -> Result<Value> {
    client.value(&format!("{HANDLER}/properties/digest"))
}

/// Reads and writes at its pace until `done`; how many were answered.
fn use_it(client: Client, done: &AtomicBool) -> Result<u32> {
    let mut connection = client.connect()?;
    let mut answered = 0;
    let mut due = Instant::now();
    while !done.load(Relaxed) {
        let on = json!(answered % 4 < 2);
        if answered % 2 == 0 {
            connection.send(&Request::new("PUT", ON).json(&on))?.expect(204)?;
        } else {
            connection.send(&Request::new("GET", ON))?.expect(200)?;
        }
        answered += 1;
        due += PACE;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    Ok(answered)
}

#[test]
fn a_thousand_replacements_lose_no_read_and_no_write() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let versions = [handlers::variant("relay", "even")?, handlers::variant("relay", "odd")?];
    let done = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let done = Arc::clone(&done);
            thread::spawn(move || use_it(client, &done))
        })
        .collect();
    let replaced = AtomicU32::new(0);
    let outcome = (0..REPLACEMENTS).try_for_each(|round| -> Result<()> {
        ensure!(workers.iter().all(|worker| !worker.is_finished()), "a request failed in round {round}");
        let answer = replace(client, &versions[round % 2])?;
        ensure!(answer["digest"] == digest(client)?, "round {round}: {answer}");
        replaced.fetch_add(1, Relaxed);
        Ok(())
    });
    done.store(true, Relaxed);
    let mut answered = 0;
    for worker in workers {
        answered += worker.join().map_err(|_| anyhow!("a worker panicked"))??;
    }
    outcome?;
    ensure!(answered > 0 && replaced.load(Relaxed) as usize == REPLACEMENTS, "{answered} answered");
    Ok(())
}

#[test]
fn a_bad_component_leaves_the_running_one_untouched() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let before = digest(client)?;
    client.json("PUT", ON, &json!(true))?.expect(204)?;
    let request = Request::new("POST", &format!("{HANDLER}/actions/replace"));
    let refused = client.send(&request.body("application/wasm", *b"no component at all"))?;
    ensure!((400..500).contains(&refused.status), "{refused:?}");
    ensure!(digest(client)? == before && client.value(ON)? == true);
    Ok(())
}

#[test]
fn rollback_brings_the_version_before_back() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let first = digest(client)?;
    let second = replace(client, &handlers::variant("relay", "second")?)?["digest"].clone();
    ensure!(first != second && digest(client)? == second);
    let answer = client.send(&Request::new("POST", &format!("{HANDLER}/actions/rollback")))?.expect(200)?.value()?;
    ensure!(answer["digest"] == first && digest(client)? == first, "{answer}");
    Ok(())
}

#[test]
fn a_replacement_that_expects_another_version_is_refused() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let before = digest(client)?;
    let target = format!("{HANDLER}/actions/replace?expect={}", "0".repeat(64));
    let component = handlers::variant("relay", "unexpected")?;
    client.send(&Request::new("POST", &target).body("application/wasm", component))?.problem(409)?;
    ensure!(digest(client)? == before);
    Ok(())
}
