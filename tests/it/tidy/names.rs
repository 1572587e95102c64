//! Names say what a thing is: the field's words, and none of those that fit anything.

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

const EMPTY_WORDS: [&str; 11] =
    ["manager", "service", "helper", "util", "utils", "common", "core", "impl", "wrapper", "info", "process"];
/// Empty words too, but part of a term: `DataSchema`, `data_dir`, `base_url`.
const HALF_EMPTY_WORDS: [&str; 2] = ["data", "base"];
const TERMS: [&str; 3] = ["data_schema", "data_dir", "base_url"];
const KEYWORDS: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "mod "];

fn rule(tree: &Tree) -> Findings {
    let named = |(path, text): (&str, &str)| {
        let file = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let types = text.lines().filter_map(defined).map(str::to_owned);
        let empty = std::iter::once(file).chain(types).filter(|name| is_empty(name));
        empty.map(|name| format!("{path}: `{name}` could be the name of anything")).collect::<Findings>()
    };
    tree.rust().flat_map(named).collect()
}

/// The name that a line defines for a type or a module.
fn defined(line: &str) -> Option<&str> {
    let mut code = line.trim_start();
    if let Some(rest) = code.strip_prefix("pub") {
        code = rest.split_once(' ').map_or("", |(_, rest)| rest);
    }
    let rest = KEYWORDS.iter().find_map(|keyword| code.strip_prefix(keyword))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

fn is_empty(name: &str) -> bool {
    let words = words(name);
    let term = TERMS.iter().any(|term| words.join("_").contains(term));
    let is = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    is(&EMPTY_WORDS) || (!term && is(&HALF_EMPTY_WORDS))
}

/// `DataSchema` and `data_schema` are data, schema.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn names_are_the_fields_words() -> Result<()> {
    finds(
        rule,
        &[
            ("gateway/src/util.rs", ""),
            ("gateway/src/thing_manager.rs", ""),
            ("gateway/src/store.rs", "pub struct ThingData {"),
            ("gateway/src/store.rs", "    pub(crate) enum BaseKind {"),
            ("gateway/src/store.rs", "type Info = u32;"),
            ("gateway/src/store.rs", "pub trait DeviceService {"),
        ],
    )?;
    accepts(
        rule,
        &[
            ("thing-descriptions/src/data_schema.rs", "pub struct DataSchema {"),
            ("gateway/src/store.rs", "/// This process has one.\nlet info = 1; struct Database;"),
        ],
    )?;
    holds(rule)
}
