//! Ports to listen on, and the broker to speak to.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use serde_json::Value;
use tokio::net::TcpStream;

use super::{Findings, running::Running};
use crate::config::{Broker, Tree};

/// A broker that does not accept a connection within this time cannot be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Each address can be listened on, or is taken by our own gateway.
pub(super) fn ports(tree: &Tree, running: &Running, findings: &mut Findings) {
    port("HTTP", tree.config.listen, running, findings);
    match tree.config.mqtt.listen {
        Some(listen) => port("MQTT", listen, running, findings),
        None => findings.ok("ports", "there is no MQTT endpoint: `[mqtt] listen` makes one"),
    }
}

fn port(what: &str, address: SocketAddr, running: &Running, findings: &mut Findings) {
    const CHECK: &str = "ports";
    let Err(error) = TcpListener::bind(address) else {
        return findings.ok(CHECK, format!("{what}: {address} is free"));
    };
    let shown = format!("{what}: {address}");
    match error.kind() {
        // A gateway that could not listen would have ended at its start.
        ErrorKind::AddrInUse if running.answers => {
            findings.ok(CHECK, format!("{shown} is taken by the gateway that runs"));
        }
        ErrorKind::AddrInUse => {
            let todo = "`ss -ltnp` shows the program (a broker on 1883?); stop it, or choose another address";
            findings.fail(CHECK, format!("{shown} is taken by another program"), todo);
        }
        ErrorKind::PermissionDenied => {
            let todo = "choose a port from 1024 on, or give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE";
            findings.fail(CHECK, format!("{shown} may not be used by this user"), todo);
        }
        ErrorKind::AddrNotAvailable => {
            let todo = "`ip address` shows those it has; 127.0.0.1 is always there";
            findings.fail(CHECK, format!("{shown} is no address of this machine"), todo);
        }
        _ => findings.fail(CHECK, format!("{shown}: {error}"), "choose another address"),
    }
}

/// The broker can be reached, and what it is spoken to with can be read.
pub(super) async fn broker(tree: &Tree, running: &Running, findings: &mut Findings) {
    const CHECK: &str = "broker";
    let Some(broker) = &tree.config.mqtt.broker else {
        return findings.ok(CHECK, "none is configured");
    };
    let files = [("password-file", &broker.password_file), ("ca-file", &broker.ca_file)];
    for (key, file) in files.iter().filter_map(|(key, file)| Some((key, file.as_deref()?))) {
        if let Err(error) = std::fs::read(file) {
            let todo = format!("correct `{key}`, or give the gateway's user the right to read it");
            findings.fail(CHECK, format!("{} cannot be read: {error}", Path::new(file).display()), todo);
        }
    }
    let shown = format!("{}:{}", broker.host, broker.port);
    match running.mqtt.get("broker").and_then(Value::as_str) {
        Some("connected") => return findings.ok(CHECK, format!("the gateway is connected to {shown}")),
        Some(word) => {
            let todo = "its log says why: user name, password, certificate?";
            findings.warn(CHECK, format!("the gateway that runs is {word} from {shown}"), todo);
        }
        None => {}
    }
    match reach(broker).await {
        Ok(()) => findings.ok(CHECK, format!("{shown} accepts connections")),
        Err(error) => {
            let todo = "is it running, and are `host` and `port` right? Until then the gateway tries again by itself";
            findings.fail(CHECK, format!("{shown} cannot be reached: {error}"), todo);
        }
    }
}

async fn reach(broker: &Broker) -> std::io::Result<()> {
    let connecting = TcpStream::connect((broker.host.as_str(), broker.port));
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    connected.map_err(|_| std::io::Error::from(ErrorKind::TimedOut))?.map(drop)
}
