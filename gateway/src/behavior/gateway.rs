//! The gateway as a Thing: its health, the machine under it, and its log.
//!
//! An ordinary Thing: whatever looks after a gateway reads its Thing Description like any other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use handler_host::Value;
use serde::Serialize;
use thing_descriptions::FieldError;
use things::Hardware;
use tokio::sync::watch;

use super::handler::status::{HandlerState, HandlerStatus};
use crate::exposed_thing::outlet::Answer;
use crate::interaction::InteractionError;
use crate::logging::LogRing;
use crate::names::ThingName;
use crate::replacement::{Configuration, Replacements};
use crate::room::Room;
use crate::startup::Parts;

/// How the Things of a gateway stand, gathered where each Thing's task already writes it.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    statuses: Mutex<Vec<(ThingName, Arc<HandlerStatus>)>>,
    changed: Arc<watch::Sender<()>>,
    /// Why the store cannot be written.
    storage: watch::Receiver<Option<Arc<str>>>,
}

/// The property `health`.
#[derive(Debug, Serialize)]
struct Shown {
    status: &'static str,
    version: &'static str,
    uptime: f64,
    things: usize,
    tasks: usize,
    failing: Vec<Failing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Failing {
    thing: ThingName,
    reason: String,
}

impl Health {
    /// Of a gateway whose store says its trouble there.
    pub(crate) fn new(storage: watch::Receiver<Option<Arc<str>>>) -> Arc<Self> {
        let changed = Arc::new(watch::Sender::new(()));
        Arc::new(Self { started: Instant::now(), statuses: Mutex::new(Vec::new()), changed, storage })
    }

    /// The store's trouble has come or gone.
    pub(crate) fn storage_changed(&self) {
        self.changed.send_replace(());
    }

    /// What the status of a new Thing reports its changes to.
    pub(crate) fn reports_to(&self) -> Arc<watch::Sender<()>> {
        Arc::clone(&self.changed)
    }

    /// Wakes when a handler comes to stand otherwise.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// One more Thing.
    pub(crate) fn watch(&self, thing: ThingName, status: Arc<HandlerStatus>) {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner).push((thing, status));
        self.changed.send_replace(());
    }

    /// The property `health`.
    pub(crate) fn answer(&self) -> Result<Answer, InteractionError> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let failing: Vec<_> = statuses.iter().filter_map(|(thing, status)| failing(thing, status)).collect();
        let storage = self.storage.borrow().as_deref().map(str::to_owned);
        let shown = Shown {
            status: if failing.is_empty() && storage.is_none() { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            uptime: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            things: statuses.len(),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            failing,
            storage,
            memory: resident_bytes(),
        };
        Answer::json(&shown)
    }
}

fn failing(thing: &ThingName, status: &HandlerStatus) -> Option<Failing> {
    status.with(|shown| {
        let last = shown.faults.back().map(|fault| fault.detail.clone()).unwrap_or_default();
        let reason = match shown.state {
            HandlerState::CrashLoop => format!("its handler does not stay up: {last}"),
            HandlerState::Off => "it is off".to_owned(),
            HandlerState::Starting | HandlerState::Running | HandlerState::Canary => return None,
        };
        Some(Failing { thing: thing.clone(), reason })
    })
}

/// Resident memory of this process, in bytes (`/proc/self/statm`, proc(5): the second number is in pages).
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

/// What the MQTT binding counts: the property `mqtt`.
#[derive(Debug, Default)]
pub(crate) struct MqttHealth {
    clients: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    broker: Mutex<Option<&'static str>>,
}

impl MqttHealth {
    pub(crate) fn client_came(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// One more publish was refused; answers how many were.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Messages found no room.
    pub(crate) fn lost(&self, messages: u64) {
        self.lost.fetch_add(messages, Ordering::Relaxed);
    }

    /// How it stands with the external broker.
    pub(crate) fn broker(&self, word: &'static str) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
    }

    fn answer(&self) -> Result<Answer, InteractionError> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut shown = serde_json::json!({
            "clients": count(&self.clients), "refused": count(&self.refused), "lost": count(&self.lost),
        });
        if let Some(broker) = *self.broker.lock().unwrap_or_else(PoisonError::into_inner) {
            shown["broker"] = broker.into();
        }
        Answer::json(&shown)
    }
}

/// The property `http`.
fn http(room: &Room) -> Result<Answer, InteractionError> {
    let (standing, (refused, turned_out)) = (room.standing(), room.turned_away());
    Answer::json(&serde_json::json!({
        "connections": standing.requests, "observers": standing.observers, "refused": refused, "turnedOut": turned_out,
    }))
}

/// The gateway.
#[derive(Debug)]
pub(crate) struct GatewayBehavior {
    http: Arc<Room>,
    mqtt: Arc<MqttHealth>,
    health: Arc<Health>,
    hardware: Hardware,
    replacements: Replacements,
    logs: LogRing,
}

impl GatewayBehavior {
    pub(crate) fn new(parts: &Parts, logs: LogRing) -> Self {
        Self {
            http: Arc::clone(&parts.http),
            mqtt: Arc::clone(&parts.mqtt),
            health: Arc::clone(&parts.health),
            hardware: parts.hardware.clone(),
            replacements: parts.replacements.clone(),
            logs,
        }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Answer, InteractionError> {
        match name {
            "hardware" => Answer::json(&self.hardware.report()),
            "http" => http(&self.http),
            "mqtt" => self.mqtt.answer(),
            "logs" => Answer::json(&self.logs.entries()),
            _ => self.health.answer(),
        }
    }

    pub(crate) async fn invoke(&self, name: &str, input: Option<Value>) -> Result<Option<Value>, InteractionError> {
        let (Some(Value::Json(input)), "configure") = (input, name) else {
            return Err(InteractionError::invalid(format!("the gateway has no action `{name}` with this input")));
        };
        let told: Configuration =
            serde_json::from_str(&input).map_err(|error| InteractionError::invalid(error.to_string()))?;
        let thing = told.thing.clone();
        let replacement = self.replacements.get(&thing).ok_or_else(|| InteractionError::InvalidInput {
            detail: "the input is refused".to_owned(),
            errors: vec![FieldError {
                field: "/thing".to_owned(),
                description: "no Thing of this name is answered by a handler".to_owned(),
            }],
        })?;
        // In a task of its own: a client that goes away in the middle must not leave half a change behind.
        let configuring = tokio::spawn(async move { replacement.configure(told).await });
        let stopped = |error: tokio::task::JoinError| InteractionError::Storage { detail: error.to_string() };
        let now = configuring.await.map_err(stopped)??;
        let mut output = serde_json::json!({
            "thing": thing,
            "grants": now.configured.grants,
            "settings": now.configured.settings,
            "pause": (now.pause.as_secs_f64() * 1e6).round() / 1e3,
        });
        if !now.unknown.is_empty() {
            output["unknown"] = now.unknown.into();
        }
        Ok(Some(Value::Json(output.to_string())))
    }
}
