//! Where a behavior publishes: readings, events and the progress of actions leave a Thing through its `Outlet`.
//!
//! Invariant: whatever leaves was checked against the Thing's description and serialized once. The outlet is shared by
//! the [`ExposedThing`](super::ExposedThing) that answers consumers and by the behavior behind it; it asks nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};
use handler_host::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::actions::{Actions, Ending};
use super::description::Description;
use super::notifications::{EventCount, Notification, Notifications};
use super::published::Published;
use super::value;
use crate::interaction::{AffordanceKind, InteractionError};
use crate::names::ThingName;
use crate::reading::{Quality, Reading};
use crate::store::{Batch, Store};

/// What the readings that a Thing has published may take, in bytes: they are kept until they are replaced.
const PUBLISHED_BYTES_MAX: usize = 4 << 20;

/// A value that a behavior has for a property.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    pub(crate) taken: Instant,
    pub(crate) quality: Quality,
}

impl Answer {
    /// A good value of this moment.
    pub(crate) fn now(value: Value) -> Self {
        Self { value, taken: Instant::now(), quality: Quality::Good }
    }

    /// A good value of this moment, compound.
    pub(crate) fn json(value: &impl serde::Serialize) -> Result<Self, InteractionError> {
        let text = serde_json::to_string(value).map_err(|error| InteractionError::InvalidOutput {
            detail: format!("the value has no JSON form: {error}"),
            errors: Vec::new(),
        })?;
        Ok(Self::now(Value::Json(text)))
    }
}

/// Where a Thing's behavior publishes.
#[derive(Debug)]
pub(crate) struct Outlet {
    name: ThingName,
    /// The key of this Thing's rows in the store (the Thing of a handler has its own event ids).
    key: String,
    /// Read at every request: without a lock, and without a shared count that the processors would fight over.
    description: ArcSwap<Description>,
    description_changed: watch::Sender<u64>,
    pub(crate) published: Published,
    pub(crate) notifications: Notifications,
    pub(crate) actions: Actions,
    /// Held while a reading is published and told: who begins to observe does so before both or after both.
    telling: Mutex<()>,
    simulated: AtomicBool,
    /// When the behavior behind it began last: first readings are waited for from then on.
    begun: Mutex<Instant>,
    closed: watch::Sender<bool>,
    store: Store,
}

impl Outlet {
    /// An outlet whose event ids go on above what the store has reserved for `key`.
    pub(crate) fn new(name: ThingName, key: String, description: Description, store: Store) -> Arc<Self> {
        let reserved = store.event_id(&key);
        let outlet = Arc::new(Self {
            name,
            key,
            description_changed: watch::Sender::new(description.revision),
            description: ArcSwap::from_pointee(description),
            published: Published::default(),
            notifications: Notifications::new(reserved),
            actions: Actions::default(),
            telling: Mutex::new(()),
            simulated: AtomicBool::new(false),
            begun: Mutex::new(Instant::now()),
            closed: watch::Sender::new(false),
            store,
        });
        if let Some(reserved) = outlet.notifications.reserve(SystemTime::now()) {
            outlet.keep_reserved(reserved);
        }
        outlet
    }

    /// The Thing's name.
    pub(crate) fn name(&self) -> &ThingName {
        &self.name
    }

    /// What the Thing offers now.
    pub(crate) fn description(&self) -> Arc<Description> {
        self.description.load_full()
    }

    /// The same for a look within one step; not to be held over an await.
    pub(crate) fn described(&self) -> Guard<Arc<Description>> {
        self.description.load()
    }

    /// Another description from now on: readings of what it no longer offers are forgotten.
    pub(crate) fn describe(&self, description: Description) {
        self.published.retain(|name| description.kind.properties.contains_key(name));
        let revision = description.revision;
        self.description.store(Arc::new(description));
        self.description_changed.send_replace(revision);
    }

    /// Rises when the description changes.
    pub(crate) fn description_changed(&self) -> watch::Receiver<u64> {
        self.description_changed.subscribe()
    }

    /// The behavior begins, or begins anew.
    pub(crate) fn begins(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago that was.
    pub(crate) fn begun(&self) -> Duration {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Whether simulated hardware stands behind this Thing.
    pub(crate) fn mark_simulated(&self, simulated: bool) {
        self.simulated.store(simulated, Ordering::Relaxed);
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.simulated.load(Ordering::Relaxed)
    }

    /// Ends every observation: the Thing stops.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Turns true when the Thing stops.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// Makes a behavior's answer for `name` a reading.
    ///
    /// # Errors
    /// `UnknownAffordance`, or `InvalidOutput` when it breaks the model.
    pub(crate) fn reading(&self, name: &str, answer: Answer) -> Result<Reading, InteractionError> {
        let description = self.described();
        let property =
            description.kind.properties.get(name).ok_or_else(|| self.unknown(AffordanceKind::Property, name))?;
        let checked = value::output(&format_args!("the property `{name}`"), Some(&property.schema), answer.value)?;
        Ok(Reading {
            body: checked.body,
            content_type: checked.content_type,
            taken: answer.taken,
            quality: answer.quality,
            simulated: self.is_simulated(),
        })
    }

    /// Publishes a reading, good for `good_for` from now; observers hear of it if the value changed.
    ///
    /// # Errors
    /// As [`reading`](Self::reading), and `InvalidOutput` when the Thing has published too much.
    pub(crate) fn publish(&self, name: &str, answer: Answer, good_for: Duration) -> Result<(), InteractionError> {
        let reading = self.reading(name, answer)?;
        let description = self.described();
        let Some(property) = description.kind.properties.get(name).filter(|property| property.readable) else {
            return Ok(());
        };
        if self.published.bytes_beside(name).saturating_add(reading.body.len()) > PUBLISHED_BYTES_MAX {
            return Err(InteractionError::InvalidOutput {
                detail: format!("this Thing has published {PUBLISHED_BYTES_MAX} bytes of readings, which are kept"),
                errors: Vec::new(),
            });
        }
        let _telling = self.telling();
        let changed = self.published.publish(&property.name, reading.clone(), good_for, Instant::now());
        if changed && property.observable {
            self.notify(AffordanceKind::Property, &property.name, reading);
        }
        Ok(())
    }

    /// Keeps readings and what was told of them as they are, while it is held.
    pub(crate) fn telling(&self) -> MutexGuard<'_, ()> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits an event.
    ///
    /// # Errors
    /// `UnknownAffordance`, or `InvalidOutput` when its data breaks the model.
    pub(crate) fn emit(&self, name: &str, data: Value) -> Result<(), InteractionError> {
        let description = self.described();
        let event = description.kind.events.get(name).ok_or_else(|| self.unknown(AffordanceKind::Event, name))?;
        let checked = value::output(&format_args!("the event `{name}`"), event.data.as_ref(), data)?;
        self.notify(AffordanceKind::Event, &event.name, Reading::json(checked.body, Instant::now()));
        Ok(())
    }

    /// An invocation ends; its output is checked first.
    pub(crate) fn end_action(&self, name: &str, id: Uuid, ending: Result<Option<Value>, InteractionError>) {
        let ending = ending.and_then(|output| self.action_output(name, output));
        self.actions.end(id, ending, SystemTime::now());
    }

    /// Checks an action's output.
    ///
    /// # Errors
    /// `InvalidOutput` when it breaks the model.
    pub(crate) fn action_output(&self, name: &str, output: Option<Value>) -> Ending {
        let description = self.described();
        let schema = description.kind.actions.get(name).and_then(|action| action.output.as_ref());
        match (schema, output) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(InteractionError::InvalidOutput {
                detail: format!("the action `{name}` gave no output, which its Thing Model promises"),
                errors: Vec::new(),
            }),
            (Some(schema), Some(output)) => {
                let what = format_args!("the output of the action `{name}`");
                value::output(&what, Some(schema), output).map(|checked| Some(checked.json))
            }
        }
    }

    pub(crate) fn unknown(&self, kind: AffordanceKind, name: &str) -> InteractionError {
        InteractionError::UnknownAffordance { thing: self.name.to_string(), kind, name: name.to_owned() }
    }

    fn notify(&self, affordance: AffordanceKind, name: &Arc<str>, reading: Reading) {
        if reading.content_type != crate::reading::ContentType::Json {
            return; // Media are read, not pushed: a text stream cannot carry them.
        }
        let notification = Notification {
            id: 0,
            affordance,
            name: Arc::clone(name),
            body: reading.body,
            taken: reading.taken,
            quality: reading.quality,
            count: EventCount::default(),
            encoded: OnceLock::new(),
        };
        if let Some(reserved) = self.notifications.send(notification, SystemTime::now()) {
            self.keep_reserved(reserved);
        }
    }

    /// Writes a reservation of event ids, behind everything that was committed before.
    fn keep_reserved(&self, until: u64) {
        let mut batch = Batch::new();
        batch.reserve_event_ids(&self.key, until);
        let (store, thing) = (self.store.clone(), self.name.clone());
        tokio::spawn(async move {
            if let Err(error) = store.commit(batch).await {
                tracing::warn!(%thing, %error, "event ids could not be reserved; after a crash they may repeat");
            }
        });
    }
}
