//! One call under way: polled by the Thing's task, then by a low-priority thread when it takes long.
//!
//! The future owns the instance and gives it back in the [`Answer`]; it must be polled to its end. Each poll ends at the next
//! epoch at the latest. Processor time is charged by poll: the first one by the wall clock, which it already reads, the later
//! ones, each a millisecond long, by the thread's own clock.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

use crate::answer::{Answer, CallReport};
use crate::control::CallControl;
use crate::engine::EngineShared;
use crate::error::HandlerError;

/// Epochs inside the guest after which a call goes on on a low-priority thread.
const INLINE_TICKS: u32 = 5;

pub(crate) type CallFuture<T> = Pin<Box<dyn Future<Output = Answer<T>> + Send>>;

/// Epochs pass while this lives.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<EngineShared>);

impl Ticking {
    pub(crate) fn begin(engine: &Arc<EngineShared>) -> Self {
        engine.ticker.begin();
        Self(Arc::clone(engine))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.ticker.end();
    }
}

/// A call and the account to which its processor time goes.
pub(crate) struct RunningCall<T> {
    pub(crate) future: CallFuture<T>,
    pub(crate) control: Arc<CallControl>,
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) export: &'static str,
    pub(crate) began: Instant,
    pub(crate) first_poll: bool,
}

impl<T: Send + 'static> RunningCall<T> {
    /// The answer, from here or from a low-priority thread.
    pub(crate) async fn answer(mut self) -> Answer<T> {
        let here = poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if self.control.ticks() >= INLINE_TICKS => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match here.await {
            Some(answer) => answer,
            // Boxed: few calls come here, and all would carry its room.
            None => Box::pin(self.go_on_in_background()).await,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer<T>> {
        if self.first_poll {
            self.first_poll = false;
            let polled = self.future.as_mut().poll(cx);
            self.control.account().charge(match &polled {
                Poll::Ready(answer) => answer.report.elapsed,
                Poll::Pending => self.began.elapsed(),
            });
            return polled;
        }
        let began = thread_time();
        let polled = self.future.as_mut().poll(cx);
        self.control.account().charge(thread_time().saturating_sub(began));
        polled
    }

    async fn go_on_in_background(mut self) -> Answer<T> {
        let (engine, export, began) = (Arc::clone(&self.engine), self.export, self.began);
        let (send, receive) = oneshot::channel();
        engine.background.go_on_with(Box::pin(async move {
            let mut answer = poll_fn(|cx| self.poll(cx)).await;
            answer.report.moved_to_background = true;
            // Nobody waits for the answer any more: the instance ends with it.
            drop(send.send(answer));
        }));
        receive.await.unwrap_or_else(|_| Answer {
            instance: None,
            result: Err(HandlerError::Trap { export, reason: "the host ended it".into(), frames: Vec::new() }),
            effects: Vec::new(),
            salvaged: None,
            report: CallReport { elapsed: began.elapsed(), moved_to_background: true, host_calls: 0 },
        })
    }
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
