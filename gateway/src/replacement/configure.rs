//! Other grants and settings for a Thing while it serves: the action `configure` of the Thing `gateway`.
//!
//! The version that serves starts anew with them, rehearsed and committed as a replacement is; what was written to a
//! setting before no longer counts. A grant that stays the same keeps its device as it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value};
use thing_descriptions::FieldError;

use super::{Based, CutOver, Next, Replacement, approval};
use crate::behavior::handler::request::Request;
use crate::interaction::InteractionError;
use crate::names::ThingName;
use crate::store::{Batch, Configured, settings_key};

/// What `configure` is told.
#[derive(Debug, Deserialize)]
pub(crate) struct Configuration {
    /// The Thing's name.
    pub(crate) thing: String,
    #[serde(default)]
    grants: Map<String, Value>,
    #[serde(default)]
    settings: Map<String, Value>,
}

/// How a Thing is configured now.
#[derive(Debug)]
pub(crate) struct NowConfigured {
    /// Over what its file says.
    pub(crate) configured: Configured,
    /// Settings of it that the Thing Model does not have.
    pub(crate) unknown: Vec<String>,
    /// How long the Thing took no message.
    pub(crate) pause: Duration,
}

/// The Things whose handlers can be replaced, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replacements(Arc<Mutex<BTreeMap<ThingName, Arc<Replacement>>>>);

impl Replacements {
    pub(crate) fn add(&self, replacement: &Arc<Replacement>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(replacement.thing().clone(), Arc::clone(replacement));
    }

    pub(crate) fn get(&self, thing: &str) -> Option<Arc<Replacement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(thing).cloned()
    }
}

impl Replacement {
    /// Gives the Thing other grants and settings.
    ///
    /// # Errors
    /// `InvalidInput` when a grant is none, its device is held or absent, a setting does not fit the Thing Model, or the handler does not start with it;
    /// `Forbidden` when it would lack what it needs; `Conflict` while a new version is on probation. Then all stays.
    pub(crate) async fn configure(&self, told: Configuration) -> Result<NowConfigured, InteractionError> {
        let _turn = self.turn()?;
        let begun = Instant::now();
        let mut record = self.known_record()?;
        if record.canary.is_some() {
            let detail = "a new version is on probation; try again when `status` is running".to_owned();
            return Err(InteractionError::Conflict { detail });
        }
        let based_on = Based::on(&record);
        let told = Configured { grants: told.grants, settings: told.settings };
        record.configured = record.configured.patched(&told);
        let declaration = record.configured.applied_to(&self.declaration).map_err(refused)?;
        let template = Arc::new(self.template.load().configured(&declaration, &self.hardware).map_err(refused)?);
        let current = record.current().map(|version| (version.number, version.digest));
        let (number, digest) = current
            .ok_or_else(|| InteractionError::Conflict { detail: "no version of the handler is kept".to_owned() })?;
        let (component, _kept) = self.load(self.kept(digest).await?.into()).await?;
        let version = template.version(number, component).map_err(approval::refused)?;
        let unknown = approval::fits(&template, &version.component)?;
        let now = self.outlet.description();
        let mut description =
            version.describe(now.revision + 1).map_err(|error| InteractionError::invalid(error.to_string()))?;
        description.created = now.created;
        let description = (description.thing != now.thing).then_some(description);
        self.rehearse(&version).await?;
        let mut forgotten = Batch::new();
        for key in told.settings.keys() {
            forgotten.put_state(self.thing(), &settings_key(key), None);
        }
        self.commit(&record, based_on, forgotten).await?;
        let (configured, slots) = (record.configured.clone(), Some(template.slots()));
        // Before the cut-over: the devices of grants that are no more are let go with the last of their slots.
        self.template.store(template);
        let next = Box::new(Next { version, record, description, slots });
        let CutOver { pause } = self.behavior.tell(|reply| Request::CutOver { next, reply }).await?;
        tracing::info!(thing = %self.thing(), ?pause, total = ?begun.elapsed(), "configured");
        let unknown = unknown.into_iter().filter(|key| configured.settings.contains_key(key)).collect();
        Ok(NowConfigured { configured, unknown, pause })
    }
}

fn refused(errors: Vec<FieldError>) -> InteractionError {
    InteractionError::InvalidInput { detail: "the configuration was refused".to_owned(), errors }
}
