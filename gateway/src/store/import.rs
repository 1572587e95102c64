//! What becomes of a Thing's record when its file, or the handlers folder, is looked at: rules without a disk.
//!
//! A file is imported when its hash changes. What was done through the API stands until the file says something new:
//! a written setting or a configured grant until the file's value for that key changes, a deletion until the file changes, a pushed handler
//! until the folder's component changes. A Thing that has moved away is left alone. Idempotent: importing the same file
//! twice changes nothing the second time.

use serde_json::{Map, Value};

use super::{
    batch::Batch,
    configured::Configured,
    record::{Presence, ThingRecord},
};
use crate::{config::Declaration, names::ComponentDigest};

/// What an import did, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportChange {
    /// Nothing new.
    Unchanged,
    /// A new Thing.
    Created,
    /// The file has changed.
    Changed,
    /// The file is back.
    Returned,
    /// The file has changed after the Thing had been deleted through the API: a new Thing under the old name.
    Recreated,
    /// The file is gone.
    TurnedOff,
    /// The Thing has moved to another node; the file is not looked at.
    StaysAway,
    /// Deleted through the API, and the file is still the same.
    StaysDeleted,
}

/// The outcome of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The record as it is now.
    pub record: ThingRecord,
    /// What was done.
    pub change: ImportChange,
    /// Names of settings whose file value has changed: what was written for them no longer counts.
    pub settings_forgotten: Vec<String>,
}

impl Import {
    fn plain(record: ThingRecord, change: ImportChange) -> Self {
        Self { record, change, settings_forgotten: Vec::new() }
    }

    /// What must be written for it; empty when nothing changed.
    pub fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        if !matches!(self.change, ImportChange::Unchanged | ImportChange::StaysAway | ImportChange::StaysDeleted) {
            batch.put_record(&self.record);
        }
        for name in &self.settings_forgotten {
            batch.put_state(&self.record.name, &settings_key(name), None);
        }
        if self.change == ImportChange::Recreated {
            batch.clear_state(&self.record.name);
        }
        batch
    }
}

/// The state key under which a handler keeps a setting (`handlers/wit/thing.wit`, `settings`).
pub fn settings_key(name: &str) -> String {
    format!("settings/{name}")
}

/// The file of a Thing is there.
pub fn import_declared(record: Option<&ThingRecord>, declaration: &Declaration) -> Import {
    let Some(old) = record else {
        return Import::plain(
            take_over(ThingRecord::new(declaration.name.clone()), declaration),
            ImportChange::Created,
        );
    };
    let same = old.declaration_hash.as_ref() == Some(&declaration.hash);
    match (old.presence, same) {
        _ if old.moved_to.is_some() => Import::plain(old.clone(), ImportChange::StaysAway),
        (Presence::Present, true) => Import::plain(old.clone(), ImportChange::Unchanged),
        (Presence::Deleted, true) => Import::plain(old.clone(), ImportChange::StaysDeleted),
        (Presence::Deleted, false) => {
            // New ids: the old Thing is gone. A higher epoch: nobody can bring it back from elsewhere.
            let mut new = ThingRecord::new(declaration.name.clone());
            new.owner_epoch = old.owner_epoch + 1;
            Import::plain(take_over(new, declaration), ImportChange::Recreated)
        }
        (Presence::Off, true) => {
            let record = ThingRecord { presence: Presence::Present, ..old.clone() };
            Import::plain(record, ImportChange::Returned)
        }
        (Presence::Present | Presence::Off, false) => Import {
            settings_forgotten: changed_settings(&old.settings_seen, &declaration.settings),
            record: take_over(old.clone(), declaration),
            change: if old.presence == Presence::Off { ImportChange::Returned } else { ImportChange::Changed },
        },
    }
}

/// No file declares the Thing (any more).
pub fn import_undeclared(record: &ThingRecord) -> Import {
    if record.moved_to.is_some() {
        Import::plain(record.clone(), ImportChange::StaysAway)
    } else if record.presence == Presence::Present && record.declaration_hash.is_some() {
        let record = ThingRecord { presence: Presence::Off, ..record.clone() };
        Import::plain(record, ImportChange::TurnedOff)
    } else {
        Import::plain(record.clone(), ImportChange::Unchanged)
    }
}

fn take_over(record: ThingRecord, declaration: &Declaration) -> ThingRecord {
    let now = Configured::of_file(declaration);
    let seen = Configured { grants: record.grants_seen, settings: record.settings_seen };
    let mut configured = record.configured;
    configured.forget_changed(&now, &seen);
    ThingRecord {
        presence: Presence::Present,
        declaration: declaration.source.clone(),
        declaration_hash: Some(declaration.hash.clone()),
        settings_seen: now.settings,
        grants_seen: now.grants,
        configured,
        ..record
    }
}

/// Keys that the file sets to something else than it did. A key that the file no longer mentions is no new opinion:
/// what was written for it stays.
fn changed_settings(seen: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    now.iter().filter(|(key, value)| seen.get(*key) != Some(value)).map(|(key, _)| key.clone()).collect()
}

/// What the handlers folder means for a Thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderChoice {
    /// The current version stays; nothing to record.
    Keep,
    /// The current version stays, but the folder's digest is to be recorded as seen.
    Note,
    /// The folder's component becomes a new version.
    Install,
    /// There is neither a version nor a component in the folder: the Thing has no handler.
    Missing,
}

/// Chooses between the current version and the component `folder` that the handlers folder holds now. A pushed handler
/// wins until the folder's digest changes.
pub fn choose_folder(record: &ThingRecord, folder: Option<&ComponentDigest>) -> FolderChoice {
    match (record.current(), folder) {
        (None, None) => FolderChoice::Missing,
        (Some(_), None) => FolderChoice::Keep,
        (None, Some(_)) => FolderChoice::Install,
        (Some(_), Some(digest)) if record.folder_digest_seen.as_ref() == Some(digest) => FolderChoice::Keep,
        // What was pushed first and put into the folder later is one and the same version.
        (Some(current), Some(digest)) if current.digest == *digest => FolderChoice::Note,
        (Some(_), Some(_)) => FolderChoice::Install,
    }
}

#[cfg(test)]
mod tests;
