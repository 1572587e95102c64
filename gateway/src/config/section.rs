//! A table of a TOML file read key by key: each key asked for is known, whatever is left over is a fault.
//!
//! Reading never fails: a wrong value is noted in the [`FaultLog`] with its place and reads as absent, so that one pass
//! finds every fault. A caller must end with [`Section::finish`], which reports the unknown keys.

use std::{cell::RefCell, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::fault::{FaultLog, nearest};

/// One table; `path` names it in messages (empty for the top of the file).
#[derive(Debug)]
pub(super) struct Section<'a, 'i> {
    pub(super) log: &'a FaultLog<'a>,
    pub(super) span: Range<usize>,
    path: String,
    table: &'a DeTable<'i>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn new(log: &'a FaultLog<'a>, span: Range<usize>, path: &str, table: &'a DeTable<'i>) -> Self {
        Self { log, span, path: path.to_owned(), table, known: RefCell::default() }
    }

    /// The raw value of `key`, which is known from now on.
    pub(super) fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Any key and value, in the order of keys: for tables whose keys are free (settings, grants).
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Spanned<DeValue<'i>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    pub(super) fn string(&self, key: &'static str) -> Option<(&'a str, Range<usize>)> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some((text.as_ref(), value.span())),
            other => self.wrong_type(key, value.span(), "a string in quotes", other),
        }
    }

    /// A string read further by `parse`; its error is the fault.
    pub(super) fn parsed<T, E: ToString>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let (text, span) = self.string(key)?;
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.log.fault(&span, format!("`{}`: {}", self.name(key), error.to_string()), "");
                None
            }
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => self.wrong_type(key, value.span(), "true or false", other),
        }
    }

    /// A whole number within `range`, both ends included.
    pub(super) fn integer(&self, key: &'static str, range: (u64, u64)) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.wrong_type(key, value.span(), "a whole number", value.get_ref());
        };
        let digits = number.as_str().replace('_', "");
        match u64::from_str_radix(&digits, number.radix()) {
            Ok(number) if (range.0..=range.1).contains(&number) => Some(number),
            _ => {
                let what =
                    format!("`{}` is {}: it must lie between {} and {}", self.name(key), number, range.0, range.1);
                self.log.fault(&value.span(), what, "");
                None
            }
        }
    }

    /// A list of at most `count_max` strings, each read by `parse`.
    pub(super) fn list<T, E: ToString>(
        &self,
        key: &'static str,
        count_max: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong_type(key, value.span(), "a list of strings", value.get_ref());
        };
        if items.len() > count_max {
            let what = format!("`{}` has {} entries: at most {count_max} are allowed", self.name(key), items.len());
            self.log.fault(&value.span(), what, "");
            return None;
        }
        let read = items.iter().filter_map(|item| {
            let DeValue::String(text) = item.get_ref() else {
                return self.wrong_type(key, item.span(), "a string in quotes", item.get_ref());
            };
            parse(text)
                .map_err(|e| self.log.fault(&item.span(), format!("`{}`: {}", self.name(key), e.to_string()), ""))
                .ok()
        });
        Some(read.collect())
    }

    /// The table `[key]`.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a, 'i>> {
        let value = self.value(key)?;
        self.as_section(&self.name(key), value)
    }

    /// `value` as a table called `path`.
    pub(super) fn as_section(&self, path: &str, value: &'a Spanned<DeValue<'i>>) -> Option<Section<'a, 'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.log, value.span(), path, table)),
            other => {
                let what = format!("`{path}` is a table (write `[{path}]`), not {}", kind(other));
                self.log.fault(&value.span(), what, "");
                None
            }
        }
    }

    /// Notes `key`'s value as wrong.
    pub(super) fn fault(&self, key: &'static str, what: &str, hint: &str) {
        let span = self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span);
        self.log.fault(&span, format!("`{}`: {what}", self.name(key)), hint);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.take();
        for (key, span, _) in self.entries() {
            if !known.contains(&key) {
                let place = if self.path.is_empty() { String::new() } else { format!(" in `[{}]`", self.path) };
                self.log.fault(&span, format!("unknown key `{key}`{place}"), unknown_key_hint(key, &known));
            }
        }
    }

    /// The full name of `key`: `limits.queue-length-max`.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong_type<T>(&self, key: &str, span: Range<usize>, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.log.fault(&span, format!("`{}` must be {wanted}, not {}", self.name(key), kind(found)), "");
        None
    }
}

fn unknown_key_hint(key: &str, known: &[&'static str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known keys: {}", known.join(", ")),
    }
}

/// What a value is, in words for a message.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
