//! `tidegate handler log`: the property `log` of the Thing that controls a Thing, once or again and again.
//!
//! The property holds the last lines and is no event: following reads it and prints what is new.

use std::{ops::ControlFlow, time::Duration};

use clap::Args;
use serde_json::Value;

use crate::cli::{
    Exit, Failure,
    access::GatewayArgs,
    console,
    consumer::{Consumer, Found},
    terminal::{Screen, Tone, plain, plain_json},
};

/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// Name, id or title of the Thing
    thing: String,
    /// Print what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// At most so many of the lines that are kept
    #[arg(long, short = 'n', value_name = "N", default_value_t = 200)]
    lines: usize,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) async fn log(arguments: &Log) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let handler = consumer.handler_of(&found).await?;
    let mut seen = lines(&consumer, &handler).await?;
    if seen.is_empty() && !arguments.json {
        console::note("the handler has written nothing yet");
    }
    let from = seen.len().saturating_sub(arguments.lines);
    if print(&seen[from..], arguments.json)? == ControlFlow::Break(()) || !arguments.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let now = match lines(&consumer, &handler).await {
            // A gateway that is being started again.
            Err(Failure { exit: Exit::Unreachable, .. }) => continue,
            other => other?,
        };
        if print(new_in(&seen, &now), arguments.json)? == ControlFlow::Break(()) {
            return Ok(());
        }
        seen = now;
    }
}

async fn lines(consumer: &Consumer, handler: &Found) -> Result<Vec<Value>, Failure> {
    match consumer.read(handler, "log").await?.value {
        Value::Array(lines) => Ok(lines),
        _ => Err(Failure::new(Exit::Failed, "the property `log` of the handler is no list")),
    }
}

/// What `now` holds after the last line that was seen: the longest end of `seen` that `now` begins with is no news.
fn new_in<'a>(seen: &[Value], now: &'a [Value]) -> &'a [Value] {
    let known = (0..=seen.len().min(now.len())).rev().find(|known| seen.ends_with(&now[..*known]));
    &now[known.unwrap_or(0)..]
}

fn print(lines: &[Value], json: bool) -> Result<ControlFlow<()>, Failure> {
    let screen = Screen::output();
    for line in lines {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let shown = match json {
            true => plain_json(&line.to_string()),
            false => {
                let level = match text("level") {
                    level @ "error" => screen.paint(Tone::Bad, format!("{level:<5}")),
                    level @ "warn" => screen.paint(Tone::Doubtful, format!("{level:<5}")),
                    level => format!("{:<5}", plain(level)),
                };
                format!("{} {level} {}", screen.paint(Tone::Aside, plain(text("time"))), plain(text("message")))
            }
        };
        if console::print_on(shown)? == ControlFlow::Break(()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_once() {
        let lines = |text: &str| text.chars().map(|letter| letter.to_string().into()).collect::<Vec<Value>>();
        for (seen, now, new) in [
            ("", "ab", "ab"),
            ("ab", "ab", ""),
            ("ab", "abc", "c"),
            ("abc", "bcd", "d"),
            ("abc", "xyz", "xyz"),
            ("aab", "", ""),
        ] {
            assert_eq!(new_in(&lines(seen), &lines(now)), lines(new), "{seen} {now}");
        }
    }
}
