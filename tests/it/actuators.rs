//! Hands and lights: presses that are counted for good, fades that run, end and give way, outputs of a handler that dies.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{
    Client, Gateway, Site, eventually,
    http::Request,
    site::{BUTTON, LABORATORY, LED},
    sse::EventStream,
};

const SOON: Duration = Duration::from_secs(20);
const PRESSES: &str = "/things/bell/properties/presses";
const PRESSED: &str = "/things/bell/events/pressed";
const BRIGHTNESS: &str = "/things/light/properties/brightness";
/// The laboratory on the LED's channel.
const MOTOR: &str = r#"
[grants.motor]
kind = "pwm"
chip = "board:pwm-0"
channel = 0
frequency-hz = 1000
fail-safe = 0
"#;

fn gateway(name: &str, declaration: &str) -> Result<Gateway> {
    let site = Site::new()?;
    site.thing(name, declaration)?;
    site.start()
}

fn duty(client: Client) -> Result<u64> {
    client.value("/things/board/properties/state")?["led"]["duty"].as_u64().context("no duty")
}

fn brightness(client: Client) -> Result<u64> {
    client.value(BRIGHTNESS)?.as_u64().context("no number")
}

/// Starts a fade; where its status lies.
fn fade(client: Client, to: u32, duration_ms: u32) -> Result<String> {
    let input = json!({ "to": to, "duration": duration_ms });
    let answer = client.json("POST", "/things/light/actions/fade", &input)?.expect(201)?;
    Ok(answer.header("location").context("no Location")?.to_owned())
}

fn status_is(client: Client, location: &str, wanted: &str) -> Result<Value> {
    eventually(&format!("status {wanted}"), SOON, || {
        let status = client.value(location)?;
        Ok((status["status"] == wanted).then_some(status))
    })
}

/// The brightness stays as it is, for as long as a fade needs for many steps.
fn stays(client: Client, percent: u64) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(200) {
        ensure!(brightness(client)? == percent);
    }
    Ok(())
}

fn finger(client: Client, pressed: u8) -> Result<()> {
    let input = json!({ "part": "button", "quantity": "pressed", "value": pressed });
    client.json("POST", "/things/board/actions/set", &input)?.expect(204).map(drop)
}

#[test]
fn a_press_is_kept_before_it_is_told() -> Result<()> {
    let mut gateway = gateway("bell", BUTTON)?;
    for press in 1..=4 {
        let client = gateway.client();
        ensure!(client.value(PRESSES)? == press - 1);
        let mut stream = EventStream::open(&client, PRESSED, None)?;
        finger(client, 1)?;
        ensure!(stream.expect_message()?.value()? == press);
        gateway = gateway.kill()?.start()?;
        ensure!(gateway.client().value(PRESSES)? == press, "told and lost");
    }
    Ok(())
}

#[test]
fn a_bouncing_press_counts_once() -> Result<()> {
    let gateway = gateway("bell", &BUTTON.replace("debounce-ms = 10", "debounce-ms = 1000"))?;
    let client = gateway.client();
    let mut presses = EventStream::open(&client, PRESSES, None)?;
    ensure!(presses.expect_message()?.value()? == 0);
    for pressed in [1, 0, 1, 0, 1] {
        finger(client, pressed)?;
    }
    ensure!(presses.expect_message()?.value()? == 1);
    eventually("it is held down", SOON, || Ok((client.value("/things/bell/properties/down")? == true).then_some(())))?;
    ensure!(client.value(PRESSES)? == 1);
    Ok(())
}

#[test]
fn what_was_written_is_how_bright_it_is() -> Result<()> {
    let gateway = gateway("light", LED)?;
    let client = gateway.client();
    ensure!(brightness(client)? == 0, "it starts dark");
    let mut stream = EventStream::open(&client, BRIGHTNESS, None)?;
    stream.expect_message()?;
    for (percent, expected) in [(100, 65_535), (33, 21_627), (0, 0)] {
        client.json("PUT", BRIGHTNESS, &json!(percent))?.expect(204)?;
        ensure!((brightness(client)?, duty(client)?) == (percent, expected), "{percent}");
        ensure!(stream.expect_message()?.value()? == percent);
    }
    client.json("PUT", BRIGHTNESS, &json!(101))?.problem(400)?;
    Ok(())
}

#[test]
fn a_fade_tells_its_progress_and_ends_where_it_should() -> Result<()> {
    let gateway = gateway("light", LED)?;
    let client = gateway.client();
    let mut stream = EventStream::open(&client, BRIGHTNESS, None)?;
    let location = fade(client, 100, 1_500)?;
    eventually("it is under way", SOON, || {
        let status = client.value(&location)?;
        ensure!(status["status"] != "completed", "no progress was seen: {status}");
        let progress = status["progress"].as_u64();
        Ok(progress.is_some_and(|percent| (1..100).contains(&percent)).then_some(()))
    })?;
    let status = status_is(client, &location, "completed")?;
    ensure!(status["output"] == 100, "{status}");
    ensure!((brightness(client)?, duty(client)?) == (100, 65_535));
    let mut seen = Vec::new();
    while seen.last() != Some(&100) {
        seen.push(stream.expect_message()?.value()?.as_u64().context("no number")?);
    }
    ensure!(seen.len() > 5 && seen.is_sorted(), "{seen:?}");
    Ok(())
}

#[test]
fn a_cancelled_fade_stays_where_it_is() -> Result<()> {
    let gateway = gateway("light", LED)?;
    let client = gateway.client();
    let location = fade(client, 100, 10_000)?;
    eventually("it fades", SOON, || Ok((brightness(client)? > 0).then_some(())))?;
    client.send(&Request::new("DELETE", &location))?.expect(204)?;
    client.get(&location)?.problem(404)?;
    let reached = brightness(client)?;
    ensure!((1..100).contains(&reached), "{reached}");
    stays(client, reached)
}

#[test]
fn the_last_hand_on_the_light_wins() -> Result<()> {
    let gateway = gateway("light", LED)?;
    let client = gateway.client();
    let first = fade(client, 100, 60_000)?;
    client.json("PUT", BRIGHTNESS, &json!(40))?.expect(204)?;
    let status = status_is(client, &first, "failed")?;
    ensure!(status["error"]["detail"].as_str().is_some_and(|why| why.contains("another")), "{status}");
    stays(client, 40)?;
    let second = fade(client, 100, 60_000)?;
    let third = fade(client, 0, 200)?;
    status_is(client, &second, "failed")?;
    status_is(client, &third, "completed")?;
    stays(client, 0)
}

#[test]
fn a_channel_is_held_while_its_handler_is_rebuilt() -> Result<()> {
    let gateway = gateway("lab", &format!("{LABORATORY}{MOTOR}"))?;
    let client = gateway.client();
    client.json("PUT", "/things/lab/properties/duty", &json!(65_535))?.expect(204)?;
    client.json("POST", "/things/lab/actions/misbehave", &json!({ "how": "trap" }))?.problem(500)?;
    ensure!(client.value("/things/lab/properties/origin")? == "recovered");
    ensure!(duty(client)? == 65_535);
    Ok(())
}

#[test]
fn a_channel_goes_to_its_fail_safe_duty_when_no_handler_stays_up() -> Result<()> {
    let gateway = gateway("lab", &format!("{LABORATORY}{MOTOR}[settings]\nmisbehave = \"later:trap\"\n"))?;
    let client = gateway.client();
    // It is up for 20 ms at a time.
    eventually("a write is taken", SOON, || {
        let answer = client.json("PUT", "/things/lab/properties/duty", &json!(65_535))?;
        Ok((answer.status == 204).then_some(()))
    })?;
    let written = Instant::now();
    eventually("the channel is off", SOON, || Ok((duty(client)? == 0).then_some(())))?;
    ensure!(written.elapsed() < Duration::from_secs(1), "{:?}", written.elapsed());
    Ok(())
}
