//! What all versions of one Thing's handler have in common: its grants, settings, limits, clock and names.
//!
//! A component and a number make it a [`Version`].

use std::collections::{BTreeMap, HashMap};

use handler_host::{Capabilities, Config, HandlerComponent, HandlerError, Limits, Signal, ThingClock, Value};
use things::{Grant, Slot};
use tokio::sync::mpsc;

use crate::behavior::handler::version::{Naming, Version};
use crate::config::{Budgets, Declaration};
use crate::names::ThingId;

/// The common part of all versions.
#[derive(Debug)]
pub(crate) struct VersionTemplate {
    naming: Naming,
    grants: BTreeMap<String, Grant>,
    slots: HashMap<String, Slot>,
    signals: mpsc::Sender<Signal>,
    config: Config,
    clock: ThingClock,
    limits: Limits,
    budgets: Budgets,
}

impl VersionTemplate {
    /// From a Thing's declaration and what was claimed for it.
    pub(crate) fn new(
        declaration: &Declaration,
        id: ThingId,
        slots: HashMap<String, Slot>,
        signals: mpsc::Sender<Signal>,
        clock: ThingClock,
    ) -> Self {
        let mut limits = Limits {
            wake_ms: declaration.limits.budgets.wake_ms,
            signal_ms: declaration.limits.budgets.wake_ms,
            ..Limits::default()
        };
        if let Some(memory) = declaration.limits.memory_bytes_max {
            limits.memory_bytes_max = memory;
        }
        let settings = declaration.settings.iter().map(|(name, value)| (name.clone(), setting(value))).collect();
        Self {
            naming: Naming { id, title: declaration.title.clone(), description: declaration.description.clone() },
            grants: declaration.grants.clone(),
            slots,
            signals,
            config: Config { thing: declaration.name.to_string(), settings },
            clock,
            limits,
            budgets: declaration.limits.budgets,
        }
    }

    /// A version of this Thing's handler.
    ///
    /// # Errors
    /// `Denied` when the component wants what the Thing was not granted.
    pub(crate) fn version(&self, number: u64, component: HandlerComponent) -> Result<Version, HandlerError> {
        let capabilities = Capabilities::new(component.wants(), self.slots.clone(), self.signals.clone())?;
        Ok(Version {
            number,
            component,
            capabilities,
            config: self.config.clone(),
            clock: self.clock,
            limits: self.limits.clone(),
            budgets: self.budgets,
            naming: self.naming.clone(),
            granted: self.grants.keys().cloned().collect(),
        })
    }

    /// What the component wants and what it was given.
    pub(crate) fn grants(&self, component: &HandlerComponent) -> Vec<serde_json::Value> {
        let wanted = component.wants().iter().map(|want| {
            let grant = self.grants.get(&want.label);
            let mut shown = serde_json::to_value(want).unwrap_or_default();
            shown["granted"] = grant.is_some().into();
            if let Some(grant) = grant {
                shown["grant"] = serde_json::to_value(grant).unwrap_or_default();
            }
            shown
        });
        wanted.collect()
    }
}

/// A setting of a deployment's file as the contract's value.
fn setting(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Boolean(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        compound @ (serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Value::Json(compound.to_string()),
    }
}
