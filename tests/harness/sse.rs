//! Server-sent events, as a browser reads them (WHATWG HTML, section 9.2), with comments kept.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::http::{Body, Client, Request};

/// Longest line of a stream, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// One message of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `event:`: the affordance.
    pub event: String,
    /// `id:`.
    pub id: String,
    /// `data:` lines, joined.
    pub data: String,
}

impl Message {
    /// The data as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn value(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.data)?)
    }
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    lines: BufReader<Body<BufReader<TcpStream>>>,
    /// The comments that have come, in order.
    pub comments: Vec<String>,
}

impl EventStream {
    /// Opens the stream at `target`; with `last_event_id`, from there on.
    ///
    /// # Errors
    /// When the answer is no stream.
    pub fn open(client: &Client, target: &str, last_event_id: Option<&str>) -> Result<Self> {
        let request = Request::new("GET", target);
        Self::of(client, last_event_id.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id)))
    }

    /// Opens the stream that `request` asks for.
    ///
    /// # Errors
    /// When the answer is no stream.
    pub fn of(client: &Client, request: Request) -> Result<Self> {
        let request = request.header("Accept", "text/event-stream");
        let lines = BufReader::new(client.connect()?.stream(&request)?);
        Ok(Self { lines, comments: Vec::new() })
    }

    /// The next message; `None` when the stream has ended.
    ///
    /// # Errors
    /// When none comes within [`crate::http::SILENCE_MAX`] (heartbeats count as silence's end).
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        let mut message = Message::default();
        let mut data = Vec::new();
        loop {
            let mut line = String::new();
            if (&mut self.lines).take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() && !data.is_empty() {
                message.data = data.join("\n");
                return Ok(Some(message));
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" if !line.is_empty() => self.comments.push(value),
                "event" => message.event = value,
                "id" => message.id = value,
                "data" => data.push(value),
                _ => {}
            }
        }
    }

    /// The next message, which must come.
    ///
    /// # Errors
    /// When the stream ends or is silent.
    pub fn expect_message(&mut self) -> Result<Message> {
        let message = self.next_message()?;
        ensure!(message.is_some(), "the stream has ended; comments: {:?}", self.comments);
        Ok(message.unwrap_or_default())
    }
}
