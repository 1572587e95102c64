//! `tidegate handler inspect`: what a component says of itself, before anybody runs it.
//!
//! Admission is the gateway's own (handler-host): what is refused here would be refused by `push`. Nothing of the
//! component is run.

use handler_host::{EngineConfig, HandlerComponent, HandlerEngine};
use serde_json::{Map, Value};

use super::{Exit, Failure, Inspect, console, push::read_component};

pub(super) fn inspect_file(arguments: &Inspect) -> Result<(), Failure> {
    let bytes = read_component(&arguments.file)?;
    console::print(console::table(&inspect(&bytes)?))
}

/// The rows that are shown for a component, or why it is no handler.
fn inspect(bytes: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let engine = HandlerEngine::new(EngineConfig { instances_max: 1, ..EngineConfig::default() })
        .map_err(|error| Failure::caused(Exit::Failed, "this machine cannot run handlers", &error))?;
    let component = engine.load(bytes).map_err(|error| {
        Failure::caused(Exit::Failed, "this file is no handler that the gateway would take", &error)
    })?;
    Ok(rows_of(&component))
}

fn rows_of(component: &HandlerComponent) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let model = component.model_json();
    let title = model.get("title").and_then(Value::as_str).unwrap_or_default();
    let mut rows = vec![
        row("title", title.to_owned()),
        row("digest", component.digest().to_string()),
        row("size", format!("{} bytes", component.size())),
        row("compiled in", format!("{} ms", component.compile_ms())),
    ];
    rows.extend(component.imports().iter().map(|import| row("imports", import.clone())));
    for want in component.wants() {
        let json = serde_json::to_value(want).unwrap_or_default();
        let kind = json.get("kind").and_then(Value::as_str).unwrap_or_default();
        let optional = if want.optional { ", optional" } else { "" };
        rows.push(row("wants", format!("{} ({kind}{optional}): {}", want.label, want.description)));
    }
    let affordances = [("properties", "property"), ("actions", "action"), ("events", "event")];
    for (member, name) in affordances {
        let found = model.get(member).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        rows.extend(found.map(|affordance| row(name, affordance.clone())));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_handler_is_refused_with_the_reason() {
        for bytes in [&b""[..], b"no component", b"\0asm\x01\0\0\0"] {
            let failure = inspect(bytes).unwrap_err();
            assert!(failure.exit == Exit::Failed && !failure.causes.is_empty(), "{failure:?}");
        }
    }
}
