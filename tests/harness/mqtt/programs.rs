//! `mosquitto_pub` and `mosquitto_rr`: one message, one answer.

use std::{net::SocketAddr, process::Command};

use anyhow::Result;

use super::{Protocol, events::DEADLINE};
use crate::program;

/// Publishes one message at least once and waits for its PUBACK. `options` are `mosquitto_pub`'s, such as `-r`, or
/// `-D publish response-topic here`.
///
/// # Errors
/// When the broker does not take it.
pub fn publish(broker: SocketAddr, protocol: Protocol, topic: &str, payload: &[u8], options: &[&str]) -> Result<()> {
    let mut command = client("mosquitto_pub", broker, protocol);
    // It refuses an empty message on its standard input.
    let source = if payload.is_empty() { "-n" } else { "-s" };
    command.args(["-q", "1", "-t", topic, source]).args(options);
    program::run(&mut command, payload, DEADLINE).map(drop)
}

/// Publishes a request (MQTT 5) and waits for the answer, whose topic is a name of this request alone.
///
/// # Errors
/// When no answer comes.
pub fn request(broker: SocketAddr, topic: &str, payload: &str, options: &[&str]) -> Result<String> {
    let mut command = client("mosquitto_rr", broker, Protocol::V5);
    let answers = format!("answers/{:?}", std::thread::current().id()).replace(['(', ')'], "-");
    let seconds = DEADLINE.as_secs().to_string();
    command.args(["-q", "1", "-t", topic, "-e", &answers, "-W", &seconds, "-m", payload, "-N"]).args(options);
    program::run(&mut command, b"", DEADLINE)
}

/// A mosquitto client that is told where its broker is.
pub(super) fn client(program: &str, broker: SocketAddr, protocol: Protocol) -> Command {
    // Line by line: by itself a program holds back what it says into a pipe, the SUBACK of `mosquitto_sub` for one.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", program]);
    let (host, port) = (broker.ip().to_string(), broker.port().to_string());
    command.args(["-V", protocol.option(), "-h", &host, "-p", &port]);
    command
}
