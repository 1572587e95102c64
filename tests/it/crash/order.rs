//! What a kill cannot show, because the kernel keeps what was written: that it was synced, and in which order. A power cut
//! is survived by what is on disk when the answer leaves.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tests::{
    Gateway, Launch, Launched, Site, handlers,
    http::Request,
    site::LABORATORY,
    strace::{self, Recording},
};
use tidegate::names::ComponentDigest;

const CALLS: &str = "fsync,fdatasync,/^rename";
const WRITES: usize = 5;

/// Where a call stands that was carried out and has all these words in it, from `from` on.
fn place(calls: &[String], from: usize, words: &[&str]) -> Result<usize> {
    let done = |call: &str| !call.contains("= -1") && words.iter().all(|word| call.contains(word));
    let found = calls.iter().skip(from).position(|call| done(call));
    found.map(|place| from + place).with_context(|| format!("no {words:?} from {from} on in {calls:#?}"))
}

fn gateway(environment: Vec<(&'static str, String)>) -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lab", LABORATORY)?;
    match Gateway::launch(site, &Launch { environment, ..Launch::default() })? {
        Launched::Serves(gateway) => Ok(*gateway),
        Launched::Ended { output, .. } => bail!("it did not start: {output}"),
    }
}

/// How often the store syncs for some writes, one after the other.
fn synced_by_writes(gateway: &Gateway) -> Result<usize> {
    let recording = Recording::begin(gateway.id(), CALLS)?;
    for n in 0..WRITES {
        gateway.client().json("PUT", "/things/lab/properties/counter", &json!(n))?.expect(204)?;
    }
    Ok(recording.end()?.iter().filter(|call| call.contains("fdatasync") && call.contains("state.redb")).count())
}

/// The negative control.
#[test]
fn a_store_that_does_not_sync_is_seen() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let liar = gateway(vec![("TIDEGATE_ANSWER_EARLY", "1".to_owned())])?;
    let synced = synced_by_writes(&liar)?;
    ensure!(synced < WRITES, "{synced} times for {WRITES} writes");
    Ok(())
}

#[test]
fn what_is_acknowledged_was_synced_in_its_order() -> Result<()> {
    if !strace::is_permitted()? {
        return Ok(());
    }
    let gateway = gateway(Vec::new())?;
    let client = gateway.client();
    let synced = synced_by_writes(&gateway)?;
    ensure!(synced >= WRITES, "{synced} times for {WRITES} writes");
    let component = handlers::variant("laboratory", "in order")?;
    let digest = ComponentDigest::of(&component).to_string();
    let recording = Recording::begin(gateway.id(), CALLS)?;
    let push = Request::new("POST", "/things/lab/handler/actions/replace").body("application/wasm", component);
    client.send(&push)?.expect(200)?;
    let calls = recording.end()?;
    let draft = format!("components/{digest}.");
    let content = place(&calls, 0, &["fsync", &draft, ".tmp"])?;
    let name = place(&calls, content, &["rename", &draft, &format!("components/{digest}.wasm")])?;
    let folder = place(&calls, name, &["fsync", "components>"])?;
    place(&calls, folder, &["fdatasync", "state.redb"])?;
    Ok(())
}
