//! The top of the checkout: these folders and texts, and no others.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Findings, Tree, finds, holds};

const FOLDERS: [&str; 11] = [
    ".cargo",
    ".ci",
    "benches",
    "deploy",
    "gateway",
    "handlers",
    "tests",
    "thing-descriptions",
    "things",
    "web-ui",
    "xtask",
];
const FILES: [&str; 12] = [
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SPECIFICATION.md",
    "TUTORIAL.md",
    "clippy.toml",
    "rustfmt.toml",
];
/// ARCHITECTURE.md is read at one sitting.
const ARCHITECTURE_LINES_MAX: usize = 200;

fn rule(tree: &Tree) -> Findings {
    let wanted: BTreeSet<&str> = FOLDERS.into_iter().chain(FILES).collect();
    let there: BTreeSet<&str> = tree.files.keys().filter_map(|path| path.split('/').next()).collect();
    let missing = wanted.difference(&there).map(|name| format!("{name} is missing"));
    let unwanted = there.difference(&wanted).map(|name| format!("{name} has no place at the top"));
    let architecture = tree.files.get("ARCHITECTURE.md").map_or(0, |text| text.lines().count());
    let long = (architecture > ARCHITECTURE_LINES_MAX).then(|| format!("ARCHITECTURE.md: {architecture} lines"));
    missing.chain(unwanted).chain(long).collect()
}

#[test]
fn the_top_level_is_the_given_one() -> Result<()> {
    finds(rule, &[("scripts/x.sh", ""), ("Cargo.toml", "")])?;
    let findings = rule(&Tree::of(&[("scripts/x.sh", ""), ("ARCHITECTURE.md", &"\n".repeat(201))]));
    assert!(findings.iter().any(|finding| finding.starts_with("scripts has no place")), "{findings:?}");
    assert!(findings.iter().any(|finding| finding == "README.md is missing"), "{findings:?}");
    assert!(findings.iter().any(|finding| finding == "ARCHITECTURE.md: 201 lines"), "{findings:?}");
    holds(rule)
}
