//! A Thing answered by a Wasm handler: the consumer's side of the Thing's task.
//!
//! The task owns the instance and takes one message at a time from a bounded queue; a full queue is said at once, never
//! waited for. While nothing waits and the task rests, a read runs in the consumer's own task, which spares two switches
//! between tasks. A consumer that goes away does not stop the call that it asked for.

mod call;
pub(crate) mod canary;
mod effects;
pub(crate) mod request;
mod serve;
pub(crate) mod statistics;
pub(crate) mod status;
mod talk;
pub(crate) mod task;
pub(crate) mod version;

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use handler_host::{Outcome, Value};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use uuid::Uuid;

use crate::exposed_thing::outlet::Answer;
use crate::interaction::{Context, InteractionError};
use request::{Reply, Request};
use task::{SharedTask, Task};

/// How often a consumer looks whether the task has come to rest before its read becomes a message: as long as one
/// short call of another consumer takes.
const LOOKS: u32 = 64;

/// The consumer's side of a Thing's task.
#[derive(Debug, Clone)]
pub(crate) struct HandlerBehavior {
    inbox: mpsc::Sender<Request>,
    /// Gone when the Thing has stopped.
    task: Weak<SharedTask>,
}

impl HandlerBehavior {
    pub(crate) fn new(inbox: mpsc::Sender<Request>, task: Weak<SharedTask>) -> Self {
        Self { inbox, task }
    }

    pub(crate) async fn read(&self, name: &Arc<str>, context: &Context) -> Result<Answer, InteractionError> {
        if let Some(task) = self.resting() {
            let mut read = Box::pin(read_at_once(task, Arc::clone(name), context.clone()));
            return match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
                Poll::Ready(answer) => answer,
                // It takes longer: from here on it must not depend on whether the consumer stays.
                Poll::Pending => tokio::spawn(read).await.unwrap_or_else(|_| Err(stopped())),
            };
        }
        self.ask(|reply| Request::Read { name: Arc::clone(name), context: context.clone(), reply }).await
    }

    /// The Thing's task, if it rests and nobody stands in line.
    fn resting(&self) -> Option<OwnedMutexGuard<Task>> {
        if self.inbox.capacity() < self.inbox.max_capacity() {
            return None;
        }
        let task = self.task.upgrade()?;
        for _ in 0..LOOKS {
            if let Ok(held) = Arc::clone(&task).try_lock_owned() {
                return held.rests().then_some(held);
            }
            std::hint::spin_loop();
        }
        None
    }

    pub(crate) async fn write(
        &self,
        values: Vec<(Arc<str>, Value)>,
        context: &Context,
    ) -> Result<(), InteractionError> {
        self.ask(|reply| Request::Write { values, context: context.clone(), reply }).await
    }

    pub(crate) async fn invoke(
        &self,
        name: &Arc<str>,
        input: Option<Value>,
        context: &Context,
    ) -> Result<Outcome, InteractionError> {
        self.ask(|reply| Request::Invoke { name: Arc::clone(name), input, context: context.clone(), reply }).await
    }

    pub(crate) async fn cancel(&self, id: Uuid) -> Result<(), InteractionError> {
        self.ask(|reply| Request::Cancel { id, reply }).await
    }

    /// Sends a message that carries its own reply and waits for it.
    pub(crate) async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, InteractionError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.try_send(request(reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => InteractionError::Overloaded {
                detail: "this Thing's queue is full".to_owned(),
                retry_after: Duration::from_secs(1),
            },
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// As [`ask`](Self::ask), for the gateway's own messages: they wait for room, because they must not be lost.
    pub(crate) async fn tell<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, InteractionError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(request(reply)).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

async fn read_at_once(
    mut task: OwnedMutexGuard<Task>,
    name: Arc<str>,
    context: Context,
) -> Result<Answer, InteractionError> {
    task.read_in_passing(&name, &context).await
}

/// What a consumer is told once the Thing's task is gone.
fn stopped() -> InteractionError {
    InteractionError::Suspended { detail: "this Thing is stopping".to_owned(), retry_after: Duration::from_secs(5) }
}
