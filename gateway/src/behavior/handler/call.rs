//! One call into the handler: what every call has in common, whatever it asks.
//!
//! The instance goes in by value and comes back with the answer; if it doesn't come back it is lost, which is noted with
//! the handler's last words, and the Thing's task makes another one.

use std::future::Future;
use std::time::{Duration, SystemTime};

use handler_host::{Answer as Answered, CallReport, Fault, HandlerError, HandlerInstance, Signal};
use tokio::time::Instant;

use super::status::HandlerState;
use super::task::Task;
use crate::interaction::InteractionError;
use crate::store::Batch;
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
    /// Calls the instance, applies what the call left behind and waits until its state changes are on disk.
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
        self.take(answer, Some(cause)).await
    }

    /// Takes an answer: the instance, the statistics, the effects.
    pub(super) async fn take<T>(&mut self, answer: Answered<T>, cause: Option<Cause>) -> Result<T, InteractionError> {
        let Answered { instance, result, effects, report, .. } = answer;
        self.instance = instance;
        let fault = result.as_ref().err().and_then(fault_kind);
        if cause.is_some() {
            self.count(&report, fault.is_some());
        }
        if !effects.is_empty() {
            let batch = self.apply(effects, cause.unwrap_or(Cause::Other));
            self.commit(batch).await?;
        }
        if let (Some(kind), Err(error)) = (fault, &result) {
            self.lost(kind, error).await;
        }
        result.map_err(in_words)
    }

    fn count(&mut self, report: &CallReport, fault: bool) {
        let memory_bytes = self.instance.as_ref().map_or(0, HandlerInstance::memory_bytes);
        self.status.count(report, fault, memory_bytes);
    }

    /// Waits until a batch is on disk. When that fails, nothing of the call has happened: the instance, whose memory says
    /// otherwise, is given up for one over the state as it is on disk.
    async fn commit(&mut self, batch: Batch) -> Result<(), InteractionError> {
        if batch.is_empty() {
            return Ok(());
        }
        let outcome = self.store.commit(batch).await;
        outcome.map_err(|error| {
            tracing::error!(thing = %self.outlet.name(), %error, "the state of a handler could not be kept");
            self.instance = None;
            InteractionError::Storage { detail: error.to_string() }
        })
    }

    /// The instance is lost: running actions end, their lines go to their fail-safe level, the next start recovers.
    async fn lost(&mut self, kind: &'static str, error: &HandlerError) {
        self.instance = None;
        let detail = error.to_string();
        tracing::warn!(thing = %self.outlet.name(), version = self.version.number, kind, detail, "the handler was lost");
        self.last_failure.clone_from(&detail);
        self.status.fault(kind, detail.clone());
        self.tell_control(
            "fault",
            &serde_json::json!({
                "time": Rfc3339(SystemTime::now()).to_string(),
                "kind": kind,
                "detail": detail,
                "version": self.version.number,
            }),
        );
        if self.end_actions(false) {
            self.fail_safe().await;
        }
        if let Some(canary) = &mut self.canary {
            canary.faults += 1;
        }
    }

    /// Ends what still runs; answers whether there was any.
    pub(super) fn end_actions(&self, replaced: bool) -> bool {
        let unfinished = self.outlet.actions.unfinished();
        for id in &unfinished {
            let error = if replaced {
                InteractionError::HandlerReplaced
            } else {
                InteractionError::Handler(HandlerError::Fault(Fault::Failed(
                    "the handler was lost while this action ran".to_owned(),
                )))
            };
            self.outlet.actions.end(*id, Err(error), SystemTime::now());
        }
        !unfinished.is_empty()
    }

    /// Emits an event of the handler's own Thing.
    pub(super) fn tell_control(&self, event: &str, data: &serde_json::Value) {
        if let Err(error) = self.control.emit(event, handler_host::Value::Json(data.to_string())) {
            tracing::error!(thing = %self.outlet.name(), event, %error, "an event of the handler's Thing was refused");
        }
    }

    /// Why nothing can be asked now.
    fn without_instance(&self) -> InteractionError {
        let retry_after =
            self.paused_until.map_or(RETRY_AFTER, |until| until.saturating_duration_since(std::time::Instant::now()));
        InteractionError::Suspended {
            detail: format!("the handler does not stay up: {}", self.last_failure),
            retry_after: retry_after.max(RETRY_AFTER),
        }
    }

    /// Lets the handler go on with its timers, drivers and actions.
    pub(super) async fn wake(&mut self) {
        self.next_wake = None;
        let Some(instance) = self.instance.take() else { return };
        let answer = instance.wake().await;
        let ended = super::effects::ends_an_action(&answer.effects);
        match self.take(answer, Some(Cause::Other)).await {
            Ok(next) => {
                let now = Instant::now().into_std();
                self.next_wake = next.map(|at| self.version.clock.instant_of(at).max(now + WAKE_MIN));
                if ended {
                    self.read_back_all().await;
                }
            }
            Err(error) => tracing::debug!(thing = %self.outlet.name(), %error, "wake failed"),
        }
        self.watch_canary().await;
    }

    /// Hands a GPIO edge or another Thing's event to the handler.
    pub(super) async fn signal(&mut self, signal: Signal) {
        if self.instance.is_none() {
            return;
        }
        if let Err(error) = self.call(Cause::Other, |instance| instance.on_signal(signal)).await {
            tracing::debug!(thing = %self.outlet.name(), %error, "on-signal failed");
        }
        self.after_change().await;
    }

    /// After what may have changed something: the handler goes on, and what it does not publish by itself is read back.
    pub(super) async fn after_change(&mut self) {
        if self.instance.is_some() {
            self.wake().await;
        }
        if self.instance.is_some() {
            self.read_back_all().await;
        }
    }

    pub(super) fn shows(&self) -> HandlerState {
        self.status.state()
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
        | HandlerError::Overloaded { .. }
        | HandlerError::StateVersion { .. }
        | HandlerError::Fault(_) => None,
    }
}

/// A handler's failure in the words of an interaction.
fn in_words(error: HandlerError) -> InteractionError {
    match error {
        HandlerError::Fault(fault) => of_fault(fault),
        HandlerError::CpuBudget { retry_ms } => InteractionError::Overloaded {
            detail: error_text(&HandlerError::CpuBudget { retry_ms }),
            retry_after: Duration::from_millis(u64::from(retry_ms)),
        },
        other => InteractionError::Handler(other),
    }
}

fn error_text(error: &HandlerError) -> String {
    error.to_string()
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
