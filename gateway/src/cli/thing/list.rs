//! `tidegate thing list`: the directory, a row per Thing.

use serde_json::{Value, json};

use crate::cli::{Failure, access::Listing, console, consumer::Found, table::Table, terminal::Screen};

pub(super) async fn list(arguments: &Listing) -> Result<(), Failure> {
    let things = arguments.gateway.consumer()?.things().await?;
    if arguments.json {
        return console::print_json(&things.iter().map(document).collect());
    }
    let mut table = Table::new(&["NAME", "TITLE", "OFFERS", "DESCRIPTION"]);
    for found in &things {
        let thing = &found.thing;
        let offers = offers(found);
        table.row([&found.name, &thing.title, &offers, thing.description.as_deref().unwrap_or_default()]);
    }
    match table.is_empty() {
        true => console::print("There are no Things here."),
        false => console::print(table.show(Screen::output())),
    }
}

fn document(found: &Found) -> Value {
    let thing = &found.thing;
    json!({
        "name": found.name, "id": thing.id, "title": thing.title, "description": thing.description,
        "url": found.url.to_string(),
        "properties": thing.properties.keys().collect::<Vec<_>>(),
        "actions": thing.actions.keys().collect::<Vec<_>>(),
        "events": thing.events.keys().collect::<Vec<_>>(),
    })
}

/// `3 properties, 1 action`
fn offers(found: &Found) -> String {
    let thing = &found.thing;
    let counts = [
        (thing.properties.len(), "property", "properties"),
        (thing.actions.len(), "action", "actions"),
        (thing.events.len(), "event", "events"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    counts
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect::<Vec<_>>()
        .join(", ")
}
