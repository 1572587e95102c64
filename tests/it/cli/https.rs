//! A gateway behind a proxy with TLS: used as any other when its certificate is trusted, and not at all when it is not.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use serde_json::{Value, json};
use tests::{CommandLine, Gateway, Site, eventually, site};

use super::{
    failures::{answer, ask, stranger},
    tls_front::TlsFront,
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
const LIST: [&str; 2] = ["thing", "list"];

/// A command for what listens at `url`, which trusts `ca_file`.
fn trusting(url: &str, ca_file: &Path, arguments: &[&str]) -> Result<CommandLine> {
    let ca_file = ca_file.to_str().context("no UTF-8 path")?;
    CommandLine::new(&[arguments, &["--gateway", url, "--ca-file", ca_file]].concat())
}

/// Where `url` leads.
fn address_of(url: &str) -> Result<SocketAddr> {
    Ok(url.strip_prefix("http://").context("no http URL")?.parse()?)
}

#[test]
fn a_gateway_behind_tls_is_listed_read_written_and_observed() -> Result<()> {
    let front = TlsFront::listen()?;
    let site = Site::new()?;
    site.configure(&format!("base-url = \"{}\"\n[board]\nsimulated = true\n", front.url()))?;
    site.thing("lamp", site::RELAY)?.thing("lab", site::LABORATORY)?;
    let token = site.new_token()?;
    let gateway = site.start()?;
    let address = gateway.client().address();
    front.pass_on_to(address)?;
    let command = |arguments: &[&str]| {
        Ok::<_, anyhow::Error>(trusting(&front.url(), &front.ca_file(), arguments)?.env("TIDEGATE_TOKEN", &token))
    };

    let listed = command(&["thing", "list", "--json"])?.run()?.ok()?.json()?;
    ensure!(listed.as_array().is_some_and(|things| things.iter().any(|thing| thing["name"] == "lamp")), "{listed}");
    ensure!(listed.to_string().contains(&format!("{}/things/lamp", front.url())), "{listed}");
    command(&["thing", "write", "lamp", "on", "true"])?.run()?.ok()?;
    let read = CommandLine::new(&["thing", "read", "lamp", "on", "--json"])?.env("TIDEGATE_GATEWAY", &front.url());
    let read = read.env("TIDEGATE_CA_FILE", &front.ca_file().to_string_lossy()).env("TIDEGATE_TOKEN", &token);
    ensure!(read.run()?.ok()?.json()?["properties"]["on"]["value"] == true);

    let observing = command(&["thing", "observe", "lamp", "on", "--json"])?.start()?;
    let kind = |wanted: &'static str, value: Value| {
        move |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["kind"] == wanted && line["value"] == value).then_some(())
        }
    };
    observing.line(kind("value", json!(true)))?;
    command(&["thing", "write", "lamp", "on", "false"])?.run()?.ok()?;
    observing.line(kind("value", json!(false)))?;

    let log = command(&["handler", "log", "lab", "--follow", "--json"])?.start()?;
    eventually("the log is followed", LONG, || {
        command(&["thing", "invoke", "lab", "say", "over TLS"])?.run()?.ok()?;
        Ok(log.output().contains("over TLS").then_some(()))
    })?;

    let site = gateway.kill()?;
    observing.line(kind("lost", Value::Null))?;
    let _again = Gateway::start_at(site, &address.to_string())?;
    observing.line(kind("back", Value::Null))?;
    ensure!(front.plain().is_empty(), "something went without TLS: {:?}", front.plain());
    Ok(())
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_with_what_to_do() -> Result<()> {
    let things = address_of(&stranger(answer("200 OK", "", "{}"), b"")?)?;
    let front = TlsFront::listen()?;
    front.pass_on_to(things)?;
    // The control: what is behind it is reached.
    trusting(&front.url(), &front.ca_file(), &LIST)?.run()?.failed(1, "cannot be used", "another program")?;
    ask(&front.url(), &LIST)?.failed(1, "is not trusted", "--ca-file")?;
    let other = TlsFront::listen()?;
    trusting(&front.url(), &other.ca_file(), &LIST)?.run()?.failed(1, "is not trusted", "--ca-file")?;
    let name = format!("https://localhost:{}", front.address().port());
    trusting(&name, &front.ca_file(), &LIST)?.run()?.failed(1, "for another name", "subjectAltName")?;

    let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
    params.not_after = date_time_ymd(2020, 1, 1);
    params.not_before = date_time_ymd(2019, 1, 1);
    let expired = TlsFront::listen_with(&params)?;
    expired.pass_on_to(things)?;
    trusting(&expired.url(), &expired.ca_file(), &LIST)?.run()?.failed(1, "not valid now", "clock")?;
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = TlsFront::listen_with(&params)?;
    authority.pass_on_to(things)?;
    let said = trusting(&authority.url(), &authority.ca_file(), &LIST)?.run()?;
    said.failed(1, "an authority's", "basicConstraints=critical,CA:FALSE")?;

    trusting(&front.url(), Path::new("/nowhere/ca.pem"), &LIST)?.run()?.failed(2, "/nowhere/ca.pem", "PEM")?;
    trusting(&front.url(), Path::new("/proc/version"), &LIST)?.run()?.failed(2, "holds no certificate", "PEM")?;
    // Empty variables of the environment name no file.
    let said = CommandLine::new(&LIST)?.env("TIDEGATE_CA_FILE", "").env("TIDEGATE_TOKEN_FILE", "");
    said.env("TIDEGATE_GATEWAY", &front.url()).run()?.failed(1, "is not trusted", "--ca-file")?;
    Ok(())
}

#[test]
fn the_wrong_scheme_is_found_out() -> Result<()> {
    let plain = stranger(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(), b"")?;
    let address = address_of(&plain)?;
    ask(&format!("https://{address}"), &LIST)?.failed(1, "does not speak TLS", &plain)?;
    let front = TlsFront::listen()?;
    front.pass_on_to(address)?;
    ask(&format!("http://{}", front.address()), &LIST)?.failed(5, "400", &front.url())?;
    // One that answers by an alert of TLS instead of a page.
    let alert = stranger(vec![21, 3, 1, 0, 2, 2, 70], b"")?;
    ask(&alert, &LIST)?.failed(1, "does not speak HTTP", &alert.replace("http:", "https:"))?;
    // One that hangs up is no gateway, now.
    let closing = stranger(Vec::new(), b"")?;
    ask(&closing, &LIST)?.failed(4, "cannot reach the gateway", &closing.replace("http:", "https:"))?;
    ask(&closing.replace("http:", "https:"), &LIST)?.failed(4, "cannot reach the gateway", "is it running")?;
    Ok(())
}

/// Answers each request with 401, and hands out what was asked.
fn listener_in() -> Result<(SocketAddr, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, asked) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4_096];
            let count = stream.read(&mut request).unwrap_or(0);
            let heard = sender.send(String::from_utf8_lossy(&request[..count]).into_owned());
            let told = stream.write_all(&answer("401 Unauthorized", "", "{}"));
            if heard.is_err() || told.is_err() {
                return;
            }
        }
    });
    Ok((address, asked))
}

/// A directory behind `front` whose one Thing is at `origin`.
fn leading_to(front: &TlsFront, origin: &str) -> Result<()> {
    let directory = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Directory",
        "links": [{"rel": "item", "href": format!("{origin}/things/lamp")}],
    });
    front.pass_on_to(address_of(&stranger(answer("200 OK", "", &directory.to_string()), b"")?)?)
}

#[test]
fn a_token_leaves_neither_tls_nor_its_origin() -> Result<()> {
    let show = ["thing", "show", "lamp"];
    let asking =
        |front: &TlsFront| trusting(&front.url(), &front.ca_file(), &show)?.env("TIDEGATE_TOKEN", "s3cret").run();
    // The same host and port, without TLS: a proxy that the gateway does not know of.
    let front = TlsFront::listen()?;
    let plain = format!("http://{}", front.address());
    leading_to(&front, &plain)?;
    asking(&front)?.failed(5, "400", "base-url")?;
    let [heard] = &front.plain()[..] else { anyhow::bail!("{:?}", front.plain()) };
    ensure!(heard.starts_with("GET /things/lamp") && !heard.contains("s3cret"), "{heard}");

    // Another host without TLS.
    let (address, asked) = listener_in()?;
    let front = TlsFront::listen()?;
    leading_to(&front, &format!("http://{address}"))?;
    asking(&front)?.failed(7, "who asks", "base-url")?;
    let heard = asked.recv_timeout(LONG)?;
    ensure!(heard.starts_with("GET /things/lamp") && !heard.contains("s3cret"), "{heard}");

    // Another port, with the same name and a certificate that is trusted.
    let params = || CertificateParams::new(["127.0.0.1".to_owned()]);
    let (front, other) = (TlsFront::listen_with(&params()?)?, TlsFront::listen_with(&params()?)?);
    other.pass_on_to(address)?;
    leading_to(&front, &other.url())?;
    let both = std::fs::read_to_string(front.ca_file())? + &std::fs::read_to_string(other.ca_file())?;
    std::fs::write(front.ca_file(), both)?;
    asking(&front)?.failed(7, "who asks", &format!("the token goes to {} alone", front.url()))?;
    let heard = asked.recv_timeout(LONG)?;
    ensure!(heard.starts_with("GET /things/lamp") && !heard.contains("s3cret"), "{heard}");

    // The control: to the gateway's own origin it goes.
    let front = TlsFront::listen()?;
    front.pass_on_to(address)?;
    asking(&front)?.failed(7, "who asks", "not (or no longer) valid")?;
    ensure!(asked.recv_timeout(LONG)?.contains("s3cret"));
    Ok(())
}
