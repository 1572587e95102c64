//! `tidegate handler show`: everything that a handler's own Thing tells of it, but its log.

use serde_json::{Map, Value};

use super::list::tone;
use crate::cli::{
    Failure,
    access::OfThing,
    console,
    consumer::Found,
    table::Table,
    terminal::{Screen, Tone},
};

/// Faults and refusals that are shown to people: the last ones.
const LAST: usize = 5;

pub(super) async fn show(arguments: &OfThing) -> Result<(), Failure> {
    let (consumer, found) = arguments.find().await?;
    let handler = consumer.handler_of(&found).await?;
    let all = consumer.read_all(&handler).await?;
    if arguments.listing.json {
        let mut document = Map::from_iter([
            ("thing".to_owned(), found.name.clone().into()),
            ("url".to_owned(), handler.url.to_string().into()),
        ]);
        document.extend(all.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        return console::print_json(&Value::Object(document));
    }
    console::print(text(&found, &all, Screen::output().uncut()))
}

fn text(found: &Found, all: &Value, screen: Screen) -> String {
    let tables = [
        ("", standing(found, all)),
        ("Versions", versions(all)),
        ("May touch", grants(all)),
        ("Last faults", last(all, "faults", ["time", "kind", "detail"])),
        ("Last refusals", last(all, "refusals", ["time", "digest", "reason"])),
    ];
    let shown = tables.iter().filter(|(_, table)| !table.is_empty()).map(|(title, table)| match title.is_empty() {
        true => table.show(screen),
        false => format!("\n{}\n{}", screen.paint(Tone::Head, title), table.show(screen)),
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn word(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn standing(found: &Found, all: &Value) -> Table {
    let mut table = Table::headless();
    table.row(["thing", &found.name]);
    let state = word(all, "/status/state");
    table.toned([("state", None), (&state, tone(&state))]);
    table.row(["since", &format!("{} ({})", word(all, "/status/since"), word(all, "/status/origin"))]);
    table.row(["version", &word(all, "/version")]);
    table.row(["digest", &word(all, "/digest")]);
    table.row(["memory", &format!("{} B", word(all, "/memory"))]);
    let calls = format!(
        "{} calls, {} faults; half within {} µs, 99 % within {} µs",
        word(all, "/statistics/calls"),
        word(all, "/statistics/faults"),
        word(all, "/statistics/latency/p50"),
        word(all, "/statistics/latency/p99"),
    );
    table.row(["statistics", &calls]);
    for import in all.get("imports").and_then(Value::as_array).into_iter().flatten() {
        table.row(["imports", import.as_str().unwrap_or_default()]);
    }
    table
}

fn versions(all: &Value) -> Table {
    let mut table = Table::headless();
    for version in all.get("versions").and_then(Value::as_array).into_iter().flatten() {
        let digest: String = word(version, "/digest").chars().take(12).collect();
        table.row([&word(version, "/version"), &digest, &word(version, "/installed"), &word(version, "/origin")]);
    }
    table
}

fn grants(all: &Value) -> Table {
    let mut table = Table::headless();
    for grant in all.get("grants").and_then(Value::as_array).into_iter().flatten() {
        let granted = grant.get("granted") == Some(&Value::Bool(true));
        let (given, tone) = match granted {
            true => (words(grant.get("grant")), None),
            false if grant.get("optional") == Some(&Value::Bool(true)) => ("not granted (optional)".to_owned(), None),
            false => ("not granted".to_owned(), Some(Tone::Bad)),
        };
        table.toned([(&word(grant, "/label"), None), (&word(grant, "/kind"), None), (&given, tone)]);
    }
    table
}

/// `chip=board:gpio line=17`: the members that say something.
fn words(grant: Option<&Value>) -> String {
    let members = grant.and_then(Value::as_object).into_iter().flatten();
    let said = members.filter(|(name, value)| *name != "kind" && !value.is_null() && **value != Value::Bool(false));
    said.map(|(name, value)| format!("{name}={}", crate::cli::value::shown(value, None))).collect::<Vec<_>>().join(" ")
}

fn last(all: &Value, list: &str, members: [&str; 3]) -> Table {
    let mut table = Table::headless();
    let entries = all.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for entry in &entries[entries.len().saturating_sub(LAST)..] {
        let [time, kind, detail] = members.map(|member| word(entry, &format!("/{member}")));
        table.row([&time, &kind.chars().take(16).collect::<String>(), &detail]);
    }
    table
}
