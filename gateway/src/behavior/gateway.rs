//! The gateway as a Thing: its health, the machine under it, and its log.
//!
//! An ordinary Thing: whatever looks after a gateway reads its Thing Description like any other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use things::Hardware;
use tokio::sync::watch;

use super::handler::status::{HandlerState, HandlerStatus};
use crate::exposed_thing::outlet::Answer;
use crate::interaction::InteractionError;
use crate::logging::LogRing;
use crate::names::ThingName;

/// How the Things of a gateway stand, gathered where each Thing's task already writes it.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    statuses: Mutex<Vec<(ThingName, Arc<HandlerStatus>)>>,
    changed: Arc<watch::Sender<()>>,
}

/// The property `health`.
#[derive(Debug, Serialize)]
struct Shown {
    status: &'static str,
    version: &'static str,
    uptime: f64,
    things: usize,
    failing: Vec<Failing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Failing {
    thing: ThingName,
    reason: String,
}

impl Health {
    pub(crate) fn new() -> Arc<Self> {
        let changed = Arc::new(watch::Sender::new(()));
        Arc::new(Self { started: Instant::now(), statuses: Mutex::new(Vec::new()), changed })
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
        let shown = Shown {
            status: if failing.is_empty() { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            uptime: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            things: statuses.len(),
            failing,
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

/// The gateway.
#[derive(Debug)]
pub(crate) struct GatewayBehavior {
    mqtt: Arc<MqttHealth>,
    health: Arc<Health>,
    hardware: Hardware,
    logs: LogRing,
}

impl GatewayBehavior {
    pub(crate) fn new(health: Arc<Health>, mqtt: Arc<MqttHealth>, hardware: Hardware, logs: LogRing) -> Self {
        Self { mqtt, health, hardware, logs }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Answer, InteractionError> {
        match name {
            "hardware" => Answer::json(&self.hardware.report()),
            "mqtt" => self.mqtt.answer(),
            "logs" => Answer::json(&self.logs.entries()),
            _ => self.health.answer(),
        }
    }
}
