//! A publish that asks for something: writes, invokes or cancels through `ExposedThing`, and says what came of it.
//!
//! The answer goes to the response topic of who asked (MQTT 5): a value, a status or a problem document, with the status in
//! HTTP's numbers beside it. Without one a failed invocation is told on the action's status topic, and a refused write in
//! the log. A publish to the own endpoint is acknowledged when this is done, so what was
//! acknowledged is on disk; a broker's acknowledgement is the broker's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use thing_descriptions::{JsonLimits, parse_json};
use uuid::Uuid;

use super::filter::is_topic;
use super::hub::{ConsumerId, Hub};
use super::message::{Kind, Message, PROBLEM, Reply};
use super::topics::{Asked, Topics};
use crate::access::{Access, Decision, Operation, Principal};
use crate::binding_http::{problem::Problem, status};
use crate::exposed_thing::{ActionState, ActionStatus, ExposedThing, Invoked};
use crate::interaction::{AffordanceKind, Context, InteractionError, Payload};
use crate::servient::Servient;

/// How long an action's end is waited for, to tell it to who invoked it.
const END_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A publish from outside.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation: Option<Bytes>,
    /// Who asks.
    pub(crate) from: Principal,
}

/// Why a publish was refused, in the few words that an acknowledgement has (MQTT 5.0 section 3.4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing takes a publish under this topic.
    NoSuchTopic,
    /// The value does not fit, or is no JSON.
    Payload,
    /// It is not offered, or not permitted.
    NotAllowed,
    /// Too much at once.
    Quota,
    /// It failed.
    Failed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Commands {
    servient: Arc<Servient>,
    topics: Topics,
    hub: Arc<Hub>,
}

/// Where the answer goes.
#[derive(Debug, Clone)]
struct Answers {
    hub: Arc<Hub>,
    to: ConsumerId,
    topic: Option<Arc<str>>,
    correlation: Option<Bytes>,
}

impl Answers {
    fn answer(&self, status: u16, content_type: &'static str, body: impl Into<Bytes>) {
        let Some(topic) = &self.topic else { return };
        let reply = Reply { correlation: self.correlation.clone(), status };
        let message = Message::new(Arc::clone(topic), body, Kind::Event).of_type(content_type);
        self.hub.reply(self.to, Message { reply: Some(reply), ..message });
    }

    fn status(&self, code: u16, status: &ActionStatus) {
        self.answer(code, super::message::JSON, status_document(status));
    }
}

impl Commands {
    pub(crate) fn new(servient: Arc<Servient>, topics: Topics, hub: Arc<Hub>) -> Self {
        Self { servient, topics, hub }
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Whether `topic` is one to which something can be asked.
    pub(crate) fn takes(&self, topic: &str) -> bool {
        self.topics.asked(topic).is_some()
    }

    /// The gateway's client identifier at a broker: the same after a restart, and another one for each gateway, even one of
    /// the same name.
    pub(crate) fn client_id(&self) -> String {
        let name = &self.servient.config().name;
        let id = self.servient.thing("gateway").map(|gateway| gateway.id().to_string()).unwrap_or_default();
        format!("tidegate-{name}-{}", id.rsplit('-').next().unwrap_or_default())
    }

    /// Largest payload of a publish, in bytes.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        self.servient.config().limits.body_bytes_max
    }

    /// Whether `from` may hear what is published under `topic`, or under a filter.
    pub(crate) fn lets_hear(&self, from: Principal, topic: &str) -> bool {
        let (thing, affordance) = self.topics.told(topic);
        self.access().decide(from, Operation::Observe, thing, affordance) == Decision::Allow
    }

    /// Who may ask.
    pub(crate) fn access(&self) -> &Arc<Access> {
        self.servient.access()
    }

    /// Whether `from` may do this now, which may be long after it was let in.
    fn check(&self, asked: Asked<'_>, from: Principal) -> Result<(), InteractionError> {
        let (operation, thing, name) = match asked {
            Asked::Write { thing, name } => (Operation::Write, thing, name),
            Asked::Invoke { thing, name } => (Operation::Invoke, thing, name),
            Asked::Cancel { thing, name } => (Operation::Cancel, thing, name),
        };
        match self.access().decide(from, operation, Some(thing), Some(name)) {
            Decision::Allow => Ok(()),
            Decision::SignIn => Err(InteractionError::Forbidden { detail: "a token is needed".to_owned() }),
            Decision::Refuse => {
                Err(InteractionError::Forbidden { detail: "this is not permitted to who asks".to_owned() })
            }
        }
    }

    /// Does what `publish` asks for; `from` is who gets the answer.
    ///
    /// # Errors
    /// [`Refusal`], with a sentence.
    pub(crate) async fn execute(&self, publish: &Publish, from: ConsumerId) -> Result<(), (Refusal, String)> {
        let Some(asked) = self.topics.asked(&publish.topic) else {
            return Err((Refusal::NoSuchTopic, "this gateway takes no publish under this topic".to_owned()));
        };
        let topic = publish.response_topic.as_deref().filter(|topic| is_topic(topic)).map(Arc::from);
        let answers = Answers { hub: Arc::clone(&self.hub), to: from, topic, correlation: publish.correlation.clone() };
        let done = match (self.check(asked, publish.from), asked) {
            (Err(error), _) => Err(error),
            (Ok(()), Asked::Write { thing, name }) => self.write(thing, name, publish, &answers).await,
            (Ok(()), Asked::Invoke { thing, name }) => self.invoke(thing, name, publish, &answers).await,
            (Ok(()), Asked::Cancel { thing, name }) => self.cancel(thing, name, publish, &answers).await,
        };
        done.map_err(|error| {
            self.refused(asked, &error, &answers);
            (refusal(&error), error.to_string())
        })
    }

    async fn write(&self, thing: &str, name: &str, asked: &Publish, to: &Answers) -> Result<(), InteractionError> {
        let thing = self.servient.thing(thing)?;
        let media = thing.description().kind.properties.get(name).and_then(|property| property.schema.media.clone());
        let input = self.input(&asked.payload, media.as_deref())?;
        let input = input.ok_or_else(|| InteractionError::invalid("a value is expected in the payload".to_owned()))?;
        thing.write_property(name, input, &Context::of(asked.from.caller())).await?;
        to.answer(204, super::message::JSON, "null");
        Ok(())
    }

    async fn invoke(&self, thing: &str, name: &str, asked: &Publish, to: &Answers) -> Result<(), InteractionError> {
        let thing = self.servient.thing(thing)?;
        let description = thing.description();
        let media = description.kind.actions.get(name).and_then(|action| action.input.as_ref()?.media.clone());
        let input = self.input(&asked.payload, media.as_deref())?;
        match thing.invoke_action(name, input, Context::of(asked.from.caller())).await? {
            Invoked::Done(output) => {
                let (status, body) = output.map_or((204, Bytes::from_static(b"null")), |output| (200, output));
                to.answer(status, super::message::JSON, body);
            }
            Invoked::Accepted(status) => {
                to.status(201, &status);
                if status.ended.is_none() && to.topic.is_some() {
                    tokio::spawn(tell_end(thing, status, to.clone()));
                }
            }
        }
        Ok(())
    }

    async fn cancel(&self, thing: &str, name: &str, asked: &Publish, to: &Answers) -> Result<(), InteractionError> {
        let thing = self.servient.thing(thing)?;
        if !thing.description().kind.actions.contains_key(name) {
            let (thing, name) = (thing.name().to_string(), name.to_owned());
            return Err(InteractionError::UnknownAffordance { thing, kind: AffordanceKind::Action, name });
        }
        // The id as it is, or as a JSON string.
        let text = String::from_utf8_lossy(asked.payload.get(..asked.payload.len().min(64)).unwrap_or_default());
        let id = text.trim().trim_matches('"');
        let unknown = || InteractionError::UnknownActionInstance { id: id.chars().take(40).collect() };
        thing.cancel_action(name, Uuid::try_parse(id).map_err(|_| unknown())?).await?;
        to.answer(204, super::message::JSON, "null");
        Ok(())
    }

    /// The payload as an input; an empty one is none.
    fn input(&self, payload: &Bytes, media: Option<&str>) -> Result<Option<Payload>, InteractionError> {
        if payload.is_empty() {
            return Ok(None);
        }
        if let Some(media) = media {
            return Ok(Some(Payload::Media { content_type: media.to_owned(), bytes: payload.clone() }));
        }
        let limits = JsonLimits { bytes_max: self.payload_bytes_max(), ..JsonLimits::DEFAULT };
        let json = parse_json(payload, limits);
        json.map(|value| Some(Payload::Json(value)))
            .map_err(|error| InteractionError::invalid(format!("the payload is no JSON: {error}")))
    }

    /// Tells a failure where it can be told.
    fn refused(&self, asked: Asked<'_>, error: &InteractionError, to: &Answers) {
        let total = self.hub.health().refused();
        let document = Problem::from(error).to_json(None);
        let status = document["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(500);
        if to.topic.is_some() {
            return to.answer(status, PROBLEM, document.to_string());
        }
        if let Asked::Invoke { thing, name } = asked
            && let Ok(thing) = self.servient.thing(thing)
            && let Some(action) = thing.description().kind.actions.get(name)
        {
            let topic = self.topics.action_status(thing.name().as_str(), &action.name);
            let failed = json!({ "status": "failed", "error": document });
            return self.hub.publish(Message::new(topic, failed.to_string(), Kind::Event));
        }
        // Anybody can be refused as often as they like; the log is told ever more rarely.
        if total.is_power_of_two() {
            tracing::warn!(?asked, %error, total, "an MQTT publish was refused, and nobody waits for the answer");
        }
    }
}

/// Tells the end of an invocation to who asked for it.
async fn tell_end(thing: Arc<ExposedThing>, begun: ActionStatus, to: Answers) {
    let ended = tokio::time::timeout(END_MAX, thing.action_ended(&begun.name, begun.id)).await;
    match ended {
        Ok(Some(status)) => to.status(200, &status),
        Ok(None) => to.status(200, &ActionStatus { state: ActionState::Failed, ..begun }),
        Err(_) => tracing::debug!(id = %begun.id, "nobody is told the end of this invocation any more"),
    }
}

/// `ActionStatus` with the invocation's id, which is what `cancel` takes.
pub(crate) fn status_document(status: &ActionStatus) -> String {
    let mut document = status::to_json(status, "");
    if let Some(members) = document.as_object_mut() {
        members.shift_remove("href");
        if let Some(error) = members.get_mut("error").and_then(Value::as_object_mut) {
            error.shift_remove("instance");
        }
        members.insert("id".to_owned(), status.id.to_string().into());
        members.insert("action".to_owned(), (*status.name).into());
    }
    document.to_string()
}

fn refusal(error: &InteractionError) -> Refusal {
    match error {
        InteractionError::UnknownThing { .. } | InteractionError::UnknownAffordance { .. } => Refusal::NoSuchTopic,
        InteractionError::InvalidInput { .. }
        | InteractionError::UnsupportedMediaType { .. }
        | InteractionError::UnknownActionInstance { .. }
        | InteractionError::NotAcceptable { .. }
        | InteractionError::TooLarge { .. } => Refusal::Payload,
        InteractionError::NotAllowed { .. } | InteractionError::Forbidden { .. } => Refusal::NotAllowed,
        InteractionError::Overloaded { .. } => Refusal::Quota,
        InteractionError::InvalidOutput { .. }
        | InteractionError::Conflict { .. }
        | InteractionError::Suspended { .. }
        | InteractionError::Unavailable { .. }
        | InteractionError::HandlerReplaced
        | InteractionError::Storage { .. }
        | InteractionError::Handler(_) => Refusal::Failed,
    }
}
