//! The action `configure` of the Thing `gateway`: other grants and settings while the Thing serves.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use anyhow::{Result, anyhow, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Site, eventually, handlers,
    http::Request,
    site::{BUTTON, CLIMATE, LED, RELAY},
};

use crate::{hostile::written::Guest, sensors::SOON};

const CONFIGURE: &str = "/things/gateway/actions/configure";
const INTERVAL: &str = "/things/climate/properties/samplingInterval";
const ON: &str = "/things/lamp/properties/on";
/// The relay's grant, on the LED's line.
const ON_LED_LINE: &str = r#"{ "coil": { "kind": "gpio", "chip": "board:gpio", "line": 27, "direction": "output",
    "fail-safe": false } }"#;

fn configure(client: Client, thing: &str, what: Value) -> Result<Value> {
    let mut input = what;
    input["thing"] = thing.into();
    client.json("POST", CONFIGURE, &input)?.expect(200)?.value()
}

fn refused(client: Client, status: u16, input: &Value) -> Result<String> {
    Ok(client.json("POST", CONFIGURE, input)?.problem(status)?.to_string())
}

fn board(client: Client) -> Result<Value> {
    client.value("/things/board/properties/state")
}

#[test]
fn a_configured_setting_wins_until_the_file_says_something_new() -> Result<()> {
    let site = Site::new()?;
    site.thing("climate", CLIMATE)?;
    let mut gateway = site.start()?;
    let client = gateway.client();
    client.json("PUT", INTERVAL, &json!(300))?.expect(204)?;
    let answer = configure(client, "climate", json!({ "settings": { "samplingInterval": 400 } }))?;
    ensure!(answer["settings"] == json!({ "samplingInterval": 400 }), "{answer}");
    ensure!(client.value(INTERVAL)? == 400, "it wins over what was written before");
    gateway = gateway.kill()?.start()?;
    ensure!(gateway.client().value(INTERVAL)? == 400, "acknowledged and lost");
    gateway.client().json("PUT", INTERVAL, &json!(500))?.expect(204)?;
    let site = gateway.kill()?;
    site.thing("climate", &format!("{CLIMATE}\n# Another hash, the same values.\n"))?;
    gateway = site.start()?;
    ensure!(gateway.client().value(INTERVAL)? == 500, "what was written last wins");
    let site = gateway.kill()?;
    site.thing("climate", &CLIMATE.replace("= 200", "= 250"))?;
    gateway = site.start()?;
    ensure!(gateway.client().value(INTERVAL)? == 250, "the file says something new");
    configure(gateway.client(), "climate", json!({ "settings": { "samplingInterval": 400 } }))?;
    configure(gateway.client(), "climate", json!({ "settings": { "samplingInterval": null } }))?;
    ensure!(gateway.client().value(INTERVAL)? == 250, "null gives the word back to the file");
    Ok(())
}

#[test]
fn a_grant_that_is_given_lets_a_new_handler_in_and_survives_kill_9() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    let mut gateway = site.start()?;
    let push = Request::new("POST", "/things/lamp/handler/actions/replace?approve=true")
        .body("application/wasm", handlers::component("led")?);
    gateway.client().send(&push)?.problem(403)?;
    let lamp = json!({ "kind": "pwm", "chip": "board:pwm-0", "channel": 0, "frequency-hz": 1000, "fail-safe": 0 });
    let answer = configure(gateway.client(), "lamp", json!({ "grants": { "lamp": lamp } }))?;
    ensure!(answer["grants"]["lamp"]["channel"] == 0, "{answer}");
    gateway.client().send(&push)?.expect(200)?;
    for _ in 0..2 {
        gateway.client().json("PUT", "/things/lamp/properties/brightness", &json!(100))?.expect(204)?;
        ensure!(board(gateway.client())?["led"]["duty"] == 65_535);
        gateway = gateway.kill()?.start()?;
    }
    Ok(())
}

#[test]
fn a_line_moves_while_the_thing_is_used() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    client.json("PUT", ON, &json!(true))?.expect(204)?;
    ensure!(board(client)?["relay"]["on"] == true);
    let done = Arc::new(AtomicBool::new(false));
    let user = {
        let done = Arc::clone(&done);
        thread::spawn(move || -> Result<()> {
            let mut connection = client.connect()?;
            while !done.load(Relaxed) {
                connection.send(&Request::new("GET", ON))?.expect(200)?;
            }
            Ok(())
        })
    };
    let grants: Value = serde_json::from_str(ON_LED_LINE)?;
    let moved = configure(client, "lamp", json!({ "grants": grants })).and_then(|_| {
        client.json("PUT", ON, &json!(true))?.expect(204)?;
        let moved = board(client)?;
        ensure!((&moved["relay"]["on"], &moved["led"]["on"]) == (&json!(false), &json!(true)), "{moved}");
        // The same line with another fail-safe level: given anew to who holds it.
        let anew = ON_LED_LINE.replace("\"fail-safe\": false", "\"fail-safe\": true");
        configure(client, "lamp", json!({ "grants": serde_json::from_str::<Value>(&anew)? }))?;
        client.json("PUT", ON, &json!(false))?.expect(204)?;
        ensure!(board(client)?["led"]["on"] == false);
        configure(client, "lamp", json!({ "grants": { "coil": null } }))?;
        client.json("PUT", ON, &json!(true))?.expect(204)?;
        ensure!(board(client)?["relay"]["on"] == true, "back on the file's line");
        Ok(())
    });
    done.store(true, Relaxed);
    user.join().map_err(|_| anyhow!("a reader panicked"))??;
    moved
}

#[test]
fn what_cannot_be_is_refused_with_its_field_and_changes_nothing() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("light", LED)?.thing("climate", CLIMATE)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let pwm = json!({ "kind": "pwm", "chip": "board:pwm-0", "channel": 0, "frequency-hz": 1000, "fail-safe": 0 });
    let gpio = |line: &str| json!({ "kind": "gpio", "chip": "board:gpio", "line": line, "direction": "output" });
    let large = "x".repeat(70_000);
    let rows = [
        (400, json!({ "settings": {} }), "/thing"),
        (400, json!({ "thing": "nobody" }), "/thing"),
        (400, json!({ "thing": "gateway" }), "/thing"),
        (400, json!({ "thing": "lamp", "grants": { "x": 1 } }), "/grants/x"),
        (400, json!({ "thing": "lamp", "grants": { "x/y": { "kind": "laser" } } }), "/grants/x~1y"),
        (400, json!({ "thing": "lamp", "grants": { "x": gpio("seventeen") } }), "/grants/x"),
        (400, json!({ "thing": "lamp", "grants": { "lamp": pwm } }), "of the Thing light"),
        (400, json!({ "thing": "lamp", "grants": { "": gpio("17") } }), "1 to 64 bytes"),
        (400, json!({ "thing": "lamp", "settings": { "x": large } }), "/settings"),
        (400, json!({ "thing": "climate", "settings": { "samplingInterval": "often" } }), "samplingInterval"),
    ];
    for (status, input, names) in rows {
        let problem = refused(client, status, &input)?;
        ensure!(problem.contains(names), "{names} is not in {problem}");
    }
    ensure!(client.value(INTERVAL)? == 200);
    client.json("PUT", ON, &json!(true))?.expect(204)?;
    // The lamp's own line under another grant, and one that is refused: the line stays as it is driven.
    let coil = json!({ "kind": "gpio", "chip": "board:gpio", "line": 17, "direction": "output" });
    refused(client, 400, &json!({ "thing": "lamp", "grants": { "coil": coil, "lamp": pwm } }))?;
    ensure!(client.value(ON)? == true && board(client)?["relay"]["on"] == true);
    Ok(())
}

#[test]
fn a_probation_begins_anew_with_what_is_configured() -> Result<()> {
    let site = Site::new()?;
    site.thing("climate", CLIMATE)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let push = Request::new("POST", "/things/climate/handler/actions/replace")
        .body("application/wasm", handlers::variant("bme280", "watched")?);
    client.json("PUT", INTERVAL, &json!(300))?.expect(204)?;
    client.send(&push)?.expect(200)?;
    configure(client, "climate", json!({ "settings": { "samplingInterval": 400 } }))?;
    let state = || -> Result<Value> { Ok(client.value("/things/climate/handler/properties/status")?["state"].clone()) };
    ensure!(state()? == "canary" && client.value(INTERVAL)? == 400);
    client.json("PUT", INTERVAL, &json!(500))?.expect(204)?;
    let back = Request::new("POST", "/things/climate/handler/actions/rollback");
    client.send(&back)?.expect(200)?;
    ensure!(client.value(INTERVAL)? == 500, "what was written last");
    eventually("it has proved itself", SOON, || {
        client.value(INTERVAL)?;
        Ok((state()? == "running").then_some(()))
    })
}

#[test]
fn what_the_version_before_could_not_serve_with_waits_for_the_end_of_a_probation() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let pwm = json!({ "kind": "pwm", "chip": "board:pwm-0", "channel": 0, "frequency-hz": 1000, "fail-safe": 0 });
    configure(client, "lamp", json!({ "grants": { "lamp": pwm } }))?;
    let push = |component| {
        let replace = Request::new("POST", "/things/lamp/handler/actions/replace?approve=true");
        client.send(&replace.body("application/wasm", component))?.expect(200).map(drop)
    };
    push(handlers::component("led")?)?;
    push(handlers::variant("relay", "needs no lamp")?)?;
    let problem = refused(client, 409, &json!({ "thing": "lamp", "grants": { "lamp": null } }))?;
    ensure!(problem.contains("probation") && problem.contains("lamp"), "{problem}");
    let back = Request::new("POST", "/things/lamp/handler/actions/rollback");
    client.send(&back)?.expect(200)?;
    client.json("PUT", "/things/lamp/properties/brightness", &json!(100))?.expect(204)?;
    ensure!(board(client)?["led"]["duty"] == 65_535, "nothing was taken away");
    Ok(())
}

#[test]
fn a_setting_that_does_not_fit_the_thing_model_is_refused_and_an_unknown_one_told() -> Result<()> {
    let site = Site::new()?;
    site.thing("climate", CLIMATE)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let low = json!({ "thing": "climate", "settings": { "samplingInterval": 1 } });
    let problem = refused(client, 400, &low)?;
    ensure!(problem.contains("/settings/samplingInterval") && problem.contains("minimum of 100"), "{problem}");
    ensure!(client.value(INTERVAL)? == 200, "a refused setting counts");
    let answer = configure(client, "climate", json!({ "settings": { "samplingIntervall": 300 } }))?;
    ensure!(answer["unknown"] == json!(["samplingIntervall"]), "{answer}");
    let answer = configure(client, "climate", json!({ "settings": { "samplingIntervall": null } }))?;
    ensure!(answer["unknown"].is_null() && answer["settings"] == json!({}), "{answer}");
    // A file that says so now does not start, and the component that is there is not to blame.
    let site = gateway.kill()?;
    site.thing("climate", &CLIMATE.replace("= 200", "= 1"))?;
    let Err(error) = site.start() else { anyhow::bail!("it started") };
    ensure!(format!("{error:#}").contains("climate.toml:9:1: `settings.samplingInterval`"), "{error:#}");
    Ok(())
}

#[test]
fn a_device_that_is_granted_otherwise_is_used_so() -> Result<()> {
    let site = Site::new()?;
    site.thing("button", BUTTON)?.thing("lamp", RELAY)?;
    let gateway = site.start()?;
    let client = gateway.client();
    let pressed = |times: u32| -> Result<()> {
        client
            .json("POST", "/things/board/actions/press", &json!({ "part": "button", "duration": 50 }))?
            .expect(204)?;
        eventually("the press is counted and over", SOON, || {
            let counted = client.value("/things/button/properties/presses")? == times;
            Ok((counted && board(client)?["button"]["pressed"] == false).then_some(()))
        })
    };
    pressed(1)?;
    let line = json!({ "kind": "gpio", "chip": "board:gpio", "line": 22, "direction": "input", "active-low": true,
        "debounce-ms": 20 });
    configure(client, "button", json!({ "grants": { "button": line } }))?;
    pressed(2)?;
    // The relay's line, let go and taken anew: what is read is how it stands.
    client.json("PUT", ON, &json!(true))?.expect(204)?;
    let line = json!({ "kind": "gpio", "chip": "board:gpio", "line": 17, "direction": "output", "active-low": true });
    configure(client, "lamp", json!({ "grants": { "coil": line } }))?;
    for on in [true, false] {
        client.json("PUT", ON, &json!(on))?.expect(204)?;
        ensure!(client.value(ON)? == on && board(client)?["relay"]["on"] == !on, "{}", board(client)?);
    }
    Ok(())
}

/// A handler whose only property is within these bounds.
fn bounded(minimum: i32, maximum: i32) -> Vec<u8> {
    let model = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "@type": "tm:ThingModel",
        "title": "Bounded",
        "properties": { "limit": { "type": "integer", "minimum": minimum, "maximum": maximum } },
    });
    Guest::new().model(&model.to_string()).component()
}

#[test]
fn a_version_that_could_not_come_back_leaves_no_probation_behind() -> Result<()> {
    let mut site = Site::new()?;
    let component = site.own_handlers()?.join("bounded.wasm");
    let declared = |limit: u32| format!("handler = \"bounded\"\n[settings]\nlimit = {limit}\n");
    fs::write(&component, bounded(0, 10))?;
    site.thing("tank", &declared(5))?;
    let site = site.start()?.stop()?.1;
    fs::write(&component, bounded(20, 100))?;
    site.thing("tank", &declared(50))?;
    let gateway = site.start()?;
    let client = gateway.client();
    configure(client, "tank", json!({ "settings": { "limit": 60 } }))?;
    let status = client.value("/things/tank/handler/properties/status")?;
    ensure!(status["state"] == "running", "{status}");
    Ok(())
}
