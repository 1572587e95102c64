//! `mosquitto_sub`: subscribed when its constructor returns, messages one after the other.

use std::{io::Read, net::SocketAddr, process::Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{Message, Protocol, bytes, events::Events, programs::client};
use crate::{guard::Guard, program};

/// Payload in hexadecimal digits (JSON cannot carry every byte), then all else as JSON.
const FORMAT: &str = "message %x %j";
const REFUSED: u32 = 0x80;

/// A subscribed client.
#[derive(Debug)]
pub struct Subscriber {
    _process: Guard,
    events: Events,
}

impl Subscriber {
    /// Subscribes to these filters and waits for the SUBACK. `options` are `mosquitto_sub`'s, such as `-q 1` or `-R`.
    ///
    /// # Errors
    /// When the broker refuses one of them or is not there.
    pub fn start(broker: SocketAddr, protocol: Protocol, filters: &[&str], options: &[&str]) -> Result<Self> {
        let mut command = client("mosquitto_sub", broker, protocol);
        command.args(["-d", "-F", FORMAT]).args(filters.iter().flat_map(|filter| ["-t", filter])).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = program::spawn(&mut command)?;
        let output: Box<dyn Read + Send> = Box::new(process.0.stdout.take().context("no output")?);
        let errors: Box<dyn Read + Send> = Box::new(process.0.stderr.take().context("no errors")?);
        let mut events = Events::of([output, errors]);
        let granted = events.next("a SUBACK", |line| {
            let (_, codes) = line.strip_prefix("Subscribed (mid: ")?.split_once("): ")?;
            codes.split(", ").map(|code| code.parse().ok()).collect::<Option<Vec<u32>>>()
        })?;
        ensure!(granted.iter().all(|code| *code < REFUSED), "the broker refused {filters:?}: {granted:?}");
        Ok(Self { _process: process, events })
    }

    /// The next message.
    ///
    /// # Errors
    /// When none comes within the deadline.
    pub fn next_message(&mut self) -> Result<Message> {
        self.events.next("a message", message)
    }

    /// The next message that is `what`; others are passed over.
    ///
    /// # Errors
    /// When none comes within the deadline.
    pub fn until(&mut self, what: &str, is: impl Fn(&Message) -> bool) -> Result<Message> {
        self.events.next(what, |line| message(line).filter(&is))
    }
}

fn message(line: &str) -> Option<Message> {
    let (payload, members) = line.strip_prefix("message ")?.split_once(' ')?;
    Message::of(&serde_json::from_str(members).ok()?, bytes(payload)?)
}
