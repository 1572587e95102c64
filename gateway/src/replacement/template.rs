//! What all versions of one Thing's handler have in common: its grants, settings, limits, clock and names.
//!
//! A component and a number make it a [`Version`].

use std::collections::{BTreeMap, HashMap};

use handler_host::{Capabilities, Config, HandlerComponent, HandlerError, Limits, Signal, ThingClock, Value};
use serde_json::Map;
use thing_descriptions::FieldError;
use things::{Grant, Hardware, Slot};
use tokio::sync::mpsc;

use crate::behavior::handler::version::{Naming, Version};
use crate::config::{Budgets, Declaration};
use crate::fit::{self, Misfit};
use crate::names::ThingId;

/// The common part of all versions.
#[derive(Debug)]
pub(crate) struct VersionTemplate {
    naming: Naming,
    grants: BTreeMap<String, Grant>,
    slots: HashMap<String, Slot>,
    signals: mpsc::Sender<Signal>,
    settings: Map<String, serde_json::Value>,
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
        Self {
            naming: Naming { id, title: declaration.title.clone(), description: declaration.description.clone() },
            grants: declaration.grants.clone(),
            slots,
            signals,
            settings: declaration.settings.clone(),
            config: configuration(declaration),
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

    /// The same Thing with other grants and settings. A grant that is the same keeps its device; another one is claimed.
    ///
    /// # Errors
    /// One for each device that cannot be claimed, with a JSON Pointer into `configure`'s input.
    pub(super) fn configured(&self, declaration: &Declaration, hardware: &Hardware) -> Result<Self, Vec<FieldError>> {
        let (mut slots, mut errors) = (HashMap::new(), Vec::new());
        for (label, grant) in &declaration.grants {
            let kept = self.slots.get(label).filter(|_| self.grants.get(label) == Some(grant));
            let slot = kept.map(|slot| Ok(slot.clone()));
            match slot.unwrap_or_else(|| hardware.claim(declaration.name.as_str(), label, grant)) {
                Ok(slot) => drop(slots.insert(label.clone(), slot)),
                Err(error) => {
                    errors.push(FieldError { field: format!("/grants/{label}"), description: error.to_string() });
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            naming: self.naming.clone(),
            grants: declaration.grants.clone(),
            slots,
            signals: self.signals.clone(),
            settings: declaration.settings.clone(),
            config: configuration(declaration),
            clock: self.clock,
            limits: self.limits.clone(),
            budgets: self.budgets,
        })
    }

    /// The Thing's name.
    pub(super) fn thing(&self) -> &str {
        &self.config.thing
    }

    /// Which of the grants and settings do not fit the component.
    pub(crate) fn misfits(&self, component: &HandlerComponent) -> Vec<Misfit> {
        fit::misfits(component, &self.grants, &self.settings)
    }

    /// The devices.
    pub(super) fn slots(&self) -> Vec<Slot> {
        self.slots.values().cloned().collect()
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

fn configuration(declaration: &Declaration) -> Config {
    let settings = declaration.settings.iter().map(|(name, value)| (name.clone(), setting(value))).collect();
    Config { thing: declaration.name.to_string(), settings }
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
