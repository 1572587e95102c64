//! Uploads that are no handler for the Thing: refused with the reason, the running version untouched.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use tests::{
    Gateway, handlers,
    http::{Request, Response},
    site::RELAY,
};

use super::{gateway, still_serves};

const REPLACE: &str = "/things/victim/handler/actions/replace?approve=true";
const DIGEST: &str = "/things/victim/handler/properties/digest";

fn victim() -> Result<Gateway> {
    gateway("victim", &RELAY.replace("line = 17", "line = 27"))
}

fn push(gateway: &Gateway, component: &[u8]) -> Result<Response> {
    gateway.client().send(&Request::new("POST", REPLACE).body("application/wasm", component))
}

/// The upload is refused with a problem document, and the version that ran before runs on.
fn is_refused(gateway: &Gateway, what: &str, component: &[u8]) -> Result<()> {
    let before = gateway.client().value(DIGEST)?;
    let answer = push(gateway, component)?;
    ensure!(answer.status >= 400, "{what} was taken: {answer:?}");
    let status = answer.status;
    answer.problem(status)?;
    ensure!(gateway.client().value(DIGEST)? == before, "{what} runs");
    ensure!(gateway.client().value("/things/victim/properties/on")?.is_boolean());
    still_serves(gateway)
}

#[test]
fn what_is_no_component_is_refused() -> Result<()> {
    let gateway = victim()?;
    let random: Vec<u8> = (0..4096_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let truncated = handlers::component("relay")?;
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("random bytes", &random),
        ("a core module", b"\0asm\x01\0\0\0"),
        ("an empty component", b"\0asm\x0d\0\x01\0"),
        ("half a component", &truncated[..truncated.len() / 2]),
    ] {
        is_refused(&gateway, what, bytes)?;
    }
    Ok(())
}

/// A precompiled artifact is native code: the gateway's own cache holds real ones.
#[test]
fn a_precompiled_artifact_is_refused() -> Result<()> {
    let gateway = victim()?;
    let artifact = artifact_in(&gateway.site().data_dir())?.context("no compiled handler in the data folder")?;
    is_refused(&gateway, "a precompiled artifact", &artifact)
}

fn artifact_in(folder: &Path) -> Result<Option<Vec<u8>>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(artifact) = artifact_in(&path)? {
                return Ok(Some(artifact));
            }
            continue;
        }
        let bytes = fs::read(&path)?;
        // Behind the cache's own head lies the ELF file that the engine maps.
        if let Some(at) = bytes.windows(4).take(4096).position(|window| window == b"\x7fELF") {
            return Ok(Some(bytes[at..].to_vec()));
        }
    }
    Ok(None)
}

#[test]
fn a_component_that_wants_more_than_its_grants_is_refused() -> Result<()> {
    let gateway = victim()?;
    is_refused(&gateway, "host-monitor without its files", &handlers::component("host-monitor")?)
}
