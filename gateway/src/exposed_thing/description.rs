//! What a Thing offers: its Thing Model made a Thing Description (without forms: those are the bindings'), with every
//! `DataSchema` compiled once.
//!
//! Invariant: a `Description` is immutable; a Thing whose handler brings another model gets a new one with a higher
//! revision.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use thing_descriptions::{DataSchema, FieldError, Instance, SchemaType, TdError, Thing, ThingModel, Validator};

use crate::names::{AffordanceName, ThingId};

/// How many affordances of one kind a Thing may have.
const AFFORDANCES_MAX: usize = 256;

/// A `DataSchema`, ready to check values.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
    /// The JSON type it asks for, where it asks for one.
    pub(crate) kind: Option<SchemaType>,
    /// The media type of values that are no JSON.
    pub(crate) media: Option<Arc<str>>,
}

impl Schema {
    fn compile(schema: &DataSchema) -> Result<Self, TdError> {
        let media = schema.content_media_type.as_deref().filter(|_| schema.is_binary()).map(Arc::from);
        Ok(Self { validator: Validator::compile(schema)?, kind: schema.kind, media })
    }

    /// # Errors
    /// One entry per field that does not fit.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Vec<FieldError>> {
        if self.validator.accepts(value) { Ok(()) } else { self.validator.check(value) }
    }
}

/// A property, ready to serve.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Schema,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) observable: bool,
}

/// An action, ready to serve.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: Arc<str>,
    pub(crate) input: Option<Schema>,
    pub(crate) output: Option<Schema>,
    pub(crate) synchronous: bool,
}

/// An event, ready to serve.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: Arc<str>,
    pub(crate) data: Option<Schema>,
}

/// What a Thing offers.
#[derive(Debug)]
pub struct Description {
    /// The Thing Description without forms, links and security.
    pub thing: Thing,
    /// The Thing Model from which it was made.
    pub model: Value,
    /// Rises when the description of this Thing changes.
    pub revision: u64,
    /// When the Thing was first described, UTC.
    pub created: SystemTime,
    /// When this description was made, UTC.
    pub modified: SystemTime,
    pub(crate) properties: HashMap<Arc<str>, Property>,
    pub(crate) actions: HashMap<Arc<str>, Action>,
    pub(crate) events: HashMap<Arc<str>, Event>,
}

/// What an instance of a model is called.
#[derive(Debug, Clone)]
pub struct Naming<'a> {
    /// The Thing's id.
    pub id: &'a ThingId,
    /// Its title; the model's where there is none.
    pub title: Option<&'a str>,
    /// A sentence for people; the model's where there is none.
    pub description: Option<&'a str>,
}

impl Description {
    /// Makes the description of one Thing of `model`.
    ///
    /// # Errors
    /// [`TdError`] where the model can't be made a Thing Description, an affordance's name is none of ours, or a
    /// `DataSchema` does not compile.
    pub fn of(
        model: &Value,
        naming: &Naming<'_>,
        without: &[String],
        revision: u64,
        now: SystemTime,
    ) -> Result<Self, TdError> {
        let text = serde_json::to_vec(model).map_err(|error| schema_error("", &error.to_string()))?;
        let without: Vec<&str> = without.iter().map(String::as_str).collect();
        let instance = Instance { title: naming.title, without: &without, ..Instance::new(naming.id.as_str()) };
        let mut thing = ThingModel::parse(&text)?.instantiate(&instance)?;
        if let Some(description) = naming.description {
            thing.description = Some(description.to_owned());
        }
        Ok(Self {
            properties: properties(&thing)?,
            actions: actions(&thing)?,
            events: events(&thing)?,
            thing,
            model: model.clone(),
            revision,
            created: now,
            modified: now,
        })
    }

    /// The affordances of `self` that `next` lacks, as `property on`: what consumers of the Thing would lose.
    pub(crate) fn lost_in(&self, next: &Self) -> Vec<String> {
        let mut lost: Vec<String> = Vec::new();
        lost.extend(
            self.properties
                .keys()
                .filter(|name| !next.properties.contains_key(*name))
                .map(|name| format!("property {name}")),
        );
        lost.extend(
            self.actions.keys().filter(|name| !next.actions.contains_key(*name)).map(|name| format!("action {name}")),
        );
        lost.extend(
            self.events.keys().filter(|name| !next.events.contains_key(*name)).map(|name| format!("event {name}")),
        );
        lost.sort();
        lost
    }
}

fn schema_error(pointer: &str, reason: &str) -> TdError {
    TdError::Schema { pointer: pointer.to_owned(), reason: reason.to_owned() }
}

fn checked_name(kind: &str, name: &str, count: usize) -> Result<Arc<str>, TdError> {
    if count > AFFORDANCES_MAX {
        return Err(schema_error(&format!("/{kind}"), &format!("more than {AFFORDANCES_MAX} {kind}")));
    }
    name.parse::<AffordanceName>().map_err(|error| schema_error(&format!("/{kind}"), &error.to_string()))?;
    Ok(Arc::from(name))
}

fn compiled(schema: Option<&DataSchema>) -> Result<Option<Schema>, TdError> {
    schema.map(Schema::compile).transpose()
}

fn properties(thing: &Thing) -> Result<HashMap<Arc<str>, Property>, TdError> {
    let count = thing.properties.len();
    thing
        .properties
        .iter()
        .map(|(name, property)| {
            let name = checked_name("properties", name, count)?;
            let served = Property {
                name: Arc::clone(&name),
                schema: Schema::compile(&property.schema)?,
                readable: property.is_readable(),
                writable: property.is_writable(),
                observable: property.is_observable() && property.is_readable(),
            };
            Ok((name, served))
        })
        .collect()
}

fn actions(thing: &Thing) -> Result<HashMap<Arc<str>, Action>, TdError> {
    let count = thing.actions.len();
    thing
        .actions
        .iter()
        .map(|(name, action)| {
            let name = checked_name("actions", name, count)?;
            let served = Action {
                name: Arc::clone(&name),
                input: compiled(action.input.as_ref())?,
                output: compiled(action.output.as_ref())?,
                synchronous: action.synchronous.unwrap_or(false),
            };
            Ok((name, served))
        })
        .collect()
}

fn events(thing: &Thing) -> Result<HashMap<Arc<str>, Event>, TdError> {
    let count = thing.events.len();
    thing
        .events
        .iter()
        .map(|(name, event)| {
            let name = checked_name("events", name, count)?;
            Ok((Arc::clone(&name), Event { name, data: compiled(event.data.as_ref())? }))
        })
        .collect()
}
