//! Every kind of device has both: a Thing Model that says what it is and a handler that answers for it.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

/// Models of what the gateway itself answers.
const WITHOUT_HANDLER: [&str; 4] = ["gateway", "board", "handler", "directory"];
/// Folders of `handlers/` that are no handlers.
const NO_HANDLERS: [&str; 5] = ["build", "host", "sdk", "template", "wit"];

fn rule(tree: &Tree) -> Findings {
    let paths = || tree.files.keys();
    let models: BTreeSet<&str> = paths()
        .filter_map(|path| path.strip_prefix("thing-descriptions/models/")?.strip_suffix(".tm.json"))
        .filter(|name| !WITHOUT_HANDLER.contains(name))
        .collect();
    let handlers: BTreeSet<&str> = paths()
        .filter_map(|path| path.strip_prefix("handlers/")?.strip_suffix("/Cargo.toml"))
        .filter(|name| !NO_HANDLERS.contains(name))
        .collect();
    let unanswered = models.difference(&handlers).map(|name| format!("no handler answers for the model {name}"));
    let undescribed = handlers.difference(&models).map(|name| format!("no model describes the handler {name}"));
    unanswered.chain(undescribed).collect()
}

#[test]
fn every_model_has_a_handler_and_the_reverse() -> Result<()> {
    finds(rule, &[("thing-descriptions/models/kettle.tm.json", "{}"), ("handlers/kettle/Cargo.toml", "")])?;
    accepts(
        rule,
        &[
            ("thing-descriptions/models/kettle.tm.json", "{}"),
            ("handlers/kettle/Cargo.toml", ""),
            ("thing-descriptions/models/board.tm.json", "{}"),
            ("handlers/sdk/Cargo.toml", ""),
        ],
    )?;
    holds(rule)
}
