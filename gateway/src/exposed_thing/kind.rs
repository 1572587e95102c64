//! What all Things of one Thing Model have in common: the affordances, with every `DataSchema` compiled once.
//!
//! Kinds are interned: a hundred Things of one handler, or the Things of their handlers, share one. Invariant: a `Kind` is
//! immutable, and gone with the last Thing of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use thing_descriptions::{DataSchema, FieldError, Instance, SchemaType, TdError, Thing, ThingModel, Validator};

use crate::names::AffordanceName;

/// How many affordances of one kind a Thing may have.
const AFFORDANCES_MAX: usize = 256;
/// Stands for the Thing's own id, which is put in its place whenever one is described.
const NOBODY: &str = "urn:uuid:00000000-0000-0000-0000-000000000000";

/// The title of a model that leaves it to its Things.
const UNTITLED: &str = "";

/// The kinds in use, by a hash of what they are made of.
static KINDS: Mutex<Option<HashMap<u64, Weak<Kind>>>> = Mutex::new(None);

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

/// What every Thing of a kind offers.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The Thing Description without id, forms, links and security; of the model's own title.
    pub(crate) thing: Thing,
    /// The Thing Model from which it was made.
    pub(crate) model: Value,
    without: Vec<String>,
    pub(crate) properties: HashMap<Arc<str>, Property>,
    pub(crate) actions: HashMap<Arc<str>, Action>,
    pub(crate) events: HashMap<Arc<str>, Event>,
}

impl Kind {
    /// The kind of Things of `model` that are without some of its affordances (JSON Pointers).
    ///
    /// # Errors
    /// [`TdError`] where the model can't be made a Thing Description, an affordance's name is none of ours, or a
    /// `DataSchema` does not compile.
    pub(crate) fn of(model: &Value, without: &[String]) -> Result<Arc<Self>, TdError> {
        let text = serde_json::to_vec(model).map_err(|error| schema_error("", &error.to_string()))?;
        let mut hasher = DefaultHasher::new();
        (&text, without).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(known) = known(hash, model, without) {
            return Ok(known);
        }
        let kind = Arc::new(Self::made(&text, model, without)?);
        let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = kinds.get_or_insert_default();
        // Another may have made the same meanwhile.
        if let Some(known) = kinds.get(&hash).and_then(Weak::upgrade).filter(|known| known.is_of(model, without)) {
            return Ok(known);
        }
        kinds.retain(|_, kind| kind.strong_count() > 0);
        kinds.insert(hash, Arc::downgrade(&kind));
        Ok(kind)
    }

    fn is_of(&self, model: &Value, without: &[String]) -> bool {
        self.model == *model && self.without == without
    }

    fn made(text: &[u8], model: &Value, without: &[String]) -> Result<Self, TdError> {
        let absent: Vec<&str> = without.iter().map(String::as_str).collect();
        let title = model.get("title").is_none().then_some(UNTITLED);
        let thing = Instance { without: &absent, title, ..Instance::new(NOBODY) };
        let thing = ThingModel::parse(text)?.instantiate(&thing)?;
        Ok(Self {
            properties: properties(&thing)?,
            actions: actions(&thing)?,
            events: events(&thing)?,
            thing,
            model: model.clone(),
            without: without.to_vec(),
        })
    }
}

fn known(hash: u64, model: &Value, without: &[String]) -> Option<Arc<Kind>> {
    let kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kinds.as_ref()?.get(&hash)?.upgrade()?;
    drop(kinds);
    known.is_of(model, without).then_some(known)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model(title: &str) -> Value {
        json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "@type": "tm:ThingModel",
            "title": title,
            "tm:optional": ["/properties/colour"],
            "properties": {
                "on": { "type": "boolean" },
                "colour": { "type": "string", "readOnly": true },
            },
        })
    }

    #[test]
    fn things_of_one_model_share_a_kind_while_there_are_any() {
        let (lamp, plain) = (model("Shared lamp"), ["/properties/colour".to_owned()]);
        let one = Kind::of(&lamp, &[]).unwrap();
        assert!(Arc::ptr_eq(&one, &Kind::of(&lamp, &[]).unwrap()));
        let without = Kind::of(&lamp, &plain).unwrap();
        assert_eq!((one.properties.len(), without.properties.len()), (2, 1), "another kind");
        assert!(!Arc::ptr_eq(&one, &Kind::of(&model("Another lamp"), &[]).unwrap()));
        let gone = Arc::downgrade(&one);
        drop(one);
        assert!(gone.upgrade().is_none(), "held by nobody else");
        assert_eq!(Kind::of(&lamp, &[]).unwrap().properties.len(), 2);
    }
}
