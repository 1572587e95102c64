//! `tidegate thing show`: a Thing Description for people, and the actions that are under way.

use serde_json::{Value, json};

use crate::cli::{
    Failure,
    access::OfThing,
    console,
    consumer::Found,
    table::Table,
    terminal::{Screen, Tone, plain},
    value,
};

pub(super) async fn show(arguments: &OfThing) -> Result<(), Failure> {
    let (consumer, found) = arguments.find().await?;
    let actions = consumer.query_all(&found).await?;
    if arguments.listing.json {
        return console::print_json(&json!({
            "name": found.name, "url": found.url.to_string(), "description": found.thing.to_value(), "actions": actions,
        }));
    }
    console::print(text(&found, &actions, Screen::output().uncut()))
}

fn text(found: &Found, actions: &Value, screen: Screen) -> String {
    let thing = &found.thing;
    let mut parts = vec![format!("{} ({})", screen.paint(Tone::Head, plain(&found.name)), plain(&thing.title))];
    parts.extend(thing.description.as_deref().map(plain));
    parts.push(format!("{}\n{}", plain(thing.id.as_deref().unwrap_or_default()), found.url));
    let tables = [properties(found), offered(found), events(found), under_way(actions)];
    parts.extend(tables.iter().filter(|table| !table.is_empty()).map(|table| format!("\n{}", table.show(screen))));
    parts.join("\n")
}

fn properties(found: &Found) -> Table {
    let mut table = Table::new(&["PROPERTY", "VALUE", "ACCESS", "DESCRIPTION"]);
    for (name, property) in &found.thing.properties {
        let access = [
            (property.is_readable(), "read"),
            (property.is_writable(), "write"),
            (property.is_observable(), "observe"),
        ];
        let access: Vec<&str> = access.iter().filter(|(offered, _)| *offered).map(|(_, word)| *word).collect();
        let schema = &property.schema;
        let about = schema.description.as_deref().or(schema.title.as_deref()).unwrap_or_default();
        table.row([name, &value::allowed(schema), &access.join(", "), about]);
    }
    table
}

fn offered(found: &Found) -> Table {
    let mut table = Table::new(&["ACTION", "INPUT", "DESCRIPTION"]);
    for (name, action) in &found.thing.actions {
        let input = action.input.as_ref().map(|schema| match schema.properties.is_empty() {
            true => value::allowed(schema),
            false => value::members(schema),
        });
        let about = action.description.as_deref().or(action.title.as_deref()).unwrap_or_default();
        table.row([name, input.as_deref().unwrap_or("-"), about]);
    }
    table
}

fn events(found: &Found) -> Table {
    let mut table = Table::new(&["EVENT", "DATA", "DESCRIPTION"]);
    for (name, event) in &found.thing.events {
        let holds = event.data.as_ref().map_or_else(|| "-".to_owned(), value::allowed);
        let about = event.description.as_deref().or(event.title.as_deref()).unwrap_or_default();
        table.row([name, &holds, about]);
    }
    table
}

/// The invocations that have not ended.
fn under_way(actions: &Value) -> Table {
    let mut table = Table::new(&["UNDER WAY", "STATUS", "PROGRESS", "SINCE", "ADDRESS"]);
    for (name, statuses) in actions.as_object().into_iter().flatten() {
        for status in statuses.as_array().into_iter().flatten() {
            let text = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or_default();
            if ["pending", "running"].contains(&text("status")) {
                let progress = status.get("progress").map(|progress| value::shown(progress, None)).unwrap_or_default();
                table.row([name, text("status"), &progress, text("timeRequested"), text("href")]);
            }
        }
    }
    table
}
