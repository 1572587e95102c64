//! `things.d/NAME.toml`: the declaration of one Thing: its handler, the grants it gets, its settings and its limits.
//!
//! A declaration says what a deployment wants; what has become of it (versions, written settings) is the store's part.
//! Its hash is over the file's bytes, so that a touched but unchanged file changes nothing.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value};
use things::Grant;
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{
    Budgets,
    fault::nearest,
    gateway_file::{budgets, text},
    section::{Section, kind},
};
use crate::names::ThingName;

/// Grants of one Thing.
pub const GRANTS_MAX: usize = 32;
/// The settings of one Thing, as JSON text, in bytes.
pub const SETTINGS_BYTES_MAX: usize = 64 << 10;
/// Tables and lists of a setting may be nested this deep.
const SETTINGS_DEPTH_MAX: usize = 16;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// One Thing as a person declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// Path segment and key of the Thing's record: `name`, else the file's stem.
    pub name: ThingName,
    /// Human title; the Thing Model's when absent.
    pub title: Option<String>,
    /// Human description; the Thing Model's when absent.
    pub description: Option<String>,
    /// Name of the handler: `HANDLER.wasm` in the handlers folder.
    pub handler: String,
    /// Device grants by the label that the component declares.
    pub grants: BTreeMap<String, Grant>,
    /// What the handler is configured with, in the order of keys.
    pub settings: Map<String, Value>,
    /// Limits of this Thing.
    pub limits: ThingLimits,
    /// SHA-256 of the file's bytes, in hexadecimal digits.
    pub hash: String,
    /// The file's text: stored with the Thing's record, so that a Thing can be exported as a file again.
    pub source: String,
}

/// `[limits]` and `[budgets]` of one Thing; what is absent is the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThingLimits {
    /// Linear memory of the handler, in bytes; `None`: the engine's default (16 MiB).
    pub memory_bytes_max: Option<usize>,
    /// Budgets of this Thing's calls.
    pub budgets: Budgets,
}

/// Reads the top table of a declaration called `stem`; `None` when it names no Thing or no handler.
pub(super) fn read(top: &Section<'_, '_>, stem: &str, fallback: Budgets) -> Option<Declaration> {
    let name = match top.value("name") {
        Some(_) => top.parsed("name", ThingName::declared),
        None => ThingName::declared(stem)
            .map_err(|error| {
                top.log.fault(&(0..0), error.to_string(), "rename the file, or give the Thing a `name`");
            })
            .ok(),
    };
    let handler = top.parsed("handler", handler_name);
    if top.value("handler").is_none() {
        let hint = "add a line such as `handler = \"relay\"`: the name of a component in the handlers folder";
        top.log.fault(&(0..0), "`handler` is missing", hint);
    }
    let declaration = Declaration {
        title: top.parsed("title", text),
        description: top.parsed("description", description),
        grants: top.section("grants").map(|section| grants(&section)).unwrap_or_default(),
        settings: top.section("settings").map(|section| settings(&section)).unwrap_or_default(),
        limits: ThingLimits {
            memory_bytes_max: top.section("limits").and_then(memory_bytes_max),
            budgets: top.section("budgets").map_or(fallback, |section| budgets(section, fallback)),
        },
        file: PathBuf::new(),
        name: name?,
        handler: handler?,
        hash: String::new(),
        source: String::new(),
    };
    Some(declaration)
}

fn memory_bytes_max(section: Section<'_, '_>) -> Option<usize> {
    // 64 KiB is one page of linear memory; 4 GiB is all of it.
    let bytes = section.integer("memory-bytes-max", (64 << 10, 4 << 30)).and_then(|bytes| bytes.try_into().ok());
    section.finish();
    bytes
}

/// A handler's name becomes a file name: nothing that could leave the handlers folder.
fn handler_name(name: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=63).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is no name of a handler: 1 to 63 characters of a-z, 0-9 and `-`, without `.wasm`"))
    }
}

fn description(text: &str) -> Result<String, String> {
    if text.chars().count() <= DESCRIPTION_CHARS_MAX {
        Ok(text.to_owned())
    } else {
        Err(format!("at most {DESCRIPTION_CHARS_MAX} characters are allowed"))
    }
}

fn grants(section: &Section<'_, '_>) -> BTreeMap<String, Grant> {
    let count = section.entries().count();
    if count > GRANTS_MAX {
        section.log.fault(&section.span, format!("{count} grants: a Thing may have at most {GRANTS_MAX}"), "");
        return BTreeMap::new();
    }
    section.entries().filter_map(|(label, _, value)| Some((label.to_owned(), grant(section, label, value)?))).collect()
}

fn grant(section: &Section<'_, '_>, label: &str, value: &Spanned<DeValue<'_>>) -> Option<Grant> {
    let fields = section.as_section(&section.name(label), value)?;
    let span_of = |key: Option<&str>| fields.entries().find(|(name, _, _)| Some(*name) == key).map(|(_, span, _)| span);
    let fault = |span, what: &str, hint: String| {
        section.log.fault(&span, format!("`{}`: {what}", section.name(label)), hint);
    };
    let mut left = value.clone();
    let (mut unknown, mut meant) = (0, Vec::new());
    loop {
        // A tagged enum is buffered while it is read, so that serde's error has lost its place: the key that the message
        // quotes is where the fault lies.
        let error = match Grant::deserialize(ValueDeserializer::from(left.clone())) {
            Ok(grant) if unknown == 0 => match grant.check() {
                Ok(()) => return Some(grant),
                Err(what) => {
                    // Its messages start with the key that they are about.
                    let span = span_of(what.split_whitespace().next()).unwrap_or_else(|| value.span());
                    fault(span, &what, String::new());
                    return None;
                }
            },
            Ok(_) => return None,
            Err(error) => error,
        };
        let mut words = error.message().split('`').skip(1).step_by(2);
        let written = words.next();
        let is_unknown = error.message().starts_with("unknown field");
        if !is_unknown && written.is_some_and(|key| meant.iter().any(|meant| meant == key)) {
            return None; // It misses the key that was misspelt.
        }
        let span = span_of(written).or_else(|| error.span()).unwrap_or_else(|| value.span());
        let near = written.and_then(|written| nearest(written, words));
        fault(span, error.message(), near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default());
        let DeValue::Table(table) = left.get_mut() else { return None };
        // Without it there may be more to tell.
        written.filter(|_| is_unknown).and_then(|key| table.remove(key))?;
        unknown += 1;
        meant.extend(near.map(str::to_owned));
    }
}

fn settings(section: &Section<'_, '_>) -> Map<String, Value> {
    let mut settings = Map::new();
    for (key, _, value) in section.entries() {
        match json(value, SETTINGS_DEPTH_MAX) {
            Ok(json) => {
                settings.insert(key.to_owned(), json);
            }
            Err(what) => section.log.fault(&value.span(), format!("`{}`: {what}", section.name(key)), ""),
        }
    }
    let bytes = Value::Object(settings.clone()).to_string().len();
    if bytes > SETTINGS_BYTES_MAX {
        let what = format!("the settings are {bytes} bytes as JSON: at most {SETTINGS_BYTES_MAX} are allowed");
        section.log.fault(&section.span, what, "");
    }
    settings
}

/// A TOML value as JSON: dates become text, and what JSON cannot say is refused.
fn json(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Value, String> {
    let deeper = depth.checked_sub(1).ok_or("nested too deeply")?;
    match value.get_ref() {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Ok(Value::from(*flag)),
        DeValue::Datetime(time) => Ok(Value::from(time.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map(Value::from)
            .map_err(|_| format!("{number} does not fit 64 bits")),
        DeValue::Float(number) => {
            let finite = number.as_str().replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
            finite
                .map(Value::from)
                .ok_or_else(|| format!("{number} is {} that JSON cannot hold", kind(value.get_ref())))
        }
        DeValue::Array(items) => items.iter().map(|item| json(item, deeper)).collect(),
        DeValue::Table(fields) => {
            fields.iter().map(|(key, field)| Ok((key.get_ref().to_string(), json(field, deeper)?))).collect()
        }
    }
}
