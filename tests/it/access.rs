//! With a token nothing is reached without it; how it is made, changed and revoked while the gateway runs.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{
    Gateway, Response, Site, eventually, gateway,
    http::Request,
    node,
    site::{HOST_MONITOR, RELAY},
    sse::EventStream,
};

const DEADLINE: Duration = Duration::from_secs(20);
const ON: &str = "/things/lamp/properties/on";
const EXIT_CONFIGURATION: i32 = 3;

fn site() -> Result<Site> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?.thing("machine", HOST_MONITOR)?;
    Ok(site)
}

/// A gateway with a token.
fn protected() -> Result<(Gateway, String)> {
    let site = site()?;
    let token = site.new_token()?;
    Ok((site.start()?, token))
}

fn with(token: &str, request: Request) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn status(gateway: &Gateway, token: &str, target: &str) -> Result<u16> {
    Ok(gateway.client().send(&with(token, Request::new("GET", target)))?.status)
}

/// The refusal, which is always the same.
fn unauthorized(answer: Response) -> Result<Response> {
    let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
    ensure!(challenge.starts_with("Bearer") || challenge.starts_with("Basic"), "{challenge}: {}", answer.text());
    let problem = answer.clone().problem(401)?;
    ensure!(problem["type"] == "urn:tidegate:problem:unauthorized", "{problem}");
    Ok(answer)
}

#[test]
fn without_a_token_it_is_open_and_says_so() -> Result<()> {
    let site = site()?;
    let (config, data_dir) = (site.config(), site.data_dir());
    let handlers = site.handlers().to_string_lossy().into_owned();
    let place = ["--config", &config.to_string_lossy(), "--data-dir", &data_dir.to_string_lossy()];
    let check = [&["check", "--handlers", &handlers][..], &place].concat();
    let said = String::from_utf8(gateway::run(&check)?.stdout)?;
    ensure!(said.contains("Access: open") && said.contains("tidegate token new"), "{said}");
    let gateway = site.start()?;
    ensure!(gateway.output().contains("there is no token"), "{}", gateway.output());
    gateway.client().get(ON)?.expect(200)?;
    let lamp = gateway.client().value("/things/lamp")?;
    ensure!(lamp["securityDefinitions"] == json!({"nosec_sc": {"scheme": "nosec"}}), "{lamp}");
    let token = gateway.site().new_token()?;
    let said = String::from_utf8(gateway::run(&check)?.stdout)?;
    ensure!(said.contains("Access: every request needs the token"), "{said}");
    eventually("a token is needed", DEADLINE, || Ok((gateway.client().get(ON)?.status == 401).then_some(())))?;
    let lamp = gateway.client().send(&with(&token, Request::new("GET", "/things/lamp")))?.expect(200)?.value()?;
    ensure!(lamp["security"] == "basic_sc", "the description says so at once: {lamp}");
    Ok(())
}

#[test]
fn every_form_of_every_description_needs_the_token() -> Result<()> {
    let (gateway, token) = protected()?;
    let get = |target: &str| gateway.client().send(&with(&token, Request::new("GET", target)))?.expect(200)?.value();
    let mut hrefs = BTreeSet::from(["/things".to_owned(), "/nothing".to_owned(), "/.well-known/wot".to_owned()]);
    let listed = get("/things")?;
    let mut described: Vec<Value> = listed.as_array().context("no list")?.clone();
    described.push(get("/things/lamp/handler")?);
    described.push(get("/.well-known/wot")?);
    for thing in &described {
        let basic = json!({"basic_sc": {"scheme": "basic", "in": "header", "name": "Authorization"}});
        ensure!(thing["security"] == "basic_sc" && thing["securityDefinitions"] == basic, "{thing}");
        collect(thing, &mut hrefs);
    }
    ensure!(hrefs.len() > 80, "{hrefs:?}");
    for href in hrefs.iter().filter(|href| !href.contains("/ui")) {
        for method in ["GET", "PUT", "POST", "DELETE", "OPTIONS"] {
            unauthorized(gateway.client().send(&Request::new(method, href))?).with_context(|| href.clone())?;
        }
    }
    Ok(())
}

/// Every `href` over HTTP.
fn collect(value: &Value, hrefs: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let href = members.get("href").and_then(Value::as_str).filter(|href| href.starts_with("http:"));
            hrefs.extend(href.map(|href| href.split('{').next().unwrap_or_default().to_owned()));
            members.values().for_each(|member| collect(member, hrefs));
        }
        Value::Array(members) => members.iter().for_each(|member| collect(member, hrefs)),
        _ => {}
    }
}

#[test]
fn a_token_is_shown_once_and_is_nowhere_afterwards() -> Result<()> {
    let site = site()?;
    site.configure("[board]\nsimulated = true\n[log]\nlevel = \"trace\"\n")?;
    let token = site.new_token()?;
    ensure!(token.len() == 67 && token.starts_with("tg_"), "{token}");
    let file = site.data_dir().join("token");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o7777 == 0o600, "the file is private");
    let gateway = site.start()?;
    ensure!(status(&gateway, &token, ON)? == 200, "{}", gateway.output());
    ensure!(status(&gateway, &token[..66], ON)? == 401, "all of it counts");
    let target = format!("{ON}?access_token={token}");
    unauthorized(gateway.client().get(&target)?).context("a token in a URL is not taken")?;
    let cookie = sign_in(&gateway, &token)?;
    gateway.client().send(&Request::new("GET", ON).header("Cookie", &cookie))?.expect(200)?;
    for arguments in [&["new"][..], &["list"]] {
        let said = gateway.site().token_command(arguments)?;
        ensure!(!said.contains(&token), "{said}");
    }
    let log = gateway.client().send(&with(&token, Request::new("GET", "/things/gateway/properties/log")))?.text();
    for (place, text) in [("file", fs::read_to_string(&file)?), ("output", gateway.output()), ("log", log)] {
        let secrets = [&token[3..], cookie.split("tg_").nth(1).context("no secret")?];
        ensure!(secrets.iter().all(|secret| !text.contains(secret)), "{place}: {text}");
    }
    Ok(())
}

/// The cookie of a new session.
fn sign_in(gateway: &Gateway, token: &str) -> Result<String> {
    let answer = gateway.client().json("POST", "/session", &json!({ "token": token }))?.expect(204)?;
    let cookie = answer.header("set-cookie").context("no cookie")?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

#[test]
fn a_token_is_changed_without_losing_a_request() -> Result<()> {
    let (gateway, old) = protected()?;
    let cookie = sign_in(&gateway, &old)?;
    let open = |request: Request| EventStream::of(&gateway.client(), request);
    let mut by_token = open(with(&old, Request::new("GET", ON)))?;
    let mut by_cookie = open(Request::new("GET", ON).header("Cookie", &cookie))?;
    ensure!(by_token.expect_message()?.event == "on" && by_cookie.expect_message()?.event == "on");
    let new = gateway.site().new_token()?;
    eventually("the new token is good", DEADLINE, || Ok((status(&gateway, &new, ON)? == 200).then_some(())))?;
    ensure!(status(&gateway, &old, ON)? == 200, "the one from before is good too");
    gateway.client().send(&with(&new, Request::new("PUT", ON)).json(&json!(true)))?.expect(204)?;
    ensure!(by_token.expect_message()?.data == "true" && by_cookie.expect_message()?.data == "true");
    let names = gateway.site().token_command(&["list"])?;
    let first = names.split_whitespace().next().context("no list")?;
    gateway.site().token_command(&["revoke", first])?;
    eventually("the old token is refused", DEADLINE, || Ok((status(&gateway, &old, ON)? == 401).then_some(())))?;
    ensure!(by_token.next_message()?.is_none() && by_cookie.next_message()?.is_none(), "what it had let in has ended");
    let with_cookie = gateway.client().send(&Request::new("GET", ON).header("Cookie", &cookie))?;
    unauthorized(with_cookie).context("its session too")?;
    ensure!(status(&gateway, &new, ON)? == 200);
    let (_, site) = gateway.stop()?;
    let gateway = site.start()?;
    ensure!(status(&gateway, &new, ON)? == 200 && status(&gateway, &old, ON)? == 401, "after a restart as before");
    gateway.site().token_command(&["revoke", "--all"])?;
    eventually("nothing is good", DEADLINE, || Ok((status(&gateway, &new, ON)? == 401).then_some(())))?;
    unauthorized(gateway.client().get(ON)?).context("and nothing is open")?;
    Ok(())
}

#[test]
fn listening_elsewhere_needs_a_token_whose_file_is_private() -> Result<()> {
    let site = site()?;
    site.configure("[board]\nsimulated = true\n[mqtt]\nlisten = \"0.0.0.0:0\"\n")?;
    let (config, data_dir) = (site.config(), site.data_dir());
    let handlers = site.handlers().to_string_lossy().into_owned();
    let check = || -> Result<(Option<i32>, String)> {
        let place = ["--config", &config.to_string_lossy(), "--data-dir", &data_dir.to_string_lossy()];
        let output = gateway::run(&[&["check", "--handlers", &handlers][..], &place].concat())?;
        Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    };
    let (code, said) = check()?;
    ensure!(code == Some(EXIT_CONFIGURATION) && said.contains("tidegate.toml:4:10"), "{said}");
    ensure!(said.contains("there is no token") && said.contains("hint: `tidegate token new`"), "{said}");
    site.new_token()?;
    let (code, said) = check()?;
    ensure!(code == Some(0), "{said}");
    let file = data_dir.join("token");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640))?;
    let (code, said) = check()?;
    ensure!(code == Some(EXIT_CONFIGURATION) && said.contains("mode 0640") && said.contains("chmod 600"), "{said}");
    let Err(error) = site.start() else { anyhow::bail!("it started") };
    ensure!(format!("{error:#}").contains("mode 0640"), "{error:#}");
    Ok(())
}

#[test]
fn guesses_are_slowed_and_harm_nobody() -> Result<()> {
    let (gateway, token) = protected()?;
    let refused = eventually("guesses are slowed", DEADLINE, || {
        let answer = gateway.client().send(&with("tg_guess", Request::new("GET", ON)))?;
        Ok((answer.status != 401).then_some(answer))
    })?;
    ensure!(refused.header("retry-after").is_some(), "{}", refused.text());
    refused.problem(429)?;
    ensure!(status(&gateway, &token, ON)? == 200, "the right one is taken all the same");
    let cookie = sign_in(&gateway, &token)?;
    gateway.client().send(&Request::new("GET", ON).header("Cookie", &cookie))?.expect(200)?;
    let guess = gateway.client().json("POST", "/session", &json!({"token": "tg_guess"}))?;
    guess.problem(429)?;
    ensure!(gateway.output().contains("wrong credentials") && !gateway.output().contains("tg_guess"));
    Ok(())
}

#[test]
fn who_shows_no_token_keeps_nobody_out() -> Result<()> {
    let site = site()?;
    site.configure("[board]\nsimulated = true\n[limits]\nconnections-max = 4\n")?;
    let token = site.new_token()?;
    let gateway = site.start()?;
    let mut strangers = Vec::new();
    for (target, expected) in [("/", 200), (ON, 401), ("/session", 200), ("/nothing", 401)] {
        let mut connection = gateway.client().connect()?;
        ensure!(connection.send(&Request::new("GET", target))?.status == expected, "{target}");
        strangers.push(connection);
    }
    for _ in 0..4 {
        let mut connection = gateway.client().connect()?;
        ensure!(connection.send(&with(&token, Request::new("GET", ON)))?.status == 200, "a stranger makes room");
        strangers.push(connection);
    }
    Ok(())
}

#[test]
fn strange_heads_are_refused_and_the_next_request_is_answered() -> Result<()> {
    let (gateway, token) = protected()?;
    let right = format!("Bearer {token}");
    for size in [20_000, 1 << 20] {
        let request = Request::new("GET", ON).header("Authorization", &"x".repeat(size));
        ensure!(gateway.client().send(&request)?.status == 431, "{size}");
    }
    for lines in [[&*right, "Basic eDp5"], [&right, &right], ["", &right]] {
        let twice = lines.iter().fold(Request::new("GET", ON), |request, line| request.header("Authorization", line));
        unauthorized(gateway.client().send(&twice)?)?;
    }
    let mut connection = gateway.client().connect()?;
    for (request, expected) in [
        (Request::new("GET", ON), 401),
        (with(&token, Request::new("GET", ON)), 200),
        (Request::new("GET", ON), 401),
        (with(&token, Request::new("TRACE", ON)), 405),
        (Request::new("TRACE", ON), 401),
        (Request::new("PUT", ON).json(&json!(true)), 401),
        (with(&token, Request::new("HEAD", ON)), 200),
        (Request::new("GET", "/"), 200),
    ] {
        let answer = connection.send(&request)?;
        ensure!(answer.status == expected, "{request:?}: {} {}", answer.status, answer.text());
    }
    ensure!(
        gateway.client().send(&with(&token, Request::new("GET", ON)))?.value()? == json!(false),
        "nothing was written"
    );
    Ok(())
}

#[test]
fn node_wot_signs_in_with_basic_credentials() -> Result<()> {
    let (gateway, token) = protected()?;
    let origin = format!("http://{}", gateway.client().address());
    let output = node::run("basic.mjs", &[&origin, &token])?;
    ensure!(output.lines().any(|line| line == "ok"), "{output}\n{}", gateway.output());
    Ok(())
}

#[test]
fn a_handler_is_pushed_with_a_token() -> Result<()> {
    let (gateway, token) = protected()?;
    let component = gateway.site().handlers().join("relay.wasm");
    let (component, url) = (component.to_string_lossy(), format!("http://{}", gateway.client().address()));
    let push = ["handler", "push", "lamp", &component, "--gateway", &url];
    let output = gateway::run(&push)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(7) && said.contains("--token-file"), "{said}");
    let file = gateway.site().path().join("my-token");
    fs::write(&file, format!("{token}\n"))?;
    let path = file.to_string_lossy();
    let output = gateway::run(&[&push[..], &["--token-file", &path]].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
