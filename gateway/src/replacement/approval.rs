//! What a replacement may take away, and how a refusal is said.
//!
//! A new version has every affordance of the present one, or its pusher approves of what is lost.

use std::collections::BTreeMap;

use handler_host::{HandlerComponent, HandlerError};

use super::VersionTemplate;
use crate::behavior::handler::version::Version;
use crate::exposed_thing::Description;
use crate::fit::{self, Misfit};
use crate::interaction::InteractionError;
use crate::names::ComponentDigest;
use crate::store::ThingRecord;

/// What the pusher of a new version says beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approval {
    /// Affordances may be lost.
    approve: bool,
    /// Only if this version serves.
    expect: Option<ComponentDigest>,
}

impl Approval {
    /// Everything is approved.
    pub(crate) fn given() -> Self {
        Self { approve: true, expect: None }
    }

    /// From the form's URI variables `approve` and `expect`.
    ///
    /// # Errors
    /// `InvalidInput` when one is neither.
    pub(crate) fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, InteractionError> {
        let approve = match variables.get("approve").map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(InteractionError::invalid(format!("approve is `true` or `false`, not `{other}`")));
            }
        };
        let expect = variables.get("expect").map(|digest| digest.parse()).transpose();
        let expect = expect.map_err(|error| InteractionError::invalid(format!("expect: {error}")))?;
        Ok(Self { approve, expect })
    }

    /// Whether the version that serves is the expected one.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn expects(&self, record: &ThingRecord) -> Result<(), InteractionError> {
        let current = record.current().map(|version| &version.digest);
        match (&self.expect, current) {
            (Some(expected), Some(current)) if expected != current => Err(InteractionError::Conflict {
                detail: format!("the version {current} serves, not the expected one"),
            }),
            _ => Ok(()),
        }
    }

    /// The description of the new version, where it differs from the present one.
    ///
    /// # Errors
    /// `InvalidInput` when its model makes no Thing Description; `Conflict` when affordances would be lost.
    pub(super) fn describes(
        &self,
        now: &Description,
        version: &Version,
    ) -> Result<Option<Description>, InteractionError> {
        if version.component.model_json() == now.model() {
            return Ok(None);
        }
        let mut next = version.describe(now.revision + 1).map_err(|error| InteractionError::InvalidInput {
            detail: format!("the component was refused: its Thing Model is not valid: {error}"),
            errors: Vec::new(),
        })?;
        next.created = now.created;
        let lost = now.lost_in(&next);
        if lost.is_empty() || self.approve {
            return Ok(Some(next));
        }
        Err(InteractionError::Conflict {
            detail: format!("the new version lacks {}; push it with approve=true if that is meant", lost.join(", ")),
        })
    }
}

/// Holds the Thing's settings against the Thing Model; the names of those that it does not have, which may be misspelt.
///
/// # Errors
/// `InvalidInput` with a JSON Pointer to each setting that contradicts the property of its name.
pub(super) fn fits(template: &VersionTemplate, component: &HandlerComponent) -> Result<Vec<String>, InteractionError> {
    let misfits = template.misfits(component).into_iter().filter(|misfit| misfit.table == fit::SETTINGS);
    let (refused, told): (Vec<_>, Vec<_>) = misfits.partition(|misfit| misfit.is_refused);
    if !refused.is_empty() {
        let detail = "the Thing's settings do not fit the Thing Model".to_owned();
        return Err(InteractionError::InvalidInput {
            detail,
            errors: refused.iter().map(Misfit::field_error).collect(),
        });
    }
    for misfit in &told {
        tracing::warn!(thing = template.thing(), hint = misfit.hint, "{}", misfit.sentence());
    }
    Ok(told.into_iter().map(|misfit| misfit.key).collect())
}

/// Why bytes are no version of this Thing's handler.
pub(super) fn refused(error: HandlerError) -> InteractionError {
    match error {
        HandlerError::Denied { .. } => {
            InteractionError::Forbidden { detail: format!("the component was refused: {error}") }
        }
        HandlerError::Host { .. } | HandlerError::Overloaded => InteractionError::Handler(error),
        other => InteractionError::invalid(format!("the component was refused: {other}")),
    }
}

/// Why a version did not pass its rehearsal.
pub(super) fn refused_in_rehearsal(error: HandlerError) -> InteractionError {
    match error {
        HandlerError::Host { .. } | HandlerError::Overloaded => InteractionError::Handler(error),
        other => InteractionError::invalid(format!("the component was refused in its rehearsal: {other}")),
    }
}
