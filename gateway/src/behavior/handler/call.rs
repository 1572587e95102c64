//! One call into the handler: what every call has in common, whatever it asks.
//!
//! The instance goes in by value and comes back with the answer; if it doesn't come back it is lost, which is noted with
//! the handler's last words, and the Thing's task makes another one.

use std::future::Future;
use std::time::{Duration, SystemTime};

use handler_host::{Answer as Answered, Effect, Fault, HandlerError, HandlerInstance, Signal};
use tokio::time::Instant;

use super::task::Task;
use crate::interaction::InteractionError;
use crate::store::StoreError;
use crate::utc::Rfc3339;

/// When who got `busy` or `unavailable` may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The shortest time between two wakes.
const WAKE_MIN: Duration = Duration::from_millis(1);

/// For whom state changes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A consumer wrote a property: an automatic rollback keeps it.
    Write,
    /// Anything else.
    Other,
}

impl Task {
    /// Calls the instance; what it changed is on disk, and what it published is out, when this returns.
    pub(super) async fn call<T, F>(
        &mut self,
        cause: Cause,
        call: impl FnOnce(HandlerInstance) -> F,
    ) -> Result<T, InteractionError>
    where
        F: Future<Output = Answered<T>>,
    {
        let Some(instance) = self.instance.take() else { return Err(self.without_instance()) };
        let answer = call(instance).await;
        let (result, effects) = self.settle(answer);
        self.carry_out(effects, cause).await?;
        self.conclude(result).await
    }

    /// Takes back the instance and counts the call.
    pub(super) fn settle<T>(&mut self, answer: Answered<T>) -> (Result<T, HandlerError>, Vec<Effect>) {
        let Answered { instance, result, effects, report, .. } = answer;
        self.instance = instance;
        let fault = result.as_ref().err().is_some_and(|error| fault_kind(error).is_some());
        let memory_bytes = self.instance.as_ref().map_or(0, HandlerInstance::memory_bytes);
        self.status.count(&report, fault, memory_bytes);
        (result, effects)
    }

    /// State changes first, and only when they are on disk what the world sees of the call.
    ///
    /// # Errors
    /// `Storage`: nothing of the call has happened. The instance, whose memory says otherwise, is given up for one over
    /// the state as it is on disk.
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>, cause: Cause) -> Result<(), InteractionError> {
        if effects.is_empty() {
            return Ok(());
        }
        // Boxed, like all that a plain read does not need: its future is allocated for each read, and the allocator keeps
        // small pieces at hand.
        Box::pin(self.carry_out_some(effects, cause)).await
    }

    async fn carry_out_some(&mut self, effects: Vec<Effect>, cause: Cause) -> Result<(), InteractionError> {
        let (state, outward) = effects.into_iter().partition(|effect| matches!(effect, Effect::State { .. }));
        let batch = self.batch_of(state, cause);
        if !batch.is_empty()
            && let Err(error) = self.store.commit(batch).await
        {
            if matches!(error, StoreError::Storage { .. }) {
                self.withdraw(&error.reason()).await;
            } else {
                self.lost("storage", &error.reason()).await;
            }
            return Err(error.into());
        }
        self.publish_all(outward);
        Ok(())
    }

    /// The disk refuses what the instance's memory says already. That is no fault of the handler's, and said by the store:
    /// another instance takes its place, over the state as it is on disk.
    async fn withdraw(&mut self, reason: &str) {
        tracing::debug!(thing = %self.outlet.name(), reason, "an instance is ahead of the disk and is given up");
        self.instance = None;
        self.disk_refused = true;
        self.lost_at.get_or_insert_with(std::time::Instant::now);
        reason.clone_into(&mut self.last_failure);
        if self.end_running_actions(false) {
            self.fail_safe().await;
        }
    }

    /// The answer in the words of an interaction; an instance that did not survive is mourned first.
    pub(super) async fn conclude<T>(&mut self, result: Result<T, HandlerError>) -> Result<T, InteractionError> {
        if let Err(error) = &result
            && let Some(kind) = fault_kind(error)
        {
            Box::pin(self.lost(kind, &error.to_string())).await;
        }
        result.map_err(in_words)
    }

    /// The instance is lost: running actions end, their lines go to their fail-safe level, the next start recovers.
    pub(super) async fn lost(&mut self, kind: &'static str, detail: &str) {
        self.instance = None;
        self.lost_at.get_or_insert_with(std::time::Instant::now);
        let version = self.version.number;
        if self.may_write(detail.len()) {
            tracing::warn!(thing = %self.outlet.name(), version, kind, detail, "the handler was lost");
        }
        detail.clone_into(&mut self.last_failure);
        self.status.fault(kind, detail, version);
        let time = Rfc3339(SystemTime::now()).to_string();
        let fault = serde_json::json!({ "time": time, "kind": kind, "detail": detail, "version": version });
        self.tell_control("fault", &fault);
        if self.end_running_actions(false) {
            self.fail_safe().await;
        }
        if let Some(canary) = &mut self.canary {
            canary.faults += 1;
        }
    }

    /// Ends what runs in the instance; answers whether there was any. What waits in the queue is left to the next one.
    pub(super) fn end_running_actions(&self, replaced: bool) -> bool {
        let running = self.outlet.actions.running_ones();
        for id in &running {
            let error = if replaced {
                InteractionError::HandlerReplaced
            } else {
                let lost = Fault::Failed("the handler was lost while this action ran".to_owned());
                InteractionError::Handler(HandlerError::Fault(lost))
            };
            self.outlet.actions.end(*id, Err(error), SystemTime::now());
        }
        !running.is_empty()
    }

    /// Emits an event of the handler's own Thing.
    pub(super) fn tell_control(&self, event: &str, data: &serde_json::Value) {
        if let Err(error) = self.control.emit(event, handler_host::Value::Json(data.to_string())) {
            tracing::error!(thing = %self.outlet.name(), event, %error, "an event of the handler's Thing was refused");
        }
    }

    /// Why nothing can be asked now.
    pub(super) fn without_instance(&self) -> InteractionError {
        let retry_after =
            self.paused_until.map_or(RETRY_AFTER, |until| until.saturating_duration_since(std::time::Instant::now()));
        InteractionError::Suspended {
            detail: format!("the handler does not stay up: {}", self.last_failure),
            retry_after: retry_after.max(RETRY_AFTER),
        }
    }

    /// Lets the handler go on with its timers, drivers and actions.
    pub(super) async fn wake(&mut self) {
        let now = std::time::Instant::now();
        self.next_wake = self.no_wake_before.take_if(|until| now < *until);
        if self.next_wake.is_some() {
            self.no_wake_before = self.next_wake;
            return;
        }
        self.no_wake_before = None;
        let Some(instance) = self.instance.take() else { return };
        let answer = instance.wake().await;
        let (result, effects) = self.settle(answer);
        let ended = super::effects::ends_an_action(&effects);
        let carried_out = self.carry_out(effects, Cause::Other).await;
        let next = match carried_out {
            Ok(()) => self.conclude(result).await,
            Err(error) => Err(error),
        };
        let now = Instant::now().into_std();
        match next {
            Ok(next) => {
                self.next_wake = next.map(|at| self.version.clock.instant_of(at).max(now + WAKE_MIN));
                if ended {
                    self.read_back_all().await;
                }
            }
            // Not begun, because the handler has used its processor time: its timers must not stop for ever.
            Err(InteractionError::Overloaded { retry_after, .. }) => self.next_wake = Some(now + retry_after),
            Err(error) => {
                tracing::debug!(thing = %self.outlet.name(), %error, "wake failed");
                self.next_wake = self.instance.is_some().then_some(now + RETRY_AFTER);
            }
        }
    }

    /// Hands a GPIO edge or another Thing's event to the handler.
    pub(super) async fn signal(&mut self, signal: Signal) {
        if self.instance.is_none() {
            return;
        }
        if let Err(error) = self.call(Cause::Other, |instance| instance.on_signal(signal)).await {
            tracing::debug!(thing = %self.outlet.name(), %error, "on-signal failed");
        }
        let lost = self.instance.is_none();
        self.after_change().await;
        if lost {
            self.does_not_stay_up().await;
        }
    }

    /// After what may have changed something: the handler goes on, and what it does not publish by itself is read back.
    pub(super) async fn after_change(&mut self) {
        if self.instance.is_none() {
            return;
        }
        self.wake().await;
        if self.instance.is_some() {
            self.read_back_all().await;
        } else {
            self.does_not_stay_up().await;
        }
    }
}

/// The word for a failure that costs the instance its life; `None` for an answer.
pub(super) fn fault_kind(error: &HandlerError) -> Option<&'static str> {
    match error {
        HandlerError::Trap { .. } => Some("trap"),
        HandlerError::Deadline { .. } => Some("deadline"),
        HandlerError::MemoryLimit { .. } => Some("memory"),
        HandlerError::Host { .. } => Some("host"),
        HandlerError::BadComponent { .. }
        | HandlerError::MissingExport { .. }
        | HandlerError::Denied { .. }
        | HandlerError::CpuBudget { .. }
        | HandlerError::Overloaded
        | HandlerError::StateVersion { .. }
        | HandlerError::Fault(_) => None,
    }
}

/// A handler's failure in the words of an interaction.
fn in_words(error: HandlerError) -> InteractionError {
    match error {
        HandlerError::Fault(fault) => of_fault(fault),
        HandlerError::CpuBudget { retry_ms } => InteractionError::Overloaded {
            detail: HandlerError::CpuBudget { retry_ms }.to_string(),
            retry_after: Duration::from_millis(u64::from(retry_ms)),
        },
        other => InteractionError::Handler(other),
    }
}

/// What a handler answers instead of a value.
pub(super) fn of_fault(fault: Fault) -> InteractionError {
    match fault {
        Fault::Invalid(detail) => InteractionError::invalid(detail),
        Fault::Busy => {
            InteractionError::Overloaded { detail: "the handler is busy".to_owned(), retry_after: RETRY_AFTER }
        }
        Fault::Unavailable(detail) => InteractionError::Unavailable { detail, retry_after: RETRY_AFTER },
        Fault::ReadOnly => InteractionError::NotAllowed {
            operation: "the handler does not let this property be written".to_owned(),
            allow: "GET, HEAD",
        },
        Fault::WriteOnly => InteractionError::NotAllowed {
            operation: "the handler does not let this property be read".to_owned(),
            allow: "PUT",
        },
        // Not found: the model names what the handler does not know, which is the handler's fault and not the caller's.
        Fault::NotFound | Fault::Denied(_) | Fault::Failed(_) => InteractionError::Handler(HandlerError::Fault(fault)),
    }
}
