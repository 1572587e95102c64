//! News without asking: server-sent events and long poll, resumed by id, ended by a clean stop.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use tests::{Gateway, Site, eventually, http::Request, site::RELAY, sse::EventStream};

const ON: &str = "/things/lamp/properties/on";

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    site.start()
}

#[test]
fn a_stream_begins_with_the_value_and_tells_each_change() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let mut stream = EventStream::open(&client, ON, None)?;
    let first = stream.expect_message()?;
    ensure!(first.event == "on" && first.value()? == false && !first.id.is_empty(), "{first:?}");
    for on in [true, false] {
        client.json("PUT", ON, &json!(on))?.expect(204)?;
        ensure!(stream.expect_message()?.value()? == on);
    }
    Ok(())
}

#[test]
fn a_stream_is_resumed_where_it_was_left() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let mut stream = EventStream::open(&client, ON, None)?;
    let seen = stream.expect_message()?;
    drop(stream);
    for on in [true, false] {
        client.json("PUT", ON, &json!(on))?.expect(204)?;
    }
    let mut resumed = EventStream::open(&client, ON, Some(&seen.id))?;
    for on in [true, false] {
        let message = resumed.expect_message()?;
        ensure!(message.value()? == on && message.id > seen.id, "{message:?}");
    }
    Ok(())
}

/// Polls until the value is `wanted`, as node-wot does: each poll begins when the one before was answered.
fn poll_until(client: tests::Client, href: &str, wanted: &Value) -> Result<()> {
    eventually("the long poll tells the value", Duration::from_secs(20), || {
        Ok((client.value(href)? == *wanted).then_some(()))
    })
}

#[test]
fn a_long_poll_answers_with_the_next_change() -> Result<()> {
    let gateway = gateway()?;
    let client = gateway.client();
    let description = client.value("/things/lamp")?;
    let forms = description["properties"]["on"]["forms"].as_array().context("no forms")?.clone();
    let form = forms.iter().find(|form| form["subprotocol"] == "longpoll").context("no long-poll form")?;
    let href = form["href"].as_str().context("no href")?.to_owned();
    client.send(&Request::new("HEAD", &href))?.expect(200)?;
    let waiting = thread::spawn(move || poll_until(client, &href, &json!(true)));
    // The poll may begin before or after a change: changes go on until it has seen one.
    eventually("the poll is answered", Duration::from_secs(20), || {
        for on in [true, false] {
            client.json("PUT", ON, &json!(on))?.expect(204)?;
        }
        Ok(waiting.is_finished().then_some(()))
    })?;
    waiting.join().map_err(|_| anyhow!("the poll panicked"))?
}

#[test]
fn a_clean_stop_ends_streams_and_exits_with_0() -> Result<()> {
    let gateway = gateway()?;
    let mut stream = EventStream::open(&gateway.client(), ON, None)?;
    stream.expect_message()?;
    let (status, _site) = gateway.stop()?;
    ensure!(status.success(), "{status}");
    // What the start read back may have been news to this stream too.
    let after = [stream.next_message()?, stream.next_message()?];
    ensure!(after[1].is_none(), "the stream goes on without a gateway: {after:?}");
    Ok(())
}
