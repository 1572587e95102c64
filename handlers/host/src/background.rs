//! Low-priority operating system threads that go on with calls which took too long for the runtime's workers.
//!
//! A call's future owns its instance, so it can be polled on anywhere; each poll ends at the next epoch, so long calls take
//! turns here. The answer goes back by a oneshot channel. At most one call of each instance is here, which bounds the queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use tokio::runtime::Handle;

use crate::error::HandlerError;

/// Niceness of the threads: a tenth of the weight of an ordinary thread (`sched(7)`).
pub(crate) const NICENESS: i32 = 10;
const THREADS_MAX: usize = 4;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Job>>,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

/// One call that goes on here.
struct Job {
    work: Mutex<Option<Work>>,
    state: AtomicU8,
    runtime: Option<Handle>,
    shared: Arc<Shared>,
}

// A job's state: it waits for a waker, stands in the queue, is polled, or was woken while it was polled.
const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const POLLED: u8 = 2;
const WOKEN: u8 = 3;

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        let next = |state| match state {
            IDLE => Some(QUEUED),
            POLLED => Some(WOKEN),
            _ => None,
        };
        if self.state.fetch_update(SeqCst, SeqCst, next) == Ok(IDLE) {
            self.stand_in_queue();
        }
    }
}

impl Job {
    fn stand_in_queue(self: Arc<Self>) {
        let shared = Arc::clone(&self.shared);
        shared.queue.lock().unwrap_or_else(PoisonError::into_inner).ready.push_back(self);
        shared.ready.notify_one();
    }
}

/// Owns the threads; dropped, they end after their present turn.
pub(crate) struct Background {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

impl Background {
    /// Starts one thread for each processor, at most 4.
    pub(crate) fn start() -> Result<Self, HandlerError> {
        let shared = Arc::new(Shared::default());
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
        for number in 0..threads {
            let of_thread = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("long-calls-{number}"))
                .spawn(move || run(&of_thread))
                .map_err(|error| HandlerError::host("no thread for long calls", error))?;
        }
        Ok(Self { shared })
    }

    /// Goes on with `work` here. Its timers are those of the runtime that it comes from.
    pub(crate) fn go_on_with(&self, work: Work) {
        let job = Job {
            work: Mutex::new(Some(work)),
            state: AtomicU8::new(IDLE),
            runtime: Handle::try_current().ok(),
            shared: Arc::clone(&self.shared),
        };
        Arc::new(job).wake();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.stopped = true;
        queue.ready.clear();
        drop(queue);
        self.shared.ready.notify_all();
    }
}

fn run(shared: &Shared) {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "long calls of handlers run at ordinary priority");
    }
    while let Some(job) = next(shared) {
        poll(&job);
    }
}

fn next(shared: &Shared) -> Option<Arc<Job>> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.stopped {
            return None;
        }
        if let Some(job) = queue.ready.pop_front() {
            return Some(job);
        }
        queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

/// One turn. A panic of the host inside a call ends that call alone: its oneshot sender is dropped with it.
fn poll(job: &Arc<Job>) {
    job.state.store(POLLED, SeqCst);
    let Some(mut work) = job.work.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let _runtime = job.runtime.as_ref().map(Handle::enter);
    let waker = Waker::from(Arc::clone(job));
    match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready())) {
        Ok(true) => {}
        Ok(false) => {
            *job.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
            if job.state.compare_exchange(POLLED, IDLE, SeqCst, SeqCst).is_err() {
                job.state.store(QUEUED, SeqCst);
                Arc::clone(job).stand_in_queue();
            }
        }
        Err(_) => tracing::error!("the host panicked inside a handler's call"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_here_and_a_panic_ends_nothing_else() {
        let background = Background::start().unwrap();
        background.go_on_with(Box::pin(async { panic!("one call") }));
        let (answer, answered) = tokio::sync::oneshot::channel();
        background.go_on_with(Box::pin(async move {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            let thread = std::thread::current();
            let priority = rustix::process::getpriority_process(None);
            assert!(answer.send((thread.name().map(str::to_owned), priority)).is_ok());
        }));
        let (thread, priority) = answered.await.unwrap();
        assert!(thread.is_some_and(|name| name.starts_with("long-calls-")));
        assert_eq!(priority, Ok(NICENESS));
    }
}
