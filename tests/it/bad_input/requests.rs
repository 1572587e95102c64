//! Requests that no form describes.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::{Gateway, http::Request, site::LABORATORY};

use super::{gateway, still_serves};

const ON: &str = "/things/lamp/properties/on";
const ECHO: &str = "/things/laboratory/properties/echo";
const PULSE: &str = "/things/lamp/actions/pulse";

fn laboratory() -> Result<Gateway> {
    gateway("laboratory", LABORATORY)
}

#[test]
fn what_does_not_exist_is_404() -> Result<()> {
    let gateway = laboratory()?;
    for target in [
        "/nothing",
        "/things/kettle",
        "/things/kettle/properties/on",
        "/things/lamp/properties/off",
        "/things/lamp/actions/explode",
        "/things/lamp/events/explosion",
        "/things/lamp/actions/pulse/0190b6a0-0000-7000-8000-000000000000",
        "/things/lamp/actions/pulse/no-uuid",
        "/things/%FF",
    ] {
        let answer = gateway.client().get(target)?;
        let status = if target.ends_with("%FF") { 400 } else { 404 };
        ensure!(answer.clone().problem(status).is_ok(), "{target}: {answer:?}");
    }
    still_serves(&gateway)
}

#[test]
fn a_method_that_is_not_offered_is_405_and_says_which_are() -> Result<()> {
    let gateway = laboratory()?;
    for (method, target) in [
        ("DELETE", ON),
        ("POST", ON),
        ("TRACE", ON),
        ("PUT", "/things/laboratory/properties/number"),
        ("GET", PULSE),
        ("PUT", "/things/lamp"),
        ("DELETE", "/.well-known/wot"),
    ] {
        let answer = gateway.client().send(&Request::new(method, target))?;
        ensure!(answer.header("allow").is_some(), "{method} {target}: {answer:?}");
        answer.problem(405)?;
    }
    still_serves(&gateway)
}

#[test]
fn a_body_of_the_wrong_kind_is_refused_with_its_fields() -> Result<()> {
    let gateway = laboratory()?;
    let client = gateway.client();
    let put = |kind: &str, body: &str| client.send(&Request::new("PUT", ON).body(kind, body));
    put("application/json", "{\"on\":")?.problem(400)?;
    put("application/json", "")?.problem(400)?;
    put("text/plain", "true")?.problem(415)?;
    let problem = put("application/json", "\"yes\"")?.problem(400)?;
    ensure!(problem["validationErrors"][0]["description"].is_string(), "{problem}");
    let problem = client.json("POST", PULSE, &json!({ "duration": -1 }))?.problem(400)?;
    ensure!(problem["validationErrors"][0]["field"] == "/duration", "{problem}");
    client.json("POST", PULSE, &json!({}))?.problem(400)?;
    ensure!(client.value(ON)? == false, "a refused write was done");
    Ok(())
}

#[test]
fn a_body_too_deep_or_too_large_is_refused() -> Result<()> {
    let gateway = laboratory()?;
    let client = gateway.client();
    let put = |body: String| client.send(&Request::new("PUT", ECHO).body("application/json", body));
    put(format!("{}{}", "[".repeat(30), "]".repeat(30)))?.expect(204)?;
    put(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))?.problem(400)?;
    put(format!("\"{}\"", "x".repeat(2 << 20)))?.problem(413)?;
    still_serves(&gateway)
}

#[test]
fn a_representation_that_nobody_has_is_406() -> Result<()> {
    let gateway = laboratory()?;
    gateway.client().get("/things/laboratory/events/storm")?.problem(406)?;
    gateway.client().send(&Request::new("GET", ON).header("Accept", "image/png"))?.problem(406)?;
    Ok(())
}

#[test]
fn a_foreign_host_or_page_gets_nothing() -> Result<()> {
    let gateway = laboratory()?;
    let client = gateway.client();
    client.send(&Request::new("GET", ON).header("Host", "evil.example"))?.problem(421)?;
    let write = Request::new("PUT", ON).json(&json!(true)).header("Sec-Fetch-Site", "cross-site");
    client.send(&write.header("Origin", "http://evil.example"))?.problem(403)?;
    ensure!(client.value(ON)? == false);
    Ok(())
}

#[test]
fn what_is_no_http_ends_its_connection_alone() -> Result<()> {
    let gateway = laboratory()?;
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"] {
        gateway.client().connect()?.write(garbage.as_bytes())?;
    }
    still_serves(&gateway)
}
