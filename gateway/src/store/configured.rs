//! Grants and settings that a Thing got through the API, over what its file says.
//!
//! Each stands until the file gives the same label or key another value than it did: then a person has said something
//! newer there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thing_descriptions::FieldError;
use things::Grant;

use crate::config::{Declaration, GRANTS_MAX, SETTINGS_BYTES_MAX};

/// Longest label of a grant and longest key of a setting, in bytes.
const KEY_BYTES_MAX: usize = 64;

/// What was configured, key by key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Configured {
    /// Grants by label, in the words of `[grants.LABEL]`.
    #[serde(default)]
    pub grants: Map<String, Value>,
    /// Settings by key.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

impl Configured {
    /// With what `patch` says: a value takes the place of what was there, null gives the word back to the file.
    #[must_use]
    pub fn patched(&self, patch: &Self) -> Self {
        let mut next = self.clone();
        merge(&mut next.grants, &patch.grants);
        merge(&mut next.settings, &patch.settings);
        next
    }

    /// Forgets what the file says otherwise than it did when it was `seen`.
    pub(super) fn forget_changed(&mut self, now: &Self, seen: &Self) {
        self.grants.retain(|label, _| !changed(&seen.grants, &now.grants, label));
        self.settings.retain(|key, _| !changed(&seen.settings, &now.settings, key));
    }

    /// What the file says, in the same form.
    pub(super) fn of_file(declaration: &Declaration) -> Self {
        let grant = |(label, grant): (&String, &Grant)| {
            // Only strings, numbers and lists: this cannot fail.
            (label.clone(), serde_json::to_value(grant).unwrap_or_default())
        };
        Self { grants: declaration.grants.iter().map(grant).collect(), settings: declaration.settings.clone() }
    }

    /// The declaration as it holds for the Thing.
    ///
    /// # Errors
    /// One for each grant that is none, with a JSON Pointer from here, and for what is too much.
    pub fn applied_to(&self, declaration: &Declaration) -> Result<Declaration, Vec<FieldError>> {
        let mut effective = declaration.clone();
        let mut errors = Vec::new();
        for (label, value) in &self.grants {
            match grant(label, value) {
                Ok(grant) => drop(effective.grants.insert(label.clone(), grant)),
                Err(what) => errors.push(error(&format!("/grants/{}", pointer(label)), what)),
            }
        }
        for (key, value) in &self.settings {
            if key.len() > KEY_BYTES_MAX {
                errors.push(error("/settings", format!("a key has more than {KEY_BYTES_MAX} bytes")));
            }
            effective.settings.insert(key.clone(), value.clone());
        }
        if effective.grants.len() > GRANTS_MAX {
            errors.push(error("/grants", format!("a Thing may have at most {GRANTS_MAX} grants")));
        }
        let bytes = Value::Object(effective.settings.clone()).to_string().len();
        if bytes > SETTINGS_BYTES_MAX {
            let what = format!("all settings are {bytes} bytes as JSON: at most {SETTINGS_BYTES_MAX} are allowed");
            errors.push(error("/settings", what));
        }
        if errors.is_empty() { Ok(effective) } else { Err(errors) }
    }
}

fn merge(values: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            values.remove(key);
        } else {
            values.insert(key.clone(), value.clone());
        }
    }
}

/// A key that the file no longer mentions is no new opinion.
fn changed(seen: &Map<String, Value>, now: &Map<String, Value>, key: &str) -> bool {
    now.get(key).is_some_and(|now| seen.get(key) != Some(now))
}

fn grant(label: &str, value: &Value) -> Result<Grant, String> {
    if label.is_empty() || label.len() > KEY_BYTES_MAX {
        return Err(format!("a label has 1 to {KEY_BYTES_MAX} bytes"));
    }
    let grant: Grant = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    grant.check().map(|()| grant)
}

fn error(field: &str, description: String) -> FieldError {
    FieldError { field: field.to_owned(), description }
}

/// A key as a segment of a JSON Pointer (RFC 6901, section 3).
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
