//! Whatever comes in wrong gets a problem document or a console error that says why; the gateway goes on serving.

mod components;
mod configuration;
mod handlers_gone_bad;
mod requests;

use anyhow::{Result, ensure};
use tests::{Gateway, Site, site::RELAY};

/// A gateway with a lamp, and the Thing under test beside it.
fn gateway(name: &str, declaration: &str) -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing(name, declaration)?;
    site.start()
}

/// The neighbour is well.
fn still_serves(gateway: &Gateway) -> Result<()> {
    let on = gateway.client().value("/things/lamp/properties/on")?;
    ensure!(on.is_boolean(), "{on}");
    Ok(())
}
