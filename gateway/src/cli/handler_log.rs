//! The log lines of one Thing, followed as a Consumer can: the property `logs` of the Thing `gateway`, read again and again.
//!
//! The property is the last entries without a number; what is new is what comes after the newest that was seen.

use std::fmt;

use serde::Deserialize;

use super::{Failure, access::GatewayArgs, consumer::Found, terminal::plain};
use crate::names::ThingName;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct LogLine {
    time: String,
    level: String,
    message: String,
}

/// The log of one Thing at one gateway.
#[derive(Debug)]
pub(super) struct HandlerLog {
    gateway: GatewayArgs,
    /// How entries of the Thing end or go on: ` thing=NAME`.
    mark: String,
    /// The Thing `gateway`, once its Thing Description was read.
    logs: Option<Found>,
    /// The newest entry of the whole log that was seen.
    seen: Option<LogLine>,
}

impl HandlerLog {
    pub(super) fn of(gateway: &GatewayArgs, thing: &ThingName) -> Self {
        Self { gateway: gateway.clone(), mark: format!("thing={thing}"), logs: None, seen: None }
    }

    /// What was logged until now is old. A gateway that cannot be asked has logged nothing yet.
    pub(super) async fn begin(&mut self) {
        drop(self.news().await);
    }

    /// What the Thing has logged since the last call, oldest first. Nothing, while the gateway cannot be asked: whoever
    /// wants to know why pushes.
    pub(super) async fn news(&mut self) -> Vec<LogLine> {
        match self.read().await {
            Ok(entries) => self.take_in(entries),
            Err(_) => {
                self.logs = None;
                Vec::new()
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<LogLine>, Failure> {
        let consumer = self.gateway.consumer()?;
        let found = match self.logs.take() {
            Some(found) => found,
            None => consumer.thing("gateway").await?,
        };
        let entries = consumer.read(&found, "logs").await?.value;
        self.logs = Some(found);
        Ok(serde_json::from_value(entries).unwrap_or_default())
    }

    fn take_in(&mut self, mut entries: Vec<LogLine>) -> Vec<LogLine> {
        let seen = self.seen.as_ref().and_then(|seen| entries.iter().rposition(|entry| entry == seen));
        if let Some(newest) = entries.last() {
            self.seen = Some(newest.clone());
        }
        let mut news = entries.split_off(seen.map_or(0, |at| at + 1));
        news.retain(|entry| entry.message.split(' ').any(|word| word == self.mark));
        news
    }
}

impl LogLine {
    /// What was said, without when.
    pub(super) fn said(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = self.time.get(11..19).unwrap_or(&self.time);
        let message = self
            .message
            .rsplit_once(" thing=")
            .map_or((&*self.message, ""), |(said, rest)| (said, rest.split_once(' ').map_or("", |(_, fields)| fields)));
        let (said, fields) = message;
        let line = format!("{clock} {:5} {said}{}{fields}", self.level, if fields.is_empty() { "" } else { " " });
        f.write_str(&plain(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: u8, message: &str) -> LogLine {
        LogLine { time: format!("2026-01-01T00:00:{second:02}.0Z"), level: "info".into(), message: message.into() }
    }

    #[test]
    fn what_is_new_of_the_thing_is_told_once_and_in_order() {
        let mut log = HandlerLog::of(&GatewayArgs::default(), &"lamp".parse().unwrap());
        let of = |range: std::ops::Range<u8>| {
            range.map(|n| entry(n, if n % 2 == 0 { "even thing=lamp" } else { "odd thing=lamps" })).collect::<Vec<_>>()
        };
        assert_eq!(log.take_in(of(0..3)).len(), 2);
        assert_eq!(log.take_in(of(0..3)), []);
        assert_eq!(log.take_in(of(0..5)), [entry(4, "even thing=lamp")]);
        assert_eq!(log.take_in(of(10..12)).len(), 1, "what was seen has gone from the log");
        assert_eq!(log.take_in(Vec::new()), [], "a gateway that has started anew");
    }

    #[test]
    fn a_line_is_for_people() {
        assert_eq!(entry(7, "sampling begins thing=lamp").to_string(), "00:00:07 info  sampling begins");
        let refused = entry(7, "refused what the handler sent thing=lamp kind=\"reading\" name=\"x\"");
        assert_eq!(refused.to_string(), "00:00:07 info  refused what the handler sent kind=\"reading\" name=\"x\"");
    }
}
