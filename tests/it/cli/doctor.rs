//! `tidegate hardware` and `tidegate doctor`: with and without a gateway, and what is wrong with what to do.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::{CommandLine, Gateway, Site, command::Said, site};

/// The doctor's look at a site; every verdict is a line.
pub(super) fn doctor(site: &Site, arguments: &[&str]) -> Result<CommandLine> {
    let (config, data, handlers) = (site.config(), site.data_dir(), site.handlers().to_owned());
    let path = |path: std::path::PathBuf| path.into_os_string().into_string().ok().context("no UTF-8 path");
    let (config, data, handlers) = (path(config)?, path(data)?, path(handlers)?);
    let named = ["doctor", "--config", &config, "--data-dir", &data, "--handlers", &handlers];
    CommandLine::new(&[&named[..], arguments].concat())
}

fn findings(said: &Said) -> Result<Vec<Value>> {
    Ok(said.json()?["checks"].as_array().context("no checks")?.clone())
}

/// Whether there is a finding of this check and verdict that says `what`.
pub(super) fn found(said: &Said, check: &str, verdict: &str, what: &str) -> Result<()> {
    let found = findings(said)?.into_iter().any(|finding| {
        let says = |key: &str| finding[key].as_str().is_some_and(|text| text.contains(what));
        finding["check"] == check && finding["verdict"] == verdict && says("what")
    });
    ensure!(found, "no {check} {verdict} `{what}`: {}", said.output);
    Ok(())
}

#[test]
fn a_sound_gateway_passes_while_it_runs() -> Result<()> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let site = Site::new()?;
    site.configure(&format!("listen = \"{free}\"\n[board]\nsimulated = true\n"))?.thing("lamp", site::RELAY)?;
    let before = doctor(&site, &["--json"])?.run()?.ok()?;
    found(&before, "ports", "ok", "is free")?;
    found(&before, "gateway", "warn", "none answers")?;
    found(&before, "store", "ok", "is not there yet")?;
    let gateway = Gateway::start_at(site, &free)?;
    let during = doctor(gateway.site(), &["--json"])?.run()?.ok()?;
    found(&during, "configuration", "ok", "with 1 Thing")?;
    found(&during, "gateway", "ok", "it runs")?;
    found(&during, "ports", "ok", "taken by the gateway that runs")?;
    found(&during, "store", "ok", "held by the gateway that runs")?;
    found(&during, "handlers", "ok", "all are in")?;
    found(&during, "devices", "ok", "1 are simulated")?;
    let shown = doctor(gateway.site(), &[])?.run()?.ok()?.output;
    ensure!(shown.starts_with("ok    configuration") && !shown.contains('\x1b'), "{shown}");
    let (_, site) = gateway.stop()?;
    found(&doctor(&site, &["--json"])?.run()?.ok()?, "store", "ok", "is sound, and no gateway holds it")
}

#[test]
fn everything_that_is_wrong_is_a_line_with_what_to_do() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let broker = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut site = Site::new()?;
    site.own_handlers()?;
    std::fs::write(site.handlers().join("fake.wasm"), "\0asm\x01\0\0\0 a core module")?;
    std::fs::create_dir(site.data_dir())?;
    std::fs::write(site.data_dir().join("state.redb"), "no store")?;
    std::fs::write(site.data_dir().join("lock"), "")?;
    let text = format!(
        "listen = \"{0}\"\n[mqtt]\nlisten = \"{0}\"\n[mqtt.broker]\nhost = \"127.0.0.1\"\nport = {1}\nusername = \
         \"x\"\npassword-file = \"nowhere\"\n",
        taken.local_addr()?,
        broker.port()
    );
    site.configure(&format!("{text}[board]\nsimulated = true\n"))?;
    site.thing("lamp", site::RELAY)?.thing("fake", "handler = \"fake\"")?;
    site.thing("cold", &site::CLIMATE.replace("board:i2c-1", "/dev/i2c-99"))?;
    let said = doctor(&site, &["--json", "--timeout", "1"])?.run()?.expect(1)?;
    for (check, what) in [
        ("handlers", "there is no relay.wasm in "),
        ("handlers", "fake.wasm is refused"),
        ("devices", "cold, grant sensor: /dev/i2c-99 is not there"),
        ("store", "damaged"),
        ("ports", "is taken by another program"),
        ("ports", "MQTT: "),
        ("broker", "nowhere cannot be read"),
        ("broker", "cannot be reached"),
    ] {
        found(&said, check, "fail", what)?;
    }
    let unadvised = findings(&said)?.into_iter().find(|finding| finding["verdict"] != "ok" && finding["todo"] == "");
    ensure!(unadvised.is_none(), "nothing to do: {unadvised:?}");
    site.configure("lissten = 1\n")?;
    let said = doctor(&site, &["--json"])?.run()?.expect(1)?;
    found(&said, "configuration", "fail", "lissten")
}

#[test]
fn the_gateway_of_a_named_configuration_is_asked_and_its_address_said() -> Result<()> {
    let own = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let site = Site::new()?;
    site.configure(&format!("listen = \"{own}\"\n[board]\nsimulated = true\n"))?;
    let other = super::gateway()?;
    let other_url = format!("http://{}", other.client().address());
    let said = doctor(&site, &["--json"])?.of(&other).run()?;
    found(&said, "gateway", "warn", &format!("none answers at http://{own}"))?;
    let said = doctor(&site, &["--json", "--gateway", &other_url])?.run()?;
    found(&said, "gateway", "ok", &format!("it runs at {other_url} "))?;
    let said = CommandLine::new(&["doctor", "--json"])?.of(&other).run()?;
    found(&said, "gateway", "ok", &format!("it runs at {other_url} "))
}

/// What a program that listens there is sent: the head of its first request. It closes the connection then.
fn overheard(listener: &TcpListener) -> Result<String> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let lines = BufReader::new(stream).lines().take_while(|line| line.as_ref().map_or(true, |line| !line.is_empty()));
    Ok(lines.collect::<std::io::Result<Vec<_>>>()?.join("\n"))
}

#[test]
fn the_token_of_the_environment_goes_to_no_other_gateway_than_the_environments() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own = listener.local_addr()?;
    let site = Site::new()?;
    site.configure(&format!("listen = \"{own}\"\n[board]\nsimulated = true\n"))?;
    let given = site.path().join("given");
    std::fs::write(&given, "given\n")?;
    let kept = site.path().join("kept");
    std::fs::write(&kept, "s3cret\n")?;
    let (given, kept) = (given.to_str().context("no UTF-8 path")?, kept.to_str().context("no UTF-8 path")?);
    let (own, other) = (format!("http://{own}"), "http://other.example");
    let ask = |arguments: &[&str], environment: &[(&str, &str)]| -> Result<(Said, String)> {
        let command = doctor(&site, &[&["--json", "--timeout", "1"], arguments].concat())?;
        let command = environment.iter().fold(command, |command, (name, value)| command.env(name, value));
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| command.run());
            let sent = overheard(&listener)?;
            Ok((asked.join().map_err(|_| anyhow::anyhow!("the doctor's thread panicked"))??, sent))
        })
    };
    for token in [("TIDEGATE_TOKEN", "s3cret"), ("TIDEGATE_TOKEN_FILE", kept)] {
        let (said, sent) = ask(&[], &[("TIDEGATE_GATEWAY", other), token])?;
        ensure!(!sent.contains("s3cret"), "{token:?}: {sent}");
        found(&said, "gateway", "warn", &format!("not sent to {own}: TIDEGATE_GATEWAY names {other}"))?;
        let (_, sent) = ask(&["--token-file", given], &[("TIDEGATE_GATEWAY", other), token])?;
        ensure!(sent.contains("Bearer given") && !sent.contains("s3cret"), "{token:?}: {sent}");
        for same in [&[token][..], &[("TIDEGATE_GATEWAY", &own), token]] {
            let (said, sent) = ask(&[], same)?;
            ensure!(sent.contains("Bearer s3cret") && !said.output.contains("not sent"), "{same:?}: {sent} {said:?}");
        }
    }
    Ok(())
}

#[test]
fn without_things_nothing_is_said_of_handlers() -> Result<()> {
    let said = doctor(&Site::new()?, &["--json"])?.run()?;
    ensure!(findings(&said)?.iter().all(|finding| finding["check"] != "handlers"), "{}", said.output);
    Ok(())
}

#[test]
fn a_gateway_that_is_not_well_is_told_with_its_thing() -> Result<()> {
    let site = Site::new()?;
    site.thing("lab", &format!("{}[settings]\nmisbehave = \"start:trap\"\n", site::LABORATORY))?;
    let gateway = site.start()?;
    let url = format!("http://{}", gateway.client().address());
    let sick = || -> Result<Option<Said>> {
        let said = CommandLine::new(&["doctor", "--json", "--gateway", &url])?.run()?;
        Ok((said.code == 1).then_some(said))
    };
    let said = tests::eventually("the doctor sees it", Duration::from_secs(30), sick)?;
    found(&said, "thing", "fail", "lab: ")
}

#[test]
fn hardware_is_shown_with_and_without_a_gateway() -> Result<()> {
    let alone = CommandLine::new(&["hardware", "--json"])?.run()?.ok()?.json()?;
    let kinds = alone["kinds"].as_array().context("no kinds")?;
    ensure!(kinds.iter().map(|kind| &kind["kind"]).eq(["i2c", "spi", "gpio", "pwm"]), "{alone}");
    ensure!(alone["model"].is_string() && alone["gateway"].is_null(), "{alone}");
    for kind in kinds.iter().filter(|kind| kind["devices"] == Value::Array(Vec::new())) {
        ensure!(kind["absent"]["what"].is_string() && kind["absent"]["remedy"].is_string(), "{kind}");
    }
    let gateway = super::gateway()?;
    let shown = super::run(&gateway, &["hardware"])?.ok()?.output;
    ensure!(shown.starts_with("Machine ") && shown.contains("board:gpio line 17"), "{shown}");
    let told = super::run(&gateway, &["hardware", "--json"])?.ok()?.json()?;
    ensure!(told["gateway"]["claims"].is_array(), "{told}");
    CommandLine::new(&["hardware", "--gateway", "http://127.0.0.1:1"])?.run()?.failed(
        4,
        "cannot reach",
        "--gateway",
    )?;
    Ok(())
}
