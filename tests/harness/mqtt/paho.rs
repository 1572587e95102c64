//! paho-mqtt, the Python client: `tests/python/client.py` does what it is told and reports each event.

use std::{
    io::{Read, Write as _},
    net::SocketAddr,
    process::{ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Message, Protocol, bytes, events::Events};
use crate::{guard::Guard, handlers, program};

/// A connected client.
#[derive(Debug)]
pub struct Paho {
    _process: Guard,
    orders: ChildStdin,
    events: Events,
}

impl Paho {
    /// Connects and waits for the CONNACK. `options` are members of the order `connect`, such as `client_id`, `will`
    /// or `clean_start`: see the script.
    ///
    /// # Errors
    /// When the broker refuses it or is not there.
    pub fn connect(broker: SocketAddr, protocol: Protocol, options: &Value) -> Result<Self> {
        let script = handlers::root().join("tests/python/client.py");
        let python = std::env::var_os("TIDEGATE_PYTHON").map_or_else(installed, |python| Ok(python.into()))?;
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = program::spawn(&mut command)?;
        let output: Box<dyn Read + Send> = Box::new(process.0.stdout.take().context("no output")?);
        let errors: Box<dyn Read + Send> = Box::new(process.0.stderr.take().context("no errors")?);
        let orders = process.0.stdin.take().context("no input")?;
        let mut client = Self { _process: process, orders, events: Events::of([output, errors]) };
        let version = match protocol {
            Protocol::V311 => 4,
            Protocol::V5 => 5,
        };
        let mut order = json!({
            "do": "connect", "host": broker.ip().to_string(), "port": broker.port(), "protocol": version,
        });
        for (name, value) in options.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        client.tell(&order)?;
        let connected = client.event("connected")?;
        ensure!(connected["failed"] == false, "not connected: {connected}");
        Ok(client)
    }

    /// Subscribes and waits for the SUBACK.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        self.tell(&json!({ "do": "subscribe", "filter": filter, "qos": qos }))?;
        let subscribed = self.event("subscribed")?;
        ensure!(subscribed["failed"] == false, "{filter}: {subscribed}");
        Ok(())
    }

    /// Publishes at least once and waits for the PUBACK, which is the answer. `options` are members of the order
    /// `publish`, such as `retain`, `response_topic`, `correlation` or `user_properties`.
    ///
    /// # Errors
    /// When it does not come.
    pub fn publish(&mut self, topic: &str, payload: &str, options: &Value) -> Result<Value> {
        let mut order = json!({ "do": "publish", "topic": topic, "payload": payload, "qos": 1 });
        for (name, value) in options.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        self.tell(&order)?;
        self.event("published")
    }

    /// The next message.
    ///
    /// # Errors
    /// When none comes within the deadline.
    pub fn next_message(&mut self) -> Result<Message> {
        self.events.next("a message", |line| {
            let event = report(line).filter(|event| event["event"] == "message")?;
            Message::of(&event, bytes(event["payload"].as_str()?)?)
        })
    }

    /// The next event of this kind: `connected`, `disconnected`, `published`, ..
    ///
    /// # Errors
    /// When none comes within the deadline.
    pub fn event(&mut self, kind: &str) -> Result<Value> {
        self.events.next(kind, |line| report(line).filter(|event| event["event"] == kind))
    }

    /// Gives an order as it is.
    ///
    /// # Errors
    /// When the script has ended.
    pub fn tell(&mut self, order: &Value) -> Result<()> {
        Ok(writeln!(self.orders, "{order}")?)
    }
}

fn report(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// Where `cargo xtask test` puts it.
fn installed() -> Result<std::path::PathBuf> {
    let python = handlers::target()?.join("python/bin/python");
    ensure!(python.is_file(), "paho-mqtt is missing: `cargo xtask test` installs it");
    Ok(python)
}
