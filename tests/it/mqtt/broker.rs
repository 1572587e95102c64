//! The external broker pulled away and put back: what is retained comes anew, and nothing that happened meanwhile is lost.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use anyhow::{Result, ensure};
use tests::{
    Mosquitto, eventually,
    mqtt::{self, Cuttable, Protocol, Subscriber},
};

use super::{DEADLINE, configuration, connected, site, topic};

#[test]
fn a_broker_that_comes_back_empty_is_filled_again() -> Result<()> {
    let mut broker = Mosquitto::start()?;
    let gateway = site(&configuration(broker.address()))?.start()?;
    connected(&gateway)?;
    for value in [true, false] {
        broker.kill()?;
        let client = gateway.client();
        client.json("PUT", "/things/lamp/properties/on", &value.into())?.expect(204)?;
        ensure!(client.value("/things/lamp/properties/on")? == value, "HTTP does not care");
        broker.restart()?;
        let mut subscriber = Subscriber::start(broker.address(), Protocol::V5, &["tidegate/#"], &[])?;
        let is = |message: &mqtt::Message| message.topic.ends_with("lamp/properties/on");
        ensure!(subscriber.until("the lamp's value", is)?.value()? == value);
        connected(&gateway)?;
        mqtt::publish(broker.address(), Protocol::V5, &topic("lamp/properties/on/set"), b"true", &[])?;
        eventually("the lamp is on", DEADLINE, || {
            Ok((client.value("/things/lamp/properties/on")? == true).then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn results_of_actions_wait_for_the_broker() -> Result<()> {
    let broker = Mosquitto::start()?;
    let line = Cuttable::before(broker.address())?;
    let gateway = site(&configuration(line.address()))?.start()?;
    connected(&gateway)?;
    let mut subscriber = Subscriber::start(
        broker.address(),
        Protocol::V5,
        &["tidegate/tidegate/status", &topic("lamp/actions/pulse/status")],
        &["-q", "1"],
    )?;
    ensure!(subscriber.next_message()?.text() == "online");
    for _ in 0..2 {
        line.cut();
        ensure!(subscriber.next_message()?.text() == "offline", "the last will");
        let pulse = serde_json::json!({ "duration": 10 });
        for _ in 0..20 {
            gateway.client().json("POST", "/things/lamp/actions/pulse", &pulse)?.expect(201)?;
        }
        let all = || {
            let statuses = gateway.client().value("/things/lamp/actions")?;
            let ended =
                statuses["pulse"].as_array().is_some_and(|all| all.iter().all(|one| one["status"] == "completed"));
            Ok(ended.then_some(()))
        };
        eventually("all pulses are done", DEADLINE, all)?;
        line.mend();
        let (mut completed, mut online) = (0, false);
        while completed < 20 || !online {
            let message = subscriber.next_message()?;
            completed += usize::from(message.text().contains("completed"));
            online |= message.text() == "online";
        }
    }
    Ok(())
}

#[test]
fn a_broker_that_accepts_and_never_answers_hinders_nobody() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let gateway = site(&configuration(silent.local_addr()?))?.start()?;
    let (accepted, _) = silent.accept()?;
    let client = gateway.client();
    client.json("PUT", "/things/lamp/properties/on", &true.into())?.expect(204)?;
    ensure!(client.value("/things/lamp/properties/on")? == true);
    // It gives up on this connection and tries another.
    let (again, _) = silent.accept()?;
    drop((accepted, again));
    gateway.stop()?;
    Ok(())
}

#[test]
fn a_broker_is_spoken_to_by_tls_if_its_certificate_is_trusted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).map(|()| path)
    };
    let (certificate, key) = (file("a.pem", signed.cert.pem())?, file("a.key", signed.signing_key.serialize_pem())?);
    // Debian's mosquitto goes on as a user of its own, who must be able to read them.
    let tls =
        format!("user root\ncertfile {}\nkeyfile {}\nallow_anonymous true\n", certificate.display(), key.display());
    let broker = Mosquitto::start_with(&tls)?;
    let trusting = |authority: &std::path::Path| {
        format!("{}tls = true\nca-file = {:?}\n", configuration(broker.address()), authority.display().to_string())
    };
    let gateway = site(&trusting(&certificate))?.start()?;
    connected(&gateway)?;
    gateway.stop()?;
    let stranger = file("b.pem", other.cert.pem())?;
    let gateway = site(&trusting(&stranger))?.start()?;
    eventually("it is told why", DEADLINE, || Ok(gateway.output().contains("the TLS handshake failed").then_some(())))?;
    let mqtt = gateway.client().value("/things/gateway/properties/mqtt")?;
    ensure!(mqtt["broker"] == "disconnected", "{mqtt}");
    Ok(())
}

#[test]
fn a_retained_command_is_not_carried_out() -> Result<()> {
    let broker = Mosquitto::start()?;
    mqtt::publish(broker.address(), Protocol::V5, &topic("lamp/properties/on/set"), b"true", &["-r"])?;
    let gateway = site(&configuration(broker.address()))?.start()?;
    eventually("it is refused", DEADLINE, || {
        let mqtt = gateway.client().value("/things/gateway/properties/mqtt")?;
        Ok((mqtt["refused"] == 1).then_some(()))
    })?;
    ensure!(gateway.client().value("/things/lamp/properties/on")? == false);
    Ok(())
}

#[test]
fn what_a_broker_is_too_small_for_does_not_hold_up_the_rest() -> Result<()> {
    // A Thing Description is larger: it is refused by name, or the connection breaks on it.
    for limit in ["max_packet_size 4000\n", "message_size_limit 4000\n"] {
        let broker = Mosquitto::start_with(&format!("allow_anonymous true\n{limit}"))?;
        let gateway = site(&configuration(broker.address()))?.start()?;
        let mut subscriber = Subscriber::start(broker.address(), Protocol::V5, &["tidegate/#"], &["-q", "1"])?;
        let is = |message: &mqtt::Message| message.topic.ends_with("lamp/properties/on");
        ensure!(subscriber.until("the lamp's value", is)?.value()? == false, "{limit}");
        eventually("it is told what was not taken", DEADLINE, || {
            let mqtt = gateway.client().value("/things/gateway/properties/mqtt")?;
            Ok((mqtt["lost"].as_u64() > Some(0)).then_some(()))
        })?;
    }
    Ok(())
}

/// Accepts a connection and its CONNECT, and says that all is well (MQTT 5).
fn welcome(listener: &TcpListener) -> Result<TcpStream> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    ensure!(head[0] == 0x10 && head[1] < 0x80, "a short CONNECT is expected");
    stream.read_exact(&mut vec![0; head[1].into()])?;
    stream.write_all(&[0x20, 3, 0, 0, 0])?;
    Ok(stream)
}

/// Reads until these words have come, one after another.
fn until(stream: &mut TcpStream, words: &[&str]) -> Result<()> {
    let (mut seen, mut bytes) = (String::new(), [0; 4_096]);
    loop {
        let mut rest = seen.as_str();
        let all = words.iter().all(|word| rest.split_once(word).map(|(_, after)| rest = after).is_some());
        if all {
            return Ok(());
        }
        let count = stream.read(&mut bytes)?;
        ensure!(count > 0, "the gateway closed the connection after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

#[test]
fn a_broker_that_breaks_connections_is_told_that_the_gateway_is_online_all_the_same() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let gateway = site(&configuration(listener.local_addr()?))?.start()?;
    for _ in 0..3 {
        until(&mut welcome(&listener)?, &["tidegate/tidegate/status", "online"])?;
    }
    let mut good = welcome(&listener)?;
    until(&mut good, &["tidegate/tidegate/status", "online"])?;
    drop(good);
    gateway.stop()?;
    Ok(())
}
