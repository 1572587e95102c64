//! The exposed Thing: the one path on which every consumer's request goes, whatever protocol brought it.
//!
//! Existence, readability and every value are checked here, before the behavior is asked and after it has answered; a
//! reading that is still good is the answer without asking. What stands behind the Thing (a Wasm handler, the gateway
//! itself, the simulated board) is the behavior's matter; forms and statuses are the bindings'.

pub(crate) mod actions;
pub(crate) mod description;
pub(crate) mod kind;
pub(crate) mod notifications;
pub(crate) mod observation;
pub(crate) mod outlet;
mod published;
pub(crate) mod read;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::Guard;
use bytes::Bytes;
use handler_host::Outcome;
use serde_json::{Map, Value};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

pub use actions::{ActionState, ActionStatus};
pub use description::Description;
pub use notifications::{EventCount, Notification};
pub use observation::{Observation, Observed, ObservedItem};

use crate::behavior::Behavior;
use crate::interaction::{AffordanceKind, Context, InteractionError, Payload};
use crate::names::{ThingId, ThingName};
use crate::reading::Reading;
use outlet::Outlet;

/// How long a synchronous action that goes on is waited for.
const SYNCHRONOUS_MAX: Duration = Duration::from_secs(30);

/// What an invocation came to.
#[derive(Debug)]
pub enum Invoked {
    /// A synchronous action is done: its output as JSON, if it has one.
    Done(Option<Bytes>),
    /// An asynchronous action was taken; it goes on under this status.
    Accepted(ActionStatus),
}

/// A Thing that consumers can reach.
#[derive(Debug)]
pub struct ExposedThing {
    id: ThingId,
    path: String,
    outlet: Arc<Outlet>,
    behavior: Behavior,
    handler: Option<Arc<Self>>,
}

/// An invocation whose caller may go away before it is answered: it is forgotten then.
struct Abandoned<'a> {
    outlet: &'a Outlet,
    id: Uuid,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.outlet.actions.forget_pending(self.id);
    }
}

impl ExposedThing {
    pub(crate) fn new(id: ThingId, path: String, outlet: Arc<Outlet>, behavior: Behavior) -> Self {
        Self { id, path, outlet, behavior, handler: None }
    }

    /// Puts the Thing of its handler beside it.
    pub(crate) fn controlled_by(mut self, handler: Arc<Self>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// The Thing's name.
    #[must_use]
    pub fn name(&self) -> &ThingName {
        self.outlet.name()
    }

    /// The Thing's id.
    #[must_use]
    pub fn id(&self) -> &ThingId {
        &self.id
    }

    /// Where bindings find it: `/things/NAME` or `/things/NAME/handler`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it offers now.
    #[must_use]
    pub fn description(&self) -> Arc<Description> {
        self.outlet.description()
    }

    /// The same for a look within one step; not to be held over an await.
    pub(crate) fn described(&self) -> Guard<Arc<Description>> {
        self.outlet.described()
    }

    /// Changes when the description does.
    #[must_use]
    pub fn description_changed(&self) -> watch::Receiver<u64> {
        self.outlet.description_changed()
    }

    /// The Thing of its handler, if a handler stands behind it.
    #[must_use]
    pub fn handler(&self) -> Option<Arc<Self>> {
        self.handler.clone()
    }

    pub(crate) fn behavior(&self) -> &Behavior {
        &self.behavior
    }

    /// Writes one property.
    ///
    /// # Errors
    /// [`InteractionError`]; nothing was written then, unless the handler itself failed in the middle.
    pub async fn write_property(&self, name: &str, input: Payload, context: &Context) -> Result<(), InteractionError> {
        let value = self.writable(name, input)?;
        self.write(vec![value], context).await
    }

    /// Writes several properties: all are checked before the first is written, and all are one message to the Thing.
    ///
    /// # Errors
    /// [`InteractionError`]; `InvalidInput` names each property that does not fit.
    pub async fn write_multiple_properties(
        &self,
        inputs: Map<String, Value>,
        context: &Context,
    ) -> Result<(), InteractionError> {
        let mut values = Vec::with_capacity(inputs.len());
        let mut refused = Vec::new();
        for (name, input) in inputs {
            match self.writable(&name, Payload::Json(input)) {
                Ok(value) => values.push(value),
                Err(InteractionError::InvalidInput { errors, .. }) => {
                    refused.extend(errors.into_iter().map(|mut error| {
                        error.field = format!("/{name}{}", error.field);
                        error
                    }));
                }
                Err(other) => return Err(other),
            }
        }
        if !refused.is_empty() {
            let detail = "not every value fits its property's DataSchema; none was written".to_owned();
            return Err(InteractionError::InvalidInput { detail, errors: refused });
        }
        if values.is_empty() { Ok(()) } else { self.write(values, context).await }
    }

    async fn write(
        &self,
        values: Vec<(Arc<str>, handler_host::Value)>,
        context: &Context,
    ) -> Result<(), InteractionError> {
        self.behavior.write(values, context).await
    }

    fn writable(&self, name: &str, input: Payload) -> Result<(Arc<str>, handler_host::Value), InteractionError> {
        let description = self.outlet.description();
        let property =
            description.kind.properties.get(name).ok_or_else(|| self.outlet.unknown(AffordanceKind::Property, name))?;
        if !property.writable {
            let operation = format!("the property `{name}` is read-only");
            return Err(InteractionError::NotAllowed { operation, allow: "GET, HEAD" });
        }
        let value = value::input(&format!("the property `{name}`"), &property.schema, input)?;
        Ok((Arc::clone(&property.name), value))
    }

    /// Invokes an action. Its input is checked before the behavior hears of it.
    ///
    /// # Errors
    /// [`InteractionError`]; `Overloaded` or `Unavailable` when it can't be taken now.
    pub async fn invoke_action(
        &self,
        name: &str,
        input: Option<Payload>,
        context: Context,
    ) -> Result<Invoked, InteractionError> {
        let description = self.outlet.description();
        let action =
            description.kind.actions.get(name).ok_or_else(|| self.outlet.unknown(AffordanceKind::Action, name))?;
        let input = self.action_input(action, input)?;
        let id = context.id;
        let requested = SystemTime::now();
        self.outlet.actions.begin(id, &action.name, requested)?;
        // A Thing's own task keeps the status up to date when the caller goes away; the others have none to keep it.
        let _abandoned = (!self.behavior.has_a_task()).then(|| Abandoned { outlet: &self.outlet, id });
        let outcome = match self.behavior.invoke(&action.name, input, &context).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.outlet.actions.forget(id);
                return Err(error);
            }
        };
        let going_on = matches!(outcome, Outcome::Running);
        if let Outcome::Done(output) = outcome {
            self.outlet.end_action(name, id, Ok(output));
        }
        if !action.synchronous {
            let status = self.outlet.actions.status(name, id);
            return status.map(Invoked::Accepted).ok_or(InteractionError::HandlerReplaced);
        }
        if going_on { self.wait_for(name, id).await } else { self.answer_of(name, id) }
    }

    fn action_input(
        &self,
        action: &kind::Action,
        input: Option<Payload>,
    ) -> Result<Option<handler_host::Value>, InteractionError> {
        let what = || format!("the input of the action `{}`", action.name);
        match (&action.input, input) {
            (Some(schema), Some(input)) => value::input(&what(), schema, input).map(Some),
            (Some(schema), None) => value::input(&what(), schema, Payload::Json(Value::Null)).map(Some),
            // wotpy sends a JSON null where there is no input.
            (None, None | Some(Payload::Json(Value::Null))) => Ok(None),
            (None, Some(Payload::Media { content_type, bytes }))
                if self.behavior.takes_media(&action.name, &content_type) =>
            {
                let bytes = bytes.to_vec();
                Ok(Some(handler_host::Value::Binary(handler_host::Binary { content_type, bytes })))
            }
            (None, Some(_)) => Err(InteractionError::invalid(format!("the action `{}` takes no input", action.name))),
        }
    }

    /// Waits for the end of a synchronous action that said it goes on.
    async fn wait_for(&self, name: &str, id: Uuid) -> Result<Invoked, InteractionError> {
        let late = tokio::time::timeout(SYNCHRONOUS_MAX, self.outlet.actions.ended(name, id)).await.is_err();
        if late {
            return Err(InteractionError::Unavailable {
                detail: format!("the action `{name}` goes on; its end was waited for {} s", SYNCHRONOUS_MAX.as_secs()),
                retry_after: Duration::from_secs(1),
            });
        }
        self.answer_of(name, id)
    }

    /// The answer of a synchronous action that has ended; its status is not kept.
    fn answer_of(&self, name: &str, id: Uuid) -> Result<Invoked, InteractionError> {
        let status = self.outlet.actions.status(name, id);
        self.outlet.actions.forget(id);
        match status {
            Some(ActionStatus { error: Some(error), .. }) => Err(Arc::try_unwrap(error).unwrap_or_else(|shared| {
                InteractionError::InvalidOutput { detail: shared.to_string(), errors: Vec::new() }
            })),
            Some(ActionStatus { output, .. }) => {
                Ok(Invoked::Done(output.map(|output| Bytes::from(output.to_string()))))
            }
            None => Err(InteractionError::HandlerReplaced),
        }
    }

    /// The status of one invocation.
    ///
    /// # Errors
    /// `UnknownAffordance`, `UnknownActionInstance`.
    pub fn action_status(&self, name: &str, id: Uuid) -> Result<ActionStatus, InteractionError> {
        if !self.outlet.description().kind.actions.contains_key(name) {
            return Err(self.outlet.unknown(AffordanceKind::Action, name));
        }
        let unknown = || InteractionError::UnknownActionInstance { id: id.to_string() };
        self.outlet.actions.status(name, id).ok_or_else(unknown)
    }

    /// Cancels an invocation; afterwards it has no status any more. One that has ended is only forgotten.
    ///
    /// # Errors
    /// As [`action_status`](Self::action_status), or what the handler says against it.
    pub async fn cancel_action(&self, name: &str, id: Uuid) -> Result<(), InteractionError> {
        let status = self.action_status(name, id)?;
        if status.ended.is_none() {
            let cancelled = self.behavior.cancel(id).await;
            // It may have come to its end by itself meanwhile: that is what was wanted.
            let ended = self.outlet.actions.status(name, id).is_none_or(|status| status.ended.is_some());
            if !ended {
                cancelled?;
            }
        }
        self.outlet.actions.cancelled(id, SystemTime::now());
        Ok(())
    }

    /// Every change of every invocation from now on.
    pub(crate) fn action_changes(&self) -> broadcast::Receiver<Arc<ActionStatus>> {
        self.outlet.actions.changes()
    }

    /// Waits for the end of an invocation; `None`: it was forgotten meanwhile.
    pub(crate) async fn action_ended(&self, name: &str, id: Uuid) -> Option<ActionStatus> {
        self.outlet.actions.ended(name, id).await
    }

    /// All kept invocations by action, newest first.
    #[must_use]
    pub fn query_all_actions(&self) -> BTreeMap<String, Vec<ActionStatus>> {
        self.outlet.actions.all()
    }

    /// Observes properties or subscribes to events.
    ///
    /// # Errors
    /// `UnknownAffordance`, `NotAllowed`.
    pub fn observe(&self, observed: Observed, last_event_id: Option<u64>) -> Result<Observation, InteractionError> {
        Observation::begin(Arc::clone(&self.outlet), observed, last_event_id)
    }

    /// The published reading of a property while it is good: the answer to a read without asking anybody.
    #[must_use]
    pub fn good_reading(&self, name: &str) -> Option<Reading> {
        self.outlet.published.fresh(name, Instant::now())
    }

    /// The last reading that was published of a property, good or lapsed.
    pub(crate) fn last_reading(&self, name: &str) -> Option<Reading> {
        self.outlet.published.last(name)
    }

    /// Until when the last reading of a property is good, where it was published with such a time.
    pub(crate) fn good_until(&self, name: &str) -> Option<Instant> {
        self.outlet.published.good_until(name)
    }

    /// Whether simulated hardware stands behind it.
    pub(crate) fn is_simulated(&self) -> bool {
        self.outlet.is_simulated()
    }

    /// Reads one property.
    ///
    /// # Errors
    /// [`InteractionError`]; `Unavailable` with the handler's reason when there is no good reading.
    pub async fn read_property(&self, name: &str, context: &Context) -> Result<Reading, InteractionError> {
        read::property(self, name, context).await
    }

    /// Reads all properties that can be read as JSON, as one JSON object.
    ///
    /// # Errors
    /// The first property's error, with its name.
    pub async fn read_all_properties(&self, context: &Context) -> Result<Bytes, InteractionError> {
        read::all_properties(self, context).await
    }
}
