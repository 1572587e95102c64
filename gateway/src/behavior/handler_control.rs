//! The Thing that the handler of a Thing is: how it stands, what it may do, and the actions `replace` and `rollback`.
//!
//! Management is WoT too: a consumer finds this Thing by the link `controlledBy` and needs nothing but its TD. What a
//! replacement does is in [`crate::replacement`].

use std::sync::Arc;

use handler_host::Value;
use serde_json::json;

use super::handler::status::HandlerStatus;
use crate::exposed_thing::outlet::Answer;
use crate::interaction::{AffordanceKind, Context, InteractionError};
use crate::replacement::{Approval, Replaced, Replacement};
use crate::store::HandlerVersion;
use crate::utc::{Rfc3339, from_unix_ms};

/// A handler as a Thing.
#[derive(Debug)]
pub(crate) struct HandlerControl {
    status: Arc<HandlerStatus>,
    replacement: Arc<Replacement>,
}

impl HandlerControl {
    pub(crate) fn new(status: Arc<HandlerStatus>, replacement: Arc<Replacement>) -> Self {
        Self { status, replacement }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Answer, InteractionError> {
        let shown = self.status.with(|shown| shown.clone());
        let component = shown.component.as_ref();
        match name {
            "status" => Answer::json(&self.status.standing()),
            "version" => Ok(Answer::now(Value::Integer(i64::try_from(shown.version).unwrap_or(i64::MAX)))),
            "digest" => match component {
                Some(component) => Ok(Answer::now(Value::Text(component.digest().to_string()))),
                None => Err(nothing_yet()),
            },
            "versions" => Answer::json(&self.versions()),
            "imports" => Answer::json(&component.map(|component| component.imports().to_vec()).unwrap_or_default()),
            "grants" => Answer::json(&self.replacement.grants(component)),
            "statistics" => Answer::json(&shown.statistics.summary()),
            "memory" => Ok(Answer::now(Value::Integer(i64::try_from(shown.memory_bytes).unwrap_or(i64::MAX)))),
            "log" => Answer::json(&shown.log),
            "faults" => Answer::json(&shown.faults),
            "refusals" => Answer::json(&shown.refusals),
            _ => Err(self.unknown(AffordanceKind::Property, name)),
        }
    }

    /// The kept versions, the one that serves first.
    fn versions(&self) -> Vec<serde_json::Value> {
        let Some(record) = self.replacement.record() else { return Vec::new() };
        let shown = |version: &HandlerVersion| {
            json!({
                "version": version.number,
                "digest": version.digest.to_string(),
                "installed": Rfc3339(from_unix_ms(version.installed_utc_ms)).to_string(),
                "origin": version.origin,
            })
        };
        let (current, mut others): (Vec<_>, Vec<_>) =
            record.versions.iter().partition(|version| Some(version.number) == record.version_current);
        others.reverse();
        current.into_iter().chain(others).map(shown).collect()
    }

    pub(crate) async fn invoke(
        &self,
        name: &str,
        input: Option<Value>,
        context: &Context,
    ) -> Result<Option<Value>, InteractionError> {
        let replacement = Arc::clone(&self.replacement);
        // In a task of its own: a client that goes away in the middle must not leave half a switch behind.
        let replacing = match (name, input) {
            ("replace", Some(Value::Binary(component))) => {
                let approval = Approval::from_variables(&context.uri_variables)?;
                tokio::spawn(async move { replacement.replace(component.bytes, approval).await })
            }
            ("replace", _) => {
                return Err(InteractionError::UnsupportedMediaType {
                    detail: "the action `replace` takes a component, as application/wasm".to_owned(),
                });
            }
            ("rollback", None) => tokio::spawn(async move { replacement.roll_back().await }),
            _ => return Err(self.unknown(AffordanceKind::Action, name)),
        };
        let stopped = |error: tokio::task::JoinError| InteractionError::Storage { detail: error.to_string() };
        let replaced = replacing.await.map_err(stopped)??;
        Ok(Some(Value::Json(report(&replaced).to_string())))
    }

    fn unknown(&self, kind: AffordanceKind, name: &str) -> InteractionError {
        InteractionError::UnknownAffordance { thing: self.replacement.thing().to_string(), kind, name: name.to_owned() }
    }
}

fn nothing_yet() -> InteractionError {
    InteractionError::Unavailable {
        detail: "no version of the handler has started yet".to_owned(),
        retry_after: std::time::Duration::from_secs(1),
    }
}

/// What a replacement answers: which version serves now, and how long each step took, in milliseconds.
fn report(replaced: &Replaced) -> serde_json::Value {
    let ms = |duration: std::time::Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    json!({
        "version": replaced.number,
        "digest": replaced.digest.to_string(),
        "timings": {
            "load": ms(replaced.load),
            "rehearsal": ms(replaced.rehearsal),
            "commit": ms(replaced.commit),
            "pause": ms(replaced.pause),
            "total": ms(replaced.total),
        },
    })
}
