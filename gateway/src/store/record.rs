//! The record of one Thing: all that the gateway remembers about it besides its state.
//!
//! One JSON value per Thing, written whole. Versions are numbered from 1 and never renumbered; at most
//! [`VERSIONS_MAX`] are kept, and never is the current one or the one before a running canary dropped.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::configured::Configured;
use crate::config::Canary;
use crate::names::{ComponentDigest, ThingId, ThingName};
use crate::utc::unix_ms;

/// For how long a new version may be without a reading, where the one before had some: as long as those were good, but no
/// longer than this.
const SILENT_MAX: Duration = Duration::from_secs(3_600);
/// Handler versions that are kept per Thing.
pub const VERSIONS_MAX: usize = 5;

/// Whether a Thing is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is served.
    Present,
    /// Its file is gone: not served, everything kept.
    Off,
    /// Deleted through the API: not served, state gone, until its file changes.
    Deleted,
}

/// Where a version's bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionOrigin {
    /// The handlers folder.
    Folder,
    /// The action `replace`.
    Pushed,
}

/// One installed version of a Thing's handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerVersion {
    /// From 1, counting up, never given twice for one Thing.
    pub number: u64,
    /// The component's bytes lie under this digest.
    pub digest: ComponentDigest,
    /// Where it came from.
    pub origin: VersionOrigin,
    /// When it was installed: milliseconds since 1970-01-01 UTC.
    pub installed_utc_ms: u64,
    /// It was rolled back because of its faults: no rollback by hand goes back to it.
    #[serde(default)]
    pub failed: bool,
}

/// A new version on probation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRecord {
    /// It has passed after this time: milliseconds since 1970-01-01 UTC.
    pub deadline_utc_ms: u64,
    /// It has passed after so many more calls.
    pub calls_left: u32,
    /// Number of the version that comes back when it fails.
    pub previous: u64,
    /// The properties of which that one had good readings.
    #[serde(default)]
    pub answered: Vec<String>,
    /// How long these were good: the new version has readings too by then.
    #[serde(default)]
    pub answers_within_ms: u64,
}

impl CanaryRecord {
    /// A probation that begins `now`.
    pub fn begun(canary: &Canary, previous: u64, now: SystemTime) -> Self {
        let deadline_utc_ms = unix_ms(now) + u64::from(canary.seconds) * 1_000;
        Self { deadline_utc_ms, calls_left: canary.calls, previous, answered: Vec::new(), answers_within_ms: 0 }
    }

    /// The readings of the previous version that are good at `now`, and until when.
    #[must_use]
    pub fn after(self, good: &[(Arc<str>, Instant)], now: Instant) -> Self {
        let within = good.iter().map(|(_, until)| until.saturating_duration_since(now)).max().unwrap_or_default();
        let answers_within_ms = u64::try_from(within.min(SILENT_MAX).as_millis()).unwrap_or(u64::MAX);
        Self { answered: good.iter().map(|(name, _)| name.to_string()).collect(), answers_within_ms, ..self }
    }

    /// The same probation from its beginning.
    #[must_use]
    pub fn anew(self, canary: &Canary, now: SystemTime) -> Self {
        let Self { previous, answered, answers_within_ms, .. } = self;
        Self { answered, answers_within_ms, ..Self::begun(canary, previous, now) }
    }
}

/// One Thing as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThingRecord {
    /// Key of the record.
    pub name: ThingName,
    /// The Thing's id, minted once.
    pub id: ThingId,
    /// The id of its handler's own TD, minted once.
    pub handler_id: ThingId,
    /// Whether it is served.
    pub presence: Presence,
    /// Counts the changes of owner; a node with a lower epoch is no owner any more.
    pub owner_epoch: u64,
    /// The node that owns it now, after a move.
    pub moved_to: Option<String>,
    /// The declaration as TOML text.
    pub declaration: String,
    /// Hash of the file that was imported last; `None` for a Thing made through the API.
    pub declaration_hash: Option<String>,
    /// The file's settings, key by key, as imported last.
    pub settings_seen: Map<String, Value>,
    /// The file's grants, label by label, as imported last.
    #[serde(default)]
    pub grants_seen: Map<String, Value>,
    /// What was configured through the API, over what the file says.
    #[serde(default)]
    pub configured: Configured,
    /// Digest of the handlers folder's component, as seen last.
    pub folder_digest_seen: Option<ComponentDigest>,
    /// Oldest first.
    pub versions: Vec<HandlerVersion>,
    /// Number of the version that serves; `None` before the first.
    pub version_current: Option<u64>,
    /// Number that the next version gets.
    pub version_next: u64,
    /// Present while the current version is on probation.
    pub canary: Option<CanaryRecord>,
}

impl ThingRecord {
    /// A Thing without a handler yet, with new ids.
    pub fn new(name: ThingName) -> Self {
        Self {
            name,
            id: ThingId::mint(),
            handler_id: ThingId::mint(),
            presence: Presence::Present,
            owner_epoch: 1,
            moved_to: None,
            declaration: String::new(),
            declaration_hash: None,
            settings_seen: Map::new(),
            grants_seen: Map::new(),
            configured: Configured::default(),
            folder_digest_seen: None,
            versions: Vec::new(),
            version_current: None,
            version_next: 1,
            canary: None,
        }
    }

    /// Whether this gateway serves the Thing.
    pub fn is_served(&self) -> bool {
        self.presence == Presence::Present && self.moved_to.is_none()
    }

    /// A kept version by its number.
    pub fn version(&self, number: u64) -> Option<&HandlerVersion> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version that serves.
    pub fn current(&self) -> Option<&HandlerVersion> {
        self.version(self.version_current?)
    }

    /// Adds a version, makes it the current one and returns its number; drops the oldest over [`VERSIONS_MAX`].
    pub fn install(&mut self, digest: ComponentDigest, origin: VersionOrigin, now_utc_ms: u64) -> u64 {
        let number = self.version_next;
        self.version_next += 1;
        self.versions.push(HandlerVersion { number, digest, origin, installed_utc_ms: now_utc_ms, failed: false });
        self.version_current = Some(number);
        let canary = self.canary.as_ref().map(|canary| canary.previous);
        while self.versions.len() > VERSIONS_MAX {
            let droppable = |version: &HandlerVersion| version.number != number && Some(version.number) != canary;
            let Some(oldest) = self.versions.iter().position(droppable) else { break };
            self.versions.remove(oldest);
        }
        number
    }

    /// The version to which a rollback by hand goes: the newest before the present one that has not failed.
    pub fn before(&self) -> Option<&HandlerVersion> {
        let current = self.version_current?;
        self.versions.iter().filter(|version| version.number < current && !version.failed).max_by_key(|v| v.number)
    }

    /// The version `failed` did not prove itself: `number` serves again.
    pub fn take_back(&mut self, failed: u64, number: u64) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.number == failed) {
            version.failed = true;
        }
        self.switch_to(number);
    }

    /// Makes a kept version the current one and ends the canary; false when it is not kept.
    pub fn switch_to(&mut self, number: u64) -> bool {
        let kept = self.version(number).is_some();
        if kept {
            self.version_current = Some(number);
            self.canary = None;
        }
        kept
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Only strings, numbers and JSON values: serializing to memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ThingRecord {
        ThingRecord::new("lamp".parse().unwrap())
    }

    #[test]
    fn five_versions_are_kept_and_numbers_never_come_back() {
        let mut record = record();
        for n in 1..=7_u64 {
            assert_eq!(record.install(ComponentDigest::of(&n.to_le_bytes()), VersionOrigin::Pushed, n), n);
        }
        assert_eq!(record.versions.iter().map(|v| v.number).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!(record.current().unwrap().number, 7);
        assert!(record.switch_to(4) && !record.switch_to(1));
        assert_eq!(record.install(ComponentDigest::of(b"8"), VersionOrigin::Folder, 8), 8);
    }

    #[test]
    fn the_version_before_a_canary_is_never_dropped() {
        let mut record = record();
        record.install(ComponentDigest::of(b"old"), VersionOrigin::Folder, 0);
        record.canary = Some(CanaryRecord::begun(&Canary::default(), 1, SystemTime::UNIX_EPOCH));
        for n in 0..10_u64 {
            record.install(ComponentDigest::of(&n.to_le_bytes()), VersionOrigin::Pushed, n);
        }
        assert!(record.version(1).is_some());
        assert_eq!(record.versions.len(), VERSIONS_MAX);
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let mut record = record();
        record.settings_seen.insert("samplingInterval".into(), 1000.into());
        record.install(ComponentDigest::of(b"x"), VersionOrigin::Folder, 5);
        assert_eq!(serde_json::from_slice::<ThingRecord>(&record.to_bytes()).unwrap(), record);
    }

    #[test]
    fn a_probation_that_begins_anew_knows_what_was_answered_before() {
        let (now, canary) = (Instant::now(), Canary { seconds: 60, calls: 7 });
        let good =
            [(Arc::from("a"), now + Duration::from_secs(9)), (Arc::from("b"), now + Duration::from_secs(90_000))];
        let begun = CanaryRecord::begun(&canary, 3, SystemTime::UNIX_EPOCH).after(&good, now);
        assert_eq!(
            (begun.answered.as_slice(), begun.answers_within_ms),
            (&["a".to_owned(), "b".to_owned()][..], 3_600_000)
        );
        let anew = CanaryRecord { calls_left: 1, ..begun.clone() }.anew(&canary, SystemTime::UNIX_EPOCH);
        assert_eq!(anew, begun);
        let older = r#"{"deadline_utc_ms":1,"calls_left":2,"previous":3}"#;
        assert!(serde_json::from_str::<CanaryRecord>(older).unwrap().answered.is_empty());
    }
}
