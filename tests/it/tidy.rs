//! The house rules, checked: sizes, heads, names, floors, layout, models, no crash points in a release, and that SPECIFICATION.md names real tests.
//!
//! Each rule is a function from a tree of files to its findings, and is shown a small bad tree first: a rule that
//! cannot find anything is no rule. Function lengths and argument counts are clippy's (clippy.toml).

mod crash_points;
mod floors;
mod heads;
mod layout;
mod models;
mod names;
mod sizes;
mod specification;
mod tree;
mod words;

use anyhow::{Result, ensure};

use tree::Tree;

/// Findings of one rule, one line each.
type Findings = Vec<String>;

/// A rule holds for this checkout.
fn holds(rule: fn(&Tree) -> Findings) -> Result<()> {
    let findings = rule(&Tree::of_checkout()?);
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

/// A rule reports each of these (path, text) when it stands alone.
fn finds(rule: fn(&Tree) -> Findings, bad: &[(&str, &str)]) -> Result<()> {
    for (path, text) in bad {
        ensure!(!rule(&Tree::of(&[(path, text)])).is_empty(), "not found: {path}: {text:.60}");
    }
    Ok(())
}

/// A rule has nothing to say about these.
fn accepts(rule: fn(&Tree) -> Findings, good: &[(&str, &str)]) -> Result<()> {
    let findings = rule(&Tree::of(good));
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}
