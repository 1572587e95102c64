//! Going over to another version, watching its first calls, and going back by itself.
//!
//! Invariants: no read and no write fails by a replacement, because it happens between two messages and the previous
//! version answers a read that costs the new one its life. Going back brings the state from before the switch, with what
//! property writes have set since; the store kept it from the moment at which the switch was committed.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use handler_host::{Call, HandlerInstance, Origin};
use things::Slot;

use super::call::Cause;
use super::request::{CutOver, Next, Reconfigured};
use super::status::HandlerState;
use super::task::Task;
use super::version::Version;
use crate::crash_point::CrashPoint;
use crate::exposed_thing::outlet::Answer;
use crate::interaction::InteractionError;
use crate::store::{Batch, CanaryRecord};
use crate::utc::unix_ms;

/// Faults that end a canary.
const FAULTS_MAX: u32 = 3;
/// How long what a version has published may stand for what the next one reads: a sampling interval or two.
const OUTLIVES_MAX: Duration = Duration::from_secs(10);
/// When the end of a canary is tried again that could not be kept.
const AGAIN: Duration = Duration::from_secs(10);
/// After how many more calls a version that still is without a reading is looked at again.
const CALLS_AGAIN: u32 = 20;

/// A new version whose calls are watched, and the previous one, suspended: no wakes, no devices but for a read that it
/// answers in the new one's place.
#[derive(Debug)]
pub(crate) struct Canary {
    pub(super) until: Instant,
    pub(super) calls_left: u32,
    pub(super) faults: u32,
    pub(super) previous: Version,
    pub(super) previous_instance: Option<HandlerInstance>,
    /// The properties of which the previous version had good readings.
    pub(super) answered: Vec<Arc<str>>,
    /// By when the new version has readings too.
    pub(super) answers_by: Instant,
}

impl Canary {
    /// A canary as the store has it: begun just now, or before a restart.
    pub(crate) fn resume(kept: &CanaryRecord, previous: Version) -> Self {
        let left = kept.deadline_utc_ms.saturating_sub(unix_ms(SystemTime::now()));
        let now = Instant::now();
        Self {
            until: now + Duration::from_millis(left),
            calls_left: kept.calls_left,
            faults: 0,
            previous,
            previous_instance: None,
            answered: kept.answered.iter().map(|name| Arc::from(name.as_str())).collect(),
            answers_by: now + Duration::from_millis(kept.answers_within_ms),
        }
    }
}

impl Task {
    /// From one version to the next, between two messages.
    pub(super) async fn cut_over(&mut self, next: Next) -> Result<CutOver, InteractionError> {
        let begun = Instant::now();
        self.switching = None;
        // Before the new version starts, so that what it drives then is not undone.
        if self.end_running_actions(true) {
            self.fail_safe().await;
        }
        let before_instance = self.instance.take();
        let before = std::mem::replace(&mut self.version, next.version);
        self.record = next.record;
        (self.failed_starts, self.paused_until, self.up_since) = (0, None, None);
        self.outlet.published.outlives(begun + OUTLIVES_MAX);
        if let Some(description) = next.description {
            self.outlet.describe(description);
        }
        // What a canary goes back to: the version before, or, configured anew too, the one that it went back to before.
        let ended = self.canary.take();
        let (back_to, leaves) = match next.configured {
            None => (Some((before, before_instance)), ended),
            Some(Reconfigured { slots, previous }) => {
                self.outlet.mark_simulated(slots.iter().any(Slot::is_simulated));
                self.slots = slots;
                // With the last of their slots: before the new version uses the same devices in another way.
                drop((before, before_instance, ended));
                (previous.map(|previous| (previous, None)), None)
            }
        };
        let canary = self.record.canary.as_ref().zip(back_to);
        self.canary = canary.map(|(kept, (previous, previous_instance))| Canary {
            previous_instance,
            ..Canary::resume(kept, previous)
        });
        let number = self.version.number;
        CrashPoint::CutOverBegun.pass();
        self.start(Origin::Swapped).await;
        if self.version.number != number {
            let detail = format!("version {number} was rolled back at once: {}", self.last_failure);
            return Err(InteractionError::Conflict { detail });
        }
        let pause = begun.elapsed();
        // Its code and memory are given back beside what the Thing does.
        drop(tokio::task::spawn_blocking(move || drop(leaves)));
        Ok(CutOver { pause })
    }

    /// The previous version's answer to a read that the new one did not survive.
    pub(super) async fn read_from_previous(&mut self, name: &Arc<str>, call: Call) -> Option<Answer> {
        let canary = self.canary.as_mut()?;
        let instance = match canary.previous_instance.take() {
            Some(instance) => instance,
            // After a restart or a new configuration in the middle of a canary the previous version has no instance yet.
            None => canary.previous.start(self.store.state(self.outlet.name()), Origin::Recovered).await.instance?,
        };
        let answer = instance.read_property(name, call).await;
        canary.previous_instance = answer.instance;
        tracing::info!(thing = %self.outlet.name(), name = &**name, "the previous version answered a read once more");
        answer.result.ok().map(|reading| self.answer(reading))
    }

    /// After each call of a consumer: enough of them end a canary, enough faults end it badly.
    pub(super) async fn watch_canary(&mut self) {
        let Some(canary) = self.canary.as_mut().filter(|_| self.switching.is_none()) else { return };
        if canary.faults >= FAULTS_MAX {
            let reason = format!("{FAULTS_MAX} faults: {}", self.last_failure);
            return self.roll_back(&reason).await;
        }
        canary.calls_left = canary.calls_left.saturating_sub(1);
        if canary.calls_left == 0 {
            self.conclude_canary().await;
        }
    }

    /// Neither calls nor time are left. A version that has no reading at all where the one before had some is as bad as one
    /// that traps, once they would have lapsed.
    pub(super) async fn conclude_canary(&mut self) {
        let number = self.version.number;
        let silent = self.silent().await;
        if self.version.number != number {
            return;
        }
        let Some(canary) = self.canary.as_mut() else { return };
        let Some(reason) = silent else { return self.end_canary().await };
        canary.until = canary.until.max(canary.answers_by);
        if Instant::now() < canary.until {
            canary.calls_left = canary.calls_left.max(CALLS_AGAIN);
            return;
        }
        self.roll_back(&reason).await;
    }

    /// That the new version answers none of what the previous one answered, in its own words.
    async fn silent(&mut self) -> Option<String> {
        let description = self.outlet.description();
        let readable = |name: &Arc<str>| description.kind.properties.get(name).is_some_and(|it| it.readable);
        let mut names = self.canary.as_ref()?.answered.clone();
        names.retain(readable);
        names.sort();
        if names.is_empty() || self.read_back.has_published(&names) {
            return None;
        }
        let mut said = "it does not run".to_owned();
        for name in &names {
            let call = Call::gateway(self.version.budgets.read_ms);
            match self.call(Cause::Other, |instance| instance.read_property(name, call)).await {
                Ok(_) => return None,
                Err(error) => said = error.to_string(),
            }
        }
        let names = names.join(", ");
        Some(format!("it has no reading of {names}, which the version before had: {said}"))
    }

    /// The new version has proved itself. Until that is on disk the canary goes on.
    pub(super) async fn end_canary(&mut self) {
        let mut record = self.record.clone();
        record.canary = None;
        let mut batch = Batch::new();
        batch.put_record(&record).forget_state_before(self.outlet.name());
        if let Err(error) = self.store.commit(batch).await {
            tracing::error!(thing = %self.outlet.name(), %error, "the end of a canary could not be kept; tried again later");
            if let Some(canary) = &mut self.canary {
                (canary.calls_left, canary.until) = (canary.calls_left.max(1), Instant::now() + AGAIN);
            }
            return;
        }
        CrashPoint::CanaryProved.pass();
        self.record = record;
        self.canary = None;
        if self.status.state() == HandlerState::Canary {
            self.stands(HandlerState::Running);
        }
        tracing::info!(thing = %self.outlet.name(), version = self.version.number, "the new version has proved itself");
    }

    /// Back to the previous version, with the state from before the switch and the settings written since.
    pub(super) async fn roll_back(&mut self, reason: &str) {
        let Some(canary) = self.canary.take() else { return };
        let failed = self.version.number;
        tracing::warn!(thing = %self.outlet.name(), version = failed, to = canary.previous.number, reason, "rolled back");
        self.instance = None;
        reason.clone_into(&mut self.last_failure);
        let ended = self.end_running_actions(true);
        let failed_digest = self.version.component.digest().to_string();
        let describes_alike = self.version.component.digest() == canary.previous.component.digest();
        self.version = canary.previous;
        self.outlet.published.outlives(Instant::now() + OUTLIVES_MAX);
        self.record.take_back(failed, self.version.number);
        let mut batch = Batch::new();
        batch.restore_state_before(self.outlet.name()).forget_state_before(self.outlet.name()).put_record(&self.record);
        if let Err(error) = self.store.commit(batch).await {
            // A restart would begin the canary of the failed version again, and end it as this one ended.
            tracing::error!(thing = %self.outlet.name(), %error, "a rollback could not be kept");
        }
        CrashPoint::CanaryRolledBack.pass();
        if !describes_alike {
            self.describe();
        }
        if ended {
            self.fail_safe().await;
        }
        let data = serde_json::json!({
            "from": failed_digest,
            "to": self.version.component.digest().to_string(),
            "version": self.version.number,
            "reason": reason,
            "automatic": true,
        });
        self.tell_control("rolledBack", &data);
        // Boxed: a start may roll back, and a rollback starts.
        Box::pin(self.start(Origin::Swapped)).await;
    }

    /// The description of the version that serves.
    pub(super) fn describe(&self) {
        let now = self.outlet.description();
        match self.version.describe(now.revision + 1) {
            Ok(mut description) => {
                description.created = now.created;
                self.outlet.describe(description);
            }
            Err(error) => {
                tracing::error!(thing = %self.outlet.name(), %error, "the previous version's model is no longer valid");
            }
        }
    }
}
