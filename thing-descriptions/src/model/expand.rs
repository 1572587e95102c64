//! Inheritance and import: `tm:extends` and `tm:ref` (assertions `tm-extend`, `tm-tmRef-*` and
//! `tm-ref-recursive-extensions` of TD 1.1).
//!
//! Both end in a JSON merge patch (RFC 7396): the nearer definition wins, `null` removes. A definition that leads back
//! to itself is refused by the chain of those that are being expanded; breadth is limited by what may be copied.

use serde_json::{Map, Value};

use crate::TdError;
use crate::limits::{MODEL_CHAIN_MAX, MODEL_COST_MAX};
use crate::pointer::At;
use crate::vocabulary::{TM_EXTENDS, TM_OPTIONAL, TM_REF};

use super::ModelSet;
use super::placeholder::Placeholders;

/// Members whose arrays are joined when a model extends another: a derived model is also of the types of the first one,
/// uses its vocabularies and leaves optional what it left optional.
const JOINED: [&str; 4] = ["@context", "@type", "links", TM_OPTIONAL];

/// The expansion of one model.
pub(super) struct Expansion<'a> {
    models: Option<&'a ModelSet>,
    placeholders: Placeholders<'a>,
    /// What is being expanded, outermost first: addresses of models, and of definitions with their fragment.
    chain: Vec<String>,
    pub(super) cost_left: usize,
    /// Entries of `@context` of the documents from which definitions were imported.
    contexts: Vec<Value>,
}

impl<'a> Expansion<'a> {
    pub(super) const fn new(models: Option<&'a ModelSet>, placeholders: Placeholders<'a>) -> Self {
        Self { models, placeholders, chain: Vec::new(), cost_left: MODEL_COST_MAX, contexts: Vec::new() }
    }

    /// The whole that is instantiated: the model with the vocabularies of what it imports.
    pub(super) fn whole(&mut self, document: &Value) -> Result<Value, TdError> {
        let mut expanded = self.model("", document)?;
        if let Some(context) = expanded.get_mut("@context") {
            let new = self.contexts.drain(..).filter(|entry| !entries(context).any(|known| known == entry));
            let new: Vec<Value> = new.collect();
            if !new.is_empty() {
                *context = entries(context).cloned().chain(new).collect();
            }
        }
        Ok(expanded)
    }

    /// The model with all that it inherits and imports. `href` is its address, "" for the one that is instantiated.
    fn model(&mut self, href: &str, document: &Value) -> Result<Value, TdError> {
        self.enter(href.to_owned())?;
        let mut own = self.imported(Document { href, root: document }, document, &At::Root)?;
        for base_href in self.extended(&own)? {
            let base = self.find(&base_href, &At::Root.member("links"))?;
            let mut merged = self.model(&base_href, base)?;
            inherit(&mut merged, own);
            own = merged;
        }
        self.chain.pop();
        Ok(own)
    }

    /// Addresses of the models that this one extends.
    fn extended(&mut self, model: &Value) -> Result<Vec<String>, TdError> {
        let links = model.get("links").and_then(Value::as_array);
        let links = links.into_iter().flatten().filter(|link| link.get("rel").is_some_and(|rel| rel == TM_EXTENDS));
        let hrefs = links.filter_map(|link| link.get("href").and_then(Value::as_str));
        hrefs.map(|href| self.address(href, &At::Root.member("links"))).collect()
    }

    /// A copy of `value` in which every `tm:ref` is replaced by what it points to.
    fn imported(&mut self, document: Document<'_>, value: &Value, at: &At<'_>) -> Result<Value, TdError> {
        match value {
            Value::Array(elements) => {
                let numbered = elements.iter().enumerate();
                numbered.map(|(index, element)| self.imported(document, element, &at.element(index))).collect()
            }
            Value::Object(members) => {
                let mut copy = Map::new();
                for (name, member) in members.iter().filter(|(name, _)| *name != TM_REF) {
                    self.pay_bytes(name.len() + 1, at)?;
                    copy.insert(name.clone(), self.imported(document, member, &at.member(name))?);
                }
                match members.get(TM_REF) {
                    Some(Value::String(target)) => {
                        let mut definition = self.definition(document, target, at)?;
                        merge(&mut definition, Value::Object(copy));
                        Ok(definition)
                    }
                    Some(_) => Err(at.member(TM_REF).wrong("must be a string")),
                    None => Ok(Value::Object(copy)),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                pay(value, &mut self.cost_left)?;
                Ok(value.clone())
            }
        }
    }

    /// The definition that a `tm:ref` points to, itself expanded.
    fn definition(&mut self, document: Document<'_>, target: &str, at: &At<'_>) -> Result<Value, TdError> {
        let at = at.member(TM_REF);
        let target = self.address(target, &at)?;
        let (href, pointer) =
            target.split_once('#').ok_or_else(|| at.wrong("must be an address, # and a JSON Pointer"))?;
        let document = if href.is_empty() { document } else { self.other(href, &at)? };
        let pointer = percent_decoded(pointer).ok_or_else(|| at.wrong("has a wrong percent-encoding"))?;
        self.enter(format!("{}#{pointer}", document.href))?;
        let found = document.root.pointer(&pointer).ok_or_else(|| at.missing(format!("the definition {target}")))?;
        if !found.is_object() {
            return Err(at.wrong(format!("{target} is no definition")));
        }
        let definition = self.imported(document, found, &At::Root)?;
        self.chain.pop();
        Ok(definition)
    }

    /// Another document, whose vocabularies come with what is imported from it (assertion `tm-tmRef2`).
    fn other<'d>(&mut self, href: &'d str, at: &At<'_>) -> Result<Document<'d>, TdError>
    where
        'a: 'd,
    {
        let root = self.find(href, at)?;
        for entry in root.get("@context").into_iter().flat_map(entries) {
            if !self.contexts.contains(entry) {
                self.contexts.push(entry.clone());
            }
        }
        Ok(Document { href, root })
    }

    /// The model at an address.
    fn find(&self, href: &str, at: &At<'_>) -> Result<&'a Value, TdError> {
        let model = self.models.and_then(|models| models.get(href));
        model.map(super::ThingModel::to_json).ok_or_else(|| at.missing(format!("the Thing Model {href}")))
    }

    /// An address may hold placeholders.
    fn address(&mut self, href: &str, at: &At<'_>) -> Result<String, TdError> {
        match self.placeholders.fill_text(href, at, &mut self.cost_left)? {
            None => Ok(href.to_owned()),
            Some(Value::String(filled)) => Ok(filled),
            Some(_) => Err(at.wrong("an address must be a string")),
        }
    }

    /// Refuses a definition that is already being expanded, and a chain that is too long.
    fn enter(&mut self, definition: String) -> Result<(), TdError> {
        let at = At::Root;
        if self.chain.contains(&definition) {
            return Err(at.wrong(format!("{definition} is defined by itself: {}", self.chain.join(" -> "))));
        }
        if self.chain.len() >= MODEL_CHAIN_MAX {
            return Err(at.wrong(format!("more than {MODEL_CHAIN_MAX} definitions behind each other")));
        }
        self.chain.push(definition);
        Ok(())
    }

    fn pay_bytes(&mut self, bytes: usize, at: &At<'_>) -> Result<(), TdError> {
        self.cost_left = self.cost_left.checked_sub(bytes).ok_or_else(|| at.wrong("the derived Thing is too large"))?;
        Ok(())
    }
}

/// A document and the address under which others point to it.
#[derive(Clone, Copy)]
struct Document<'a> {
    href: &'a str,
    root: &'a Value,
}

/// Takes the price of copying a value from what is left.
pub(super) fn pay(value: &Value, cost_left: &mut usize) -> Result<(), TdError> {
    *cost_left = cost_left.checked_sub(cost(value)).ok_or_else(|| At::Root.wrong("the derived Thing is too large"))?;
    Ok(())
}

fn cost(value: &Value) -> usize {
    1 + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(cost).sum(),
        Value::Object(members) => members.iter().map(|(name, member)| name.len() + cost(member)).sum(),
    }
}

/// A pointer in a fragment is percent-encoded (RFC 6901 section 6).
fn percent_decoded(pointer: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut rest = pointer.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Puts what a model says over what it inherits.
fn inherit(base: &mut Value, mut own: Value) {
    for name in JOINED {
        let (Some(inherited), Some(nearer)) = (base.get(name), own.get_mut(name)) else { continue };
        let mut joined: Vec<Value> = entries(inherited).filter(|entry| !is_extends(entry)).cloned().collect();
        for entry in entries(nearer) {
            if !joined.contains(entry) {
                joined.push(entry.clone());
            }
        }
        *nearer = Value::Array(joined);
    }
    merge(base, own);
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter()
}

fn is_extends(link: &Value) -> bool {
    link.get("rel").is_some_and(|rel| rel == TM_EXTENDS)
}

/// JSON merge patch, RFC 7396 section 2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(members) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, member) in members {
        if member.is_null() {
            target.shift_remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), member);
        }
    }
}
