//! Descriptions as they leave: serialized once per reader, with a strong `ETag`, until the Thing changes.
//!
//! Bounded: a client that makes up hosts costs one cheap serialization each, never memory. The check against the
//! Recommendation's schema runs once per description, not once per reader.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Reader, faults};
use crate::exposed_thing::Description;

/// Readers (origin and language) kept per resource.
const READERS_MAX: usize = 8;
/// Resources kept; more are forgotten all at once.
const RESOURCES_MAX: usize = 1024;

/// A serialized document with its `ETag`.
#[derive(Debug)]
pub(crate) struct Document {
    /// JSON.
    pub(crate) body: Bytes,
    /// Strong, quoted: SHA-256 of the body.
    pub(crate) etag: HeaderValue,
}

impl Document {
    pub(crate) fn new(body: Bytes) -> Self {
        let etag = etag_of(&[&body]);
        Self { body, etag }
    }
}

/// The strong `ETag` of the concatenation of `parts`.
pub(crate) fn etag_of(parts: &[&[u8]]) -> HeaderValue {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let text = format!("\"{:x}\"", hash.finalize());
    // Hexadecimal digits in quotes are always a header value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Of what state a document is: it is served while this is the present one.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Held, so that its address names it.
    pub(crate) description: Arc<Description>,
    /// For a document that depends on more than its description: a number that changes with the rest.
    pub(crate) surroundings: u64,
}

impl State {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.description, &other.description) && self.surroundings == other.surroundings
    }
}

#[derive(Debug)]
struct Resource {
    state: State,
    /// The oldest first.
    served: VecDeque<Served>,
}

#[derive(Debug)]
struct Served {
    origin: Box<str>,
    language: Option<Box<str>>,
    protected: bool,
    document: Arc<Document>,
}

impl Served {
    fn is_for(&self, reader: Reader<'_>) -> bool {
        *self.origin == *reader.origin
            && self.language.as_deref() == reader.language
            && self.protected == reader.protected
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TdCache {
    resources: Mutex<HashMap<Box<str>, Resource>>,
}

impl TdCache {
    /// The document of `path` for `reader`, made by `make` if it is not at hand.
    pub(crate) fn get(
        &self,
        path: &str,
        state: &State,
        reader: Reader<'_>,
        make: impl FnOnce() -> Value,
    ) -> Arc<Document> {
        let mut first = true;
        if let Some(resource) = self.lock().get(path)
            && resource.state.is(state)
        {
            if let Some(known) = resource.served.iter().find(|served| served.is_for(reader)) {
                return Arc::clone(&known.document);
            }
            first = false;
        }
        // Made outside the lock: two readers may make the same document, none waits for another's.
        let value = make();
        if first {
            report(path, &value);
        }
        let document = Arc::new(Document::new(Bytes::from(value.to_string())));
        self.keep(path, state, reader, &document);
        document
    }

    fn keep(&self, path: &str, state: &State, reader: Reader<'_>, document: &Arc<Document>) {
        let mut resources = self.lock();
        if resources.len() >= RESOURCES_MAX && !resources.contains_key(path) {
            resources.clear();
        }
        let fresh = || Resource { state: state.clone(), served: VecDeque::new() };
        let resource = resources.entry(path.into()).or_insert_with(fresh);
        if !resource.state.is(state) {
            *resource = fresh();
        }
        if resource.served.len() >= READERS_MAX {
            resource.served.pop_front();
        }
        let language = reader.language.map(Into::into);
        let (origin, protected) = (reader.origin.into(), reader.protected);
        resource.served.push_back(Served { origin, language, protected, document: Arc::clone(document) });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Resource>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An invalid description is served, because a Thing that cannot be found is worse than one with a strange member; but
/// never silently.
fn report(path: &str, document: &Value) {
    let faults = faults(document);
    if faults.is_empty() {
        tracing::debug!(path, "the Thing Description changed and is valid");
    }
    for fault in faults {
        tracing::error!(path, field = fault.field, fault = fault.description, "the Thing Description is invalid");
    }
}
