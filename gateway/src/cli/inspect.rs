//! `tidegate handler inspect`: what a component says of itself, before anybody runs it.
//!
//! Admission is the gateway's own (handler-host): what is refused here would be refused by `push`. Nothing of the
//! component is run.

use std::time::SystemTime;

use handler_host::{EngineConfig, HandlerComponent, HandlerEngine};
use serde_json::{Map, Value, json};

use super::{Exit, Failure, console, push::read_component, terminal::plain};
use crate::{
    exposed_thing::description::{Description, Naming},
    names::ThingId,
};

/// What to do about a file that is no handler.
pub(super) const HOW_TO_BUILD: &str = "`tidegate build` makes a component, NAME.wasm, of a handler's crate";

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The component (.wasm)
    file: std::path::PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn inspect_file(arguments: &Inspect) -> Result<(), Failure> {
    let component = component(&read_component(&arguments.file)?)?;
    match arguments.json {
        true => console::print_json(&document(&component)),
        false => console::print(console::table(&rows_of(&component))),
    }
}

/// The component as a gateway would admit it, or why it is no handler.
pub(super) fn component(bytes: &[u8]) -> Result<HandlerComponent, Failure> {
    admit(&engine()?, bytes)
}

/// What compiles components, as a gateway does.
pub(super) fn engine() -> Result<HandlerEngine, Failure> {
    HandlerEngine::new(EngineConfig { instances_max: 1, ..EngineConfig::default() })
        .map_err(|error| Failure::caused(Exit::Failed, "this machine cannot run handlers", &error))
}

/// The same for one of several components.
pub(super) fn admit(engine: &HandlerEngine, bytes: &[u8]) -> Result<HandlerComponent, Failure> {
    let component = engine.load(bytes).map_err(|error| {
        let failure = Failure::caused(Exit::Failed, "this is no handler that the gateway would take", &error);
        match contract_hint(&failure.causes) {
            Some(hint) => failure.with_hint(hint),
            None => failure.with_hint(HOW_TO_BUILD),
        }
    })?;
    describe(&component)?;
    Ok(component)
}

/// The Thing Model has to make a Thing Description.
fn describe(component: &HandlerComponent) -> Result<(), Failure> {
    let (id, model) = (ThingId::mint(), component.model_json());
    let naming = Naming { id: &id, title: None, description: None };
    Description::of(model, &naming, &[], 1, SystemTime::UNIX_EPOCH).map(drop).map_err(|error| {
        Failure::caused(Exit::Failed, "the Thing Model makes no Thing Description", &error)
            .with_hint("mend it in NAME.tm.json: its words are those of W3C WoT Thing Description 1.1")
    })
}

/// What to do about a component that speaks another version of the contract, as its refusal shows it.
pub(super) fn contract_hint(refusal: &[String]) -> Option<String> {
    let other = |said: &String| {
        said.contains("no gateway provides its imports tidegate:thing/")
            || said.contains("does not export tidegate:thing/handler")
    };
    refusal.iter().any(other).then(|| {
        format!(
            "its SDK (`tidegate-handler`) and the gateway are of different versions: build it with the SDK of the gateway; \
             this program is {}",
            env!("CARGO_PKG_VERSION")
        )
    })
}

fn document(component: &HandlerComponent) -> Value {
    let model = component.model_json();
    let names = |member: &str| -> Vec<&String> {
        model.get(member).and_then(Value::as_object).into_iter().flat_map(Map::keys).collect()
    };
    json!({
        "title": model.get("title"), "digest": component.digest().to_string(), "size": component.size(),
        "compileMs": component.compile_ms(), "imports": component.imports(),
        "wants": component.wants().iter().map(|want| serde_json::to_value(want).unwrap_or_default()).collect::<Vec<_>>(),
        "properties": names("properties"), "actions": names("actions"), "events": names("events"),
    })
}

/// What it is, imports, wants and answers, as rows.
pub(super) fn rows_of(component: &HandlerComponent) -> Vec<(String, String)> {
    // A component says what it likes of itself.
    let row = |name: &str, value: String| (name.to_owned(), plain(&value));
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
    let properties = model.get("properties").and_then(Value::as_object).into_iter().flatten();
    rows.extend(properties.filter_map(|(name, property)| Some(row("setting", setting(name, property)?))));
    rows
}

/// A property with a default that can be written is what a deployment may set (`[settings]`): its type and default.
fn setting(name: &str, property: &Value) -> Option<String> {
    let default = property.get("default")?;
    let written = !property.get("readOnly").and_then(Value::as_bool).unwrap_or_default();
    let kind = property.get("type").and_then(Value::as_str).unwrap_or("any type");
    written.then(|| format!("{name} ({kind}), {default} unless [settings] says otherwise"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_handler_is_refused_with_the_reason() {
        for bytes in [&b""[..], b"no component", b"\0asm\x01\0\0\0"] {
            let failure = component(bytes).unwrap_err();
            assert!(failure.exit == Exit::Failed && !failure.causes.is_empty(), "{failure:?}");
        }
    }
}
