//! Thing Descriptions as consumers get them: valid by the W3C's schema, absolute, cached, found from one known URL.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::{
    Client, Gateway, Site,
    http::Request,
    site::{HOST_MONITOR, RELAY},
};

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    site.start()
}

fn listing(client: Client) -> Result<Vec<Value>> {
    Ok(client.value("/things")?.as_array().context("the directory is no array")?.clone())
}

#[test]
fn every_description_is_valid() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let mut descriptions = listing(client)?;
    ensure!(descriptions.len() >= 4, "lamp, machine, board and gateway, got {}", descriptions.len());
    descriptions.push(client.value("/.well-known/wot")?);
    descriptions.push(client.value("/things/lamp/handler")?);
    for description in &descriptions {
        let checked = thing_descriptions::check_td(description);
        ensure!(checked.is_ok(), "{}: {checked:?}", description["title"]);
        ensure!(description["id"].as_str().is_some_and(|id| id.starts_with("urn:uuid:")), "{}", description["id"]);
    }
    Ok(())
}

#[test]
fn a_thing_is_found_by_name_and_by_id() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let by_name = client.value("/things/lamp")?;
    let id = by_name["id"].as_str().context("no id")?.to_owned();
    ensure!(client.value(&format!("/things/{id}"))? == by_name);
    ensure!(client.value(&format!("/things/{}", id.replace(':', "%3A")))? == by_name);
    ensure!(listing(client)?.iter().any(|listed| listed["id"] == id.as_str()));
    Ok(())
}

#[test]
fn hrefs_are_absolute_and_of_the_host_that_was_asked() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let own = format!("http://{}/", client.address());
    for (asked, wanted) in [(None, own.as_str()), (Some("localhost:1234"), "http://localhost:1234/")] {
        let mut request = Request::new("GET", "/things/lamp");
        if let Some(host) = asked {
            request = request.header("Host", host);
        }
        let description = client.send(&request)?.expect(200)?.value()?;
        let forms = description["properties"]["on"]["forms"].as_array().context("no forms")?.clone();
        let fits = |form: &Value| form["href"].as_str().is_some_and(|href| href.starts_with(wanted));
        ensure!(!forms.is_empty() && forms.iter().all(fits), "{forms:?}");
    }
    Ok(())
}

#[test]
fn an_unchanged_description_is_not_sent_again() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let first = client.get("/things/lamp")?.expect(200)?;
    let etag = first.header("etag").context("no ETag")?;
    ensure!(!etag.starts_with("W/"), "a weak ETag: {etag}");
    let again = Request::new("GET", "/things/lamp").header("If-None-Match", etag);
    client.send(&again)?.expect(304)?;
    Ok(())
}

#[test]
fn the_handler_is_a_thing_behind_a_link() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let lamp = client.value("/things/lamp")?;
    let links = lamp["links"].as_array().context("no links")?.clone();
    let link = links.iter().find(|link| link["rel"] == "controlledBy").context("no controlledBy link")?;
    let handler = client.value(link["href"].as_str().context("no href")?)?;
    for property in ["version", "digest", "imports", "grants", "statistics", "faults", "memory"] {
        let href = handler["properties"][property]["forms"][0]["href"].as_str();
        client.value(href.with_context(|| format!("{property} has no form"))?)?;
    }
    ensure!(handler["actions"]["replace"]["forms"][0]["contentType"] == "application/wasm", "{handler}");
    ensure!(!listing(client)?.iter().any(|listed| listed["id"] == handler["id"]), "the handler is listed");
    Ok(())
}
