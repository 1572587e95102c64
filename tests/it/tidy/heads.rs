//! Every file says first what it owns; a module is `foo.rs` beside `foo/`.

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

/// A head is a paragraph, no chapter.
const HEAD_LINES_MAX: usize = 12;

fn rule(tree: &Tree) -> Findings {
    tree.rust().filter_map(|(path, text)| Some(format!("{path}: {}", fault(path, text)?))).collect()
}

fn fault(path: &str, text: &str) -> Option<&'static str> {
    let head = text.lines().take_while(|line| line.starts_with("//!")).count();
    if path.ends_with("/mod.rs") {
        Some("mod.rs: a module is foo.rs beside foo/")
    } else if head == 0 {
        Some("no `//!` head")
    } else if text.lines().next().is_some_and(|line| line.len() < 10) {
        Some("the head says nothing")
    } else if head > HEAD_LINES_MAX {
        Some("the head is too long: an essay belongs to the type that it concerns")
    } else {
        None
    }
}

#[test]
fn every_module_says_what_it_owns() -> Result<()> {
    finds(
        rule,
        &[
            ("things/src/bus.rs", "use std::fs;\n"),
            ("things/src/bus.rs", "//!\nuse std::fs;\n"),
            ("things/src/bus/mod.rs", "//! Buses of this machine.\n"),
            ("things/src/bus.rs", &"//! Buses of this machine.\n".repeat(13)),
        ],
    )?;
    accepts(rule, &[("things/src/bus.rs", "//! Buses of this machine.\n")])?;
    holds(rule)
}
