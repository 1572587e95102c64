//! Other grants and settings for a Thing while it serves: the action `configure` of the Thing `gateway`.
//!
//! The version that serves starts anew with them, rehearsed and committed as a replacement is; what was written to a
//! setting before no longer counts. A grant that stays the same keeps its device as it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value};
use thing_descriptions::FieldError;

use super::{Based, CutOver, Next, Replacement, VersionTemplate, approval};
use crate::behavior::handler::request::{Reconfigured, Request, Switching};
use crate::behavior::handler::version::Version;
use crate::interaction::InteractionError;
use crate::names::ThingName;
use crate::store::{Batch, Configured, ThingRecord, settings_key};

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
    /// Gives the Thing other grants and settings. A probation that is under way begins anew with them.
    ///
    /// # Errors
    /// `InvalidInput` when a grant is none, its device is held or absent, a setting does not fit the Thing Model, or the
    /// handler does not start with it; `Forbidden` when it would lack what it needs; `Conflict` when the version to which a
    /// probation goes back could not serve so. Then all stays. Devices answer only after that: where a version on probation
    /// does not stay up with what was configured, it is rolled back, and `Conflict` says that the configuration stands.
    pub(crate) async fn configure(&self, told: Configuration) -> Result<NowConfigured, InteractionError> {
        let _turn = self.turn()?;
        let begun = Instant::now();
        let mut record = self.known_record()?;
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
        let previous = self.previous(&template, &record).await?;
        let now = self.outlet.description();
        let mut description =
            version.describe(now.revision + 1).map_err(|error| InteractionError::invalid(error.to_string()))?;
        description.created = now.created;
        let description = (!Arc::ptr_eq(&description.kind, &now.kind)).then_some(description);
        self.rehearse(&version).await?;
        // It may have ended meanwhile, and neither ends nor begins from here on.
        let watched = self.begin(Switching::Configuration, based_on).await?.canary;
        record.canary = watched.map(|kept| kept.anew(&self.canary, SystemTime::now()));
        let mut forgotten = Batch::new();
        for key in told.settings.keys() {
            forgotten.put_state(self.thing(), &settings_key(key), None);
            if record.canary.is_some() {
                forgotten.put_state_before(self.thing(), &settings_key(key), None);
            }
        }
        self.commit(&record, forgotten).await?;
        let configured = record.configured.clone();
        let anew = Some(Reconfigured { slots: template.slots(), previous });
        // Before the cut-over: the devices of grants that are no more are let go with the last of their slots.
        self.template.store(template);
        let next = Box::new(Next { version, record, description, configured: anew });
        let went = self.behavior.tell(|reply| Request::CutOver { next, reply }).await;
        let CutOver { pause } = went.map_err(|error| match error {
            InteractionError::Conflict { detail } => {
                InteractionError::Conflict { detail: format!("{detail}; what was configured stands") }
            }
            other => other,
        })?;
        tracing::info!(thing = %self.thing(), ?pause, total = ?begun.elapsed(), "configured");
        let unknown = unknown.into_iter().filter(|key| configured.settings.contains_key(key)).collect();
        Ok(NowConfigured { configured, unknown, pause })
    }

    /// The version to which a probation goes back, configured anew; `None` where nothing is on probation.
    async fn previous(
        &self,
        template: &VersionTemplate,
        record: &ThingRecord,
    ) -> Result<Option<Version>, InteractionError> {
        let previous = record.canary.as_ref().and_then(|canary| record.version(canary.previous));
        let Some(previous) = previous else { return Ok(None) };
        let (component, _kept) = self.load(self.kept(previous.digest).await?.into()).await?;
        let conflict = |reason: &dyn std::fmt::Display| InteractionError::Conflict {
            detail: format!(
                "a new version is on probation, and the one that it would go back to could not serve so: {reason}; try again \
                 when `status` is running"
            ),
        };
        approval::fits(template, &component).map_err(|error| conflict(&error))?;
        template.version(previous.number, component).map(Some).map_err(|error| conflict(&error))
    }
}

fn refused(errors: Vec<FieldError>) -> InteractionError {
    InteractionError::InvalidInput { detail: "the configuration was refused".to_owned(), errors }
}
