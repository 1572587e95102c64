//! What every Thing of a gateway is built from, made once.

use std::sync::Arc;

use handler_host::HandlerEngine;
use things::Hardware;

use crate::behavior::gateway::{Health, MqttHealth};
use crate::config::Canary;
use crate::replacement::{Replacements, SpentMemory};
use crate::repository::Repository;
use crate::room::Room;
use crate::store::Store;

/// What Things are built from.
pub(crate) struct Parts {
    pub(crate) engine: HandlerEngine,
    pub(crate) store: Store,
    pub(crate) hardware: Hardware,
    pub(crate) repository: Repository,
    pub(crate) health: Arc<Health>,
    pub(crate) mqtt: Arc<MqttHealth>,
    /// The Things whose handlers can be replaced and configured, by name.
    pub(crate) replacements: Replacements,
    /// What their uploads took.
    pub(crate) spent: SpentMemory,
    /// The connections of HTTP.
    pub(crate) http: Arc<Room>,
    pub(crate) canary: Canary,
    pub(crate) queue_length_max: usize,
}

/// One of the gateway's own Thing Models.
pub(super) fn own_model(name: &str) -> Result<serde_json::Value, String> {
    let model = thing_descriptions::model(name).ok_or_else(|| format!("the Thing Model `{name}` is missing"))?;
    Ok(model.to_json().clone())
}
