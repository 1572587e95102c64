//! `tidegate handler list`: a row per Thing that a handler answers.

use serde_json::{Value, json};

use crate::cli::{
    Exit, Failure,
    access::Listing,
    console,
    consumer::{Consumer, Found},
    table::Table,
    terminal::{Screen, Tone},
};

/// What is shown of each.
const SHOWN: [&str; 5] = ["status", "version", "digest", "statistics", "memory"];
/// Digits of a digest that tell versions apart for people.
const DIGITS: usize = 12;

pub(super) async fn list(arguments: &Listing) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let mut rows = Vec::new();
    for found in consumer.things().await?.iter().filter(|found| found.has_handler()) {
        rows.push(row(&consumer, found).await?);
    }
    match arguments.json {
        true => console::print_json(&rows.into()),
        false if rows.is_empty() => console::print("No Thing here has a handler."),
        false => console::print(table(&rows).show(Screen::output())),
    }
}

/// One handler; one that cannot be asked does not hide the others.
async fn row(consumer: &Consumer, found: &Found) -> Result<Value, Failure> {
    let asked = async {
        let handler = consumer.handler_of(found).await?;
        let all = consumer.read_all(&handler).await?;
        let mut row = json!({"thing": found.name, "url": handler.url.to_string()});
        for name in SHOWN {
            row[name] = all.get(name).cloned().unwrap_or_default();
        }
        Ok(row)
    };
    match asked.await {
        Err(failure @ Failure { exit: Exit::Refused | Exit::Failed | Exit::Unknown, .. }) => {
            Ok(json!({"thing": found.name, "error": failure.sentence()}))
        }
        other => other,
    }
}

fn table(rows: &[Value]) -> Table {
    let mut table = Table::new(&["THING", "STATE", "VERSION", "DIGEST", "CALLS", "FAULTS", "SINCE"]);
    for row in rows {
        let text = |pointer: &str| match row.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let thing = text("/thing");
        if let Some(Value::String(error)) = row.get("error") {
            table.toned([
                (&thing, None),
                ("unknown", Some(Tone::Bad)),
                ("", None),
                ("", None),
                ("", None),
                ("", None),
                (error, None),
            ]);
            continue;
        }
        let (state, faults) = (text("/status/state"), text("/statistics/faults"));
        let digest: String = text("/digest").chars().take(DIGITS).collect();
        table.toned([
            (&thing, None),
            (&state, tone(&state)),
            (&text("/version"), None),
            (&digest, None),
            (&text("/statistics/calls"), None),
            (&faults, (faults != "0").then_some(Tone::Doubtful)),
            (&text("/status/since"), None),
        ]);
    }
    table
}

/// How a state is to be taken.
pub(super) fn tone(state: &str) -> Option<Tone> {
    match state {
        "running" => Some(Tone::Good),
        "crash-loop" => Some(Tone::Bad),
        _ => Some(Tone::Doubtful),
    }
}
