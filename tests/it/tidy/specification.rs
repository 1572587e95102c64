//! SPECIFICATION.md promises nothing that no test or bench shows: its last column names files and functions that exist.

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

const FILE: &str = "SPECIFICATION.md";
/// Fewer rows than this means that the table could not be read.
const ROWS_MIN: usize = 10;

fn rule(tree: &Tree) -> Findings {
    let Some(text) = tree.files.get(FILE) else { return vec![format!("{FILE} is missing")] };
    rows(text).flat_map(|row| check(tree, row)).collect()
}

/// The rows of all tables, without their heads.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let rule_below = move |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|--"));
    text.lines()
        .enumerate()
        .filter(move |(at, line)| line.starts_with('|') && !line.starts_with("|--") && !rule_below(*at))
        .map(|(_, line)| line)
}

/// The last cell holds `path` or `path::function` in backticks, at least once.
fn check(tree: &Tree, row: &str) -> Findings {
    let cell = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    if named.is_empty() {
        return vec![format!("{FILE}: no test is named: {row}")];
    }
    let missing = named.iter().filter(|name| !exists(tree, name));
    missing.map(|name| format!("{FILE}: there is no `{name}`")).collect()
}

fn exists(tree: &Tree, name: &str) -> bool {
    match name.split_once("::") {
        None => tree.files.contains_key(name),
        Some((path, function)) => tree.files.get(path).is_some_and(|text| text.contains(&format!("fn {function}("))),
    }
}

#[test]
fn the_specification_names_tests_that_exist() -> Result<()> {
    let table = |last: &str| format!("| promise | number | shown by |\n|---|---|---|\n| it works | 1 | {last} |\n");
    let unnamed = [table("a test"), table("`tests/it/x.rs::it_works`"), table("`benches/x.rs`")];
    for text in &unnamed {
        finds(rule, &[(FILE, text)])?;
    }
    accepts(rule, &[(FILE, &table("`x.rs::works`, `x.rs`")), ("x.rs", "#[test]\nfn works() {}")])?;
    let tree = Tree::of_checkout()?;
    let count = tree.files.get(FILE).map_or(0, |text| rows(text).count());
    assert!(count >= ROWS_MIN, "{count} rows were found in {FILE}");
    holds(rule)
}
