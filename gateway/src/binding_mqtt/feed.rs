//! From what a Thing's observers hear to messages: values, events, statuses of actions, how it stands, its description.
//!
//! One task per Thing. At the end each says `offline`, and only then the hub closes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::command;
use super::hub::{Hub, true_now};
use super::message::{Kind, Message, Source, Stamp, TD, TEXT};
use super::topics::Topics;
use crate::exposed_thing::observation::ONLY_WHAT_FOLLOWS;
use crate::exposed_thing::read::FIRST_READING_MAX;
use crate::exposed_thing::{ActionStatus, ExposedThing, Notification, Observation, Observed, ObservedItem};
use crate::interaction::{AffordanceKind, Context, InteractionError};
use crate::servient::Servient;
use crate::td;

/// Feeds the topics of all Things until `stop` turns true.
pub(crate) fn start(
    tasks: &mut JoinSet<()>,
    servient: &Arc<Servient>,
    hub: &Arc<Hub>,
    topics: &Topics,
    stop: &watch::Receiver<bool>,
) {
    let (servient, hub, topics, stop) = (Arc::clone(servient), Arc::clone(hub), topics.clone(), stop.clone());
    tasks.spawn(async move {
        say(&hub, topics.gateway_status(), "online");
        let mut feeds = JoinSet::new();
        let mut fed = BTreeSet::new();
        let (mut changed, mut stopping) = (servient.things_changed(), stop.clone());
        loop {
            for thing in servient.things() {
                if fed.insert(thing.id().clone()) {
                    let feed = Feed::new(thing, &servient, Arc::clone(&hub), topics.clone());
                    feeds.spawn(feed.run(stop.clone()));
                }
            }
            tokio::select! {
                () = true_now(&mut stopping) => break,
                changed = changed.changed() => if changed.is_err() { break },
            }
        }
        while feeds.join_next().await.is_some() {}
        say(&hub, topics.gateway_status(), "offline");
        hub.close();
    });
}

fn say(hub: &Hub, topic: String, word: &'static str) {
    hub.publish(Message::new(topic, word, Kind::Retained).of_type(TEXT));
}

/// What feeds the topics of one Thing.
struct Feed {
    thing: Arc<ExposedThing>,
    servient: Arc<Servient>,
    hub: Arc<Hub>,
    topics: Topics,
    /// Properties without a good reading.
    lapsed: BTreeSet<Arc<str>>,
    /// When every property should have had its first reading, until that was looked at.
    first_readings: Option<Instant>,
    /// Reads of those that had none; what comes is the name of a property that could not be read.
    asked: JoinSet<Option<Arc<str>>>,
    /// Whether a handler that should answer does.
    answers: bool,
    said: &'static str,
}

impl Feed {
    fn new(thing: Arc<ExposedThing>, servient: &Arc<Servient>, hub: Arc<Hub>, topics: Topics) -> Self {
        let servient = Arc::clone(servient);
        let lapsed = BTreeSet::new();
        let asked = JoinSet::new();
        Self { thing, servient, hub, topics, lapsed, first_readings: None, asked, answers: true, said: "" }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (Some(mut properties), Some(mut events)) =
            (self.observe(Observed::AllProperties, None), self.observe(Observed::AllEvents, Some(ONLY_WHAT_FOLLOWS)))
        else {
            return;
        };
        let mut standing = self
            .thing
            .handler()
            .and_then(|handler| handler.observe(Observed::Property("status".to_owned()), None).ok());
        let mut actions = self.thing.action_changes();
        let mut described = self.thing.description_changed();
        let mut protection = self.servient.access().protection();
        self.describe();
        loop {
            self.say_how_it_stands();
            let first_readings = self.first_readings;
            tokio::select! {
                // What happened first is told before the end.
                biased;
                item = properties.next() => match item {
                    Some(item) => self.property(item),
                    None => break,
                },
                item = events.next() => match item {
                    Some(item) => self.event(item),
                    None => break,
                },
                status = actions.recv() => self.action(status),
                item = next_of(standing.as_mut()) => self.stands(item),
                changed = described.changed() => match changed {
                    Ok(()) => self.describe(),
                    Err(_) => break,
                },
                () = sleep_until(first_readings.unwrap_or_else(Instant::now)), if first_readings.is_some() => {
                    self.ask_for_first_readings();
                }
                Some(missing) = self.asked.join_next() => self.first_reading(missing.ok().flatten()),
                // An error: it will not change again.
                Ok(()) = protection.changed() => self.describe(),
                () = true_now(&mut stop) => break,
            }
        }
        say(&self.hub, self.topics.status(self.thing.name().as_str()), "offline");
    }

    fn observe(&self, observed: Observed, last_event_id: Option<u64>) -> Option<Observation> {
        match self.thing.observe(observed, last_event_id) {
            Ok(observation) => Some(observation),
            Err(error) => {
                tracing::error!(thing = %self.thing.name().as_str(), %error, "cannot be observed");
                None
            }
        }
    }

    fn property(&mut self, item: ObservedItem) {
        match item {
            ObservedItem::Notification(notification) => {
                self.lapsed.remove(&notification.name);
                let topic = self.topics.property(self.thing.name().as_str(), &notification.name);
                let source = Source { thing: Arc::clone(&self.thing), property: Arc::clone(&notification.name) };
                self.notify(topic, &notification, Kind::Value(source));
            }
            ObservedItem::Lapsed { name } => {
                self.lapsed.insert(name);
            }
            // Values that were missed were followed by later ones.
            ObservedItem::Gap { .. } => {}
        }
    }

    /// A property that cannot be read from the start is as stale as one whose reading has lapsed: a chip may be absent.
    fn ask_for_first_readings(&mut self) {
        self.first_readings = None;
        let description = self.thing.description();
        let promised = description.kind.properties.values().filter(|property| property.observable && property.readable);
        for property in promised.filter(|property| self.thing.last_reading(&property.name).is_none()) {
            let (thing, name) = (Arc::clone(&self.thing), Arc::clone(&property.name));
            self.asked.spawn(async move {
                let read = thing.read_property(&name, &Context::anonymous()).await;
                matches!(read, Err(InteractionError::Unavailable { .. })).then_some(name)
            });
        }
    }

    /// The answer of one that was asked for.
    fn first_reading(&mut self, missing: Option<Arc<str>>) {
        let still = missing.filter(|name| self.thing.last_reading(name).is_none());
        self.lapsed.extend(still);
    }

    fn event(&self, item: ObservedItem) {
        match item {
            ObservedItem::Notification(notification) => {
                let topic = self.topics.event(self.thing.name().as_str(), &notification.name);
                self.notify(topic, &notification, Kind::Event);
            }
            ObservedItem::Gap { missed } => self.lost(missed, "events"),
            ObservedItem::Lapsed { .. } => {}
        }
    }

    fn notify(&self, topic: String, notification: &Notification, kind: Kind) {
        let simulated = matches!(notification.affordance, AffordanceKind::Property) && self.thing.is_simulated();
        let stamp = Stamp { taken: notification.taken, quality: notification.quality, simulated };
        let message = Message::new(topic, notification.body.clone(), kind);
        self.hub.publish(Message { stamp: Some(stamp), ..message });
    }

    fn action(&self, status: Result<Arc<ActionStatus>, RecvError>) {
        match status {
            Ok(status) => {
                let topic = self.topics.action_status(self.thing.name().as_str(), &status.name);
                self.hub.publish(Message::new(topic, command::status_document(&status), Kind::Event));
            }
            Err(RecvError::Lagged(missed)) => self.lost(missed, "statuses of actions"),
            // The Thing holds the sender as long as it is observed.
            Err(RecvError::Closed) => {}
        }
    }

    fn lost(&self, missed: u64, what: &str) {
        self.hub.health().lost(missed);
        tracing::warn!(thing = %self.thing.name().as_str(), missed, "{what} came faster than they could be published");
    }

    /// The standing of the handler, from the handler's own Thing.
    fn stands(&mut self, item: Option<ObservedItem>) {
        let Some(ObservedItem::Notification(notification)) = item else { return };
        let standing: Value = serde_json::from_slice(&notification.body).unwrap_or_default();
        self.answers = matches!(standing["state"].as_str(), Some("running" | "canary"));
    }

    fn say_how_it_stands(&mut self) {
        let word = match (self.answers, self.lapsed.is_empty()) {
            (false, _) => "offline",
            (true, false) => "stale",
            (true, true) => "online",
        };
        if self.said != word {
            self.said = word;
            say(&self.hub, self.topics.status(self.thing.name().as_str()), word);
        }
    }

    /// Publishes the description; what it no longer offers is no longer retained.
    fn describe(&mut self) {
        let description = self.thing.description();
        let name = self.thing.name().as_str();
        let root = self.topics.thing(name);
        let offered: BTreeSet<String> = description
            .kind
            .properties
            .values()
            .filter(|property| property.observable && property.schema.media.is_none())
            .map(|property| self.topics.property(name, &property.name))
            .collect();
        self.hub.forget(&format!("{root}/properties/"), |topic| offered.contains(topic));
        self.lapsed.retain(|property| description.kind.properties.contains_key(property));
        self.first_readings = Instant::now().checked_add(FIRST_READING_MAX);
        let origin = self.servient.own_origin();
        let protected = self.servient.access().is_protected();
        let reader = td::Reader { origin: &origin, language: None, protected };
        let document = td::describe(&self.thing, &description, reader, self.servient.config());
        self.hub.publish(Message::new(root, document.to_value().to_string(), Kind::Retained).of_type(TD));
    }
}

/// The next item of an observation that may not be there, or may have ended.
async fn next_of(observation: Option<&mut Observation>) -> Option<ObservedItem> {
    if let Some(observation) = observation
        && let Some(item) = observation.next().await
    {
        return Some(item);
    }
    std::future::pending().await
}
