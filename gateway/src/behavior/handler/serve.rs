//! What each message to a Thing's task does.
//!
//! The answer leaves first, what follows from the call (the next wake, reading back, a new instance) comes after it.

use std::sync::Arc;
use std::time::Instant;

use handler_host::{Call, Caller, Effect, Outcome, Value};
use uuid::Uuid;

use super::call::Cause;
use super::request::{Reply, Request};
use super::task::Task;
use crate::exposed_thing::outlet::Answer;
use crate::interaction::{self, Context, InteractionError};
use crate::names::ComponentDigest;
use crate::store::{Batch, ThingRecord};

impl Task {
    pub(super) async fn serve(&mut self, request: Request) {
        match request {
            Request::Read { name, context, reply } => {
                let answer = self.read(&name, &context).await;
                send(reply, answer);
                self.watch_canary().await;
            }
            Request::Write { values, context, reply } => {
                let answer = self.write(values, &context).await;
                send(reply, answer);
                self.watch_canary().await;
                self.after_change().await;
            }
            Request::Invoke { name, input, context, reply } => {
                let answer = self.invoke(&name, input, &context).await;
                if let Err(unheard) = reply.send(answer) {
                    self.conclude_unheard(&name, context.id, unheard);
                }
                self.watch_canary().await;
                self.after_change().await;
            }
            Request::Cancel { id, reply } => {
                let answer = self.call(Cause::Other, |instance| instance.cancel_action(id)).await;
                if answer.is_ok() {
                    self.outlet.actions.cancelled(id, std::time::SystemTime::now());
                }
                send(reply, answer);
                self.after_change().await;
            }
            Request::BeginSwitch { to, reply } => {
                self.switching = Some(to);
                send(reply, Ok(self.record.clone()));
            }
            Request::AbortSwitch { reply } => {
                self.switching = None;
                send(reply, Ok(()));
            }
            Request::CutOver { next, reply } => {
                let answer = self.cut_over(*next).await;
                send(reply, answer);
            }
            Request::NoteFolder { digest, reply } => {
                let noted = self.note_folder(digest).await;
                send(reply, noted);
            }
            Request::Stop { reply } => {
                self.stop().await;
                send(reply, Ok(()));
            }
        }
    }

    async fn note_folder(&mut self, digest: ComponentDigest) -> Result<(), InteractionError> {
        let record = ThingRecord { folder_digest_seen: Some(digest), ..self.record.clone() };
        let mut batch = Batch::new();
        batch.put_record(&record);
        self.store.commit(batch).await?;
        self.record = record;
        Ok(())
    }

    /// Nobody waits for the answer to an invocation any more: its status says what came of it.
    fn conclude_unheard(&self, name: &str, id: Uuid, answer: Result<Outcome, InteractionError>) {
        match answer {
            Ok(Outcome::Running) => {}
            Ok(Outcome::Done(output)) => self.outlet.end_action(name, id, Ok(output)),
            Err(error) => self.outlet.end_action(name, id, Err(error)),
        }
    }

    /// A read that is no message: the consumer has found the task at rest.
    pub(super) async fn read_in_passing(
        &mut self,
        name: &Arc<str>,
        context: &Context,
    ) -> Result<Answer, InteractionError> {
        let answer = self.read(name, context).await;
        if self.instance.is_none() {
            self.bereaved.notify_one();
        }
        answer
    }

    async fn read(&mut self, name: &Arc<str>, context: &Context) -> Result<Answer, InteractionError> {
        let call = call_of(context, self.version.budgets.read_ms);
        let again = self.canary.is_some().then(|| call.clone());
        let read = self.call(Cause::Other, |instance| instance.read_property(name, call)).await;
        match (read, again) {
            // A read that costs the new version its life is answered once more by the previous one.
            (Err(error), Some(call)) if self.instance.is_none() => {
                Box::pin(self.read_from_previous(name, call)).await.ok_or(error)
            }
            (read, _) => read.map(|reading| self.answer(reading)),
        }
    }

    /// All values or none: what the writes changed is one commit, and when one of several is refused the instance, which
    /// has taken some, is given up for one over the state as it was.
    async fn write(&mut self, values: Vec<(Arc<str>, Value)>, context: &Context) -> Result<(), InteractionError> {
        let mut effects = Vec::new();
        for (place, (name, value)) in values.into_iter().enumerate() {
            let Some(instance) = self.instance.take() else { return Err(self.without_instance()) };
            // Here and not earlier: a sample that was taken before this write must not be its answer.
            self.outlet.published.lapse(&name, Instant::now());
            let call = call_of(context, self.version.budgets.write_ms);
            let answer = instance.write_property(&name, value, call).await;
            let (result, more) = self.settle(answer);
            effects.extend(more);
            if result.is_err() {
                if place > 0 {
                    effects.retain(|effect| !matches!(effect, Effect::State { .. }));
                }
                self.carry_out(effects, Cause::Write).await?;
                if place > 0 && self.instance.is_some() {
                    self.lost("half-written", "one of several properties could not be written").await;
                }
                return self.conclude(result).await;
            }
        }
        self.carry_out(effects, Cause::Write).await
    }

    async fn invoke(
        &mut self,
        name: &Arc<str>,
        input: Option<Value>,
        context: &Context,
    ) -> Result<Outcome, InteractionError> {
        let call = call_of(context, self.version.budgets.invoke_ms);
        let id: Uuid = call.id;
        let outcome = self.call(Cause::Other, |instance| instance.invoke_action(name, input, call)).await?;
        if matches!(outcome, Outcome::Running) {
            self.outlet.actions.running(id);
        }
        Ok(outcome)
    }
}

/// A caller that has gone away does not get its answer; the call has happened all the same.
fn send<T>(reply: Reply<T>, answer: Result<T, InteractionError>) {
    if reply.send(answer).is_err() {
        tracing::trace!("the caller is gone");
    }
}

fn call_of(context: &Context, budget_ms: u32) -> Call {
    let caller = match &context.caller {
        interaction::Caller::Anonymous => Caller::Anonymous,
        interaction::Caller::User(name) => Caller::User(name.clone()),
        interaction::Caller::Gateway => Caller::Gateway,
    };
    let uri_variables = context.uri_variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Call { id: context.id, caller, budget_ms, uri_variables }
}
