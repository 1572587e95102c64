//! One OS thread per bus: the only code that makes a blocking device call.
//!
//! Invariants: transactions of one bus run one at a time, in order; a queue holds at most [`QUEUE_MAX`] of them and is
//! then `Busy`; every caller is answered within its limit, measured once in the queue and once on the bus, even if the
//! kernel never comes back: the bus is then *stuck* and refuses everything until it does. A caller that has gone away
//! before its turn is skipped. The thread ends when the bus is dropped and its queue is empty.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::DeviceError;
use crate::limit::Meter;
use crate::locks::lock;

pub(crate) mod files;
pub(crate) mod i2c;
pub(crate) mod lines;
pub(crate) mod pwm;
pub(crate) mod spi;
mod watchdog;

pub(crate) use watchdog::Watchdog;
use watchdog::Watched;

/// Transactions that may wait on one bus.
pub(crate) const QUEUE_MAX: usize = 32;

/// A bus over the device `D`, which lives on the bus's thread alone.
pub(crate) struct Bus<D> {
    shared: Arc<Shared<D>>,
    watchdog: Watchdog,
}

struct Shared<D> {
    place: String,
    state: Mutex<State<D>>,
    wake: Condvar,
}

struct State<D> {
    queue: VecDeque<Job<D>>,
    /// The transaction on the bus: who waits for it, and until when.
    current: Option<Waiting>,
    /// Callers of control operations, which stay in the queue even when their caller has been told of a time-out.
    reminders: Vec<Waiting>,
    /// Whether the thread has a job in hand, waited for or not.
    running: bool,
    stuck: bool,
    closed: bool,
}

struct Job<D> {
    run: Box<dyn FnOnce(&mut D) + Send>,
    /// None: nobody waits (a release, a fail-safe); such a job is never refused.
    waiting: Option<Waiting>,
}

#[derive(Clone)]
struct Waiting {
    caller: Arc<dyn Caller>,
    deadline: Instant,
    limit: Duration,
}

/// The far end of a transaction; whoever answers first wins.
trait Caller: Send + Sync {
    fn refuse(&self, error: DeviceError);
    fn is_gone(&self) -> bool;
}

struct Reply<T>(Mutex<Option<oneshot::Sender<Result<T, DeviceError>>>>);

impl<T> Reply<T> {
    fn answer(&self, result: Result<T, DeviceError>) {
        if let Some(sender) = lock(&self.0).take() {
            // A caller that has gone away needs no answer.
            drop(sender.send(result));
        }
    }
}

impl<T: Send> Caller for Reply<T> {
    fn refuse(&self, error: DeviceError) {
        self.answer(Err(error));
    }

    fn is_gone(&self) -> bool {
        lock(&self.0).as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

impl<D: Send + 'static> Bus<D> {
    /// Starts the thread of the bus at `place`.
    pub(crate) fn start(place: &str, device: D, watchdog: Watchdog) -> Result<Arc<Self>, DeviceError> {
        let state = State {
            queue: VecDeque::new(),
            current: None,
            reminders: Vec::new(),
            running: false,
            stuck: false,
            closed: false,
        };
        let shared = Arc::new(Shared { place: place.to_owned(), state: Mutex::new(state), wake: Condvar::new() });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(thread_name(place))
            .spawn(move || theirs.serve(device))
            .map_err(|source| DeviceError::Bus { place: place.to_owned(), source })?;
        let watched: Arc<dyn Watched> = Arc::<Shared<D>>::clone(&shared);
        watchdog.add(&watched);
        Ok(Arc::new(Self { shared, watchdog }))
    }

    /// Whether the bus's thread still takes transactions.
    pub(crate) fn is_alive(&self) -> bool {
        !lock(&self.shared.state).closed
    }

    /// Whether nothing is in hand and nothing waits: no release either.
    pub(crate) fn is_idle(&self) -> bool {
        let state = lock(&self.shared.state);
        !state.running && state.queue.is_empty()
    }

    /// Runs `operation` on the bus's thread and waits for its answer, under any executor.
    ///
    /// # Errors
    /// `RateExceeded`, `Busy`, `Stuck`, `Timeout` after `limit`, or what `operation` answers.
    pub(crate) async fn call<T, F>(&self, meter: &Arc<Meter>, limit: Duration, operation: F) -> Result<T, DeviceError>
    where
        T: Send + 'static,
        F: FnOnce(&mut D) -> Result<T, DeviceError> + Send + 'static,
    {
        let now = Instant::now();
        meter.take(now)?;
        let (sender, receiver) = oneshot::channel();
        let reply = Arc::new(Reply(Mutex::new(Some(sender))));
        let waiting = Waiting { caller: Arc::<Reply<T>>::clone(&reply), deadline: now + limit, limit };
        let meter = Arc::clone(meter);
        let run = Box::new(move |device: &mut D| {
            let start = Instant::now();
            let result = operation(device);
            meter.add(start.elapsed(), result.is_err());
            reply.answer(result);
        });
        self.submit(Job { run, waiting: Some(waiting) })?;
        receiver.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }

    /// Like [`Self::call`], but outside the rate and the queue's length, and it *will* run: where the bus does not
    /// answer in time the caller is told so, and the operation still follows when the bus comes back.
    pub(crate) async fn call_control<F>(&self, limit: Duration, operation: F) -> Result<(), DeviceError>
    where
        F: FnOnce(&mut D) -> Result<(), DeviceError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let reply = Arc::new(Reply(Mutex::new(Some(sender))));
        let theirs = Arc::clone(&reply);
        self.post(move |device| theirs.answer(operation(device)));
        let deadline = Instant::now() + limit;
        let caller: Arc<dyn Caller> = reply;
        self.shared.remind(Waiting { caller, deadline, limit });
        self.watchdog.wake_by(deadline);
        receiver.await.unwrap_or_else(|_| Err(self.shared.ended()))
    }

    /// Runs `operation` after everything that already waits, whatever the queue's length; nobody waits for it.
    pub(crate) fn post(&self, operation: impl FnOnce(&mut D) + Send + 'static) {
        let mut state = lock(&self.shared.state);
        if !state.closed {
            state.queue.push_back(Job { run: Box::new(operation), waiting: None });
            drop(state);
            self.shared.wake.notify_one();
        }
    }

    fn submit(&self, job: Job<D>) -> Result<(), DeviceError> {
        let deadline = job.waiting.as_ref().map(|waiting| waiting.deadline);
        {
            let mut state = lock(&self.shared.state);
            if state.stuck {
                return Err(DeviceError::Stuck { place: self.shared.place.clone() });
            }
            if state.closed {
                return Err(self.shared.ended());
            }
            if state.queue.len() >= QUEUE_MAX {
                return Err(DeviceError::Busy);
            }
            state.queue.push_back(job);
        }
        self.shared.wake.notify_one();
        if let Some(deadline) = deadline {
            self.watchdog.wake_by(deadline);
        }
        Ok(())
    }
}

impl<D> Drop for Bus<D> {
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.wake.notify_one();
    }
}

impl<D> std::fmt::Debug for Bus<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

impl<D> Shared<D> {
    /// The life of the bus's thread.
    fn serve(&self, mut device: D) {
        let _ended = Ended(self);
        while let Some(job) = self.next() {
            (job.run)(&mut device);
        }
    }

    /// Takes the next job whose caller still waits; None when the bus is closed and its queue is empty.
    fn next(&self) -> Option<Job<D>> {
        let mut state = lock(&self.state);
        state.current = None;
        state.running = false;
        if std::mem::take(&mut state.stuck) {
            tracing::info!(bus = self.place, "the bus answers again");
        }
        loop {
            match state.queue.pop_front() {
                Some(job) if job.waiting.as_ref().is_some_and(|waiting| waiting.caller.is_gone()) => {}
                Some(mut job) => {
                    state.running = true;
                    state.current = job.waiting.take().map(Waiting::on_the_bus);
                    return Some(job);
                }
                None if state.closed => return None,
                None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn remind(&self, waiting: Waiting) {
        let mut state = lock(&self.state);
        state.reminders.retain(|waiting| !waiting.caller.is_gone());
        state.reminders.push(waiting);
    }

    fn ended(&self) -> DeviceError {
        let source = std::io::Error::other("the thread of this bus has ended");
        DeviceError::Bus { place: self.place.clone(), source }
    }
}

impl Waiting {
    /// The limit counts anew once the transaction is on the bus: waiting in a queue is no fault of the bus.
    fn on_the_bus(self) -> Self {
        Self { deadline: Instant::now() + self.limit, ..self }
    }

    fn time_out(&self, place: &str) {
        let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        self.caller.refuse(DeviceError::Timeout { place: place.to_owned(), limit_ms });
    }
}

/// Closes the bus when its thread ends, by a panic too, so that nobody waits for an answer that cannot come.
struct Ended<'a, D>(&'a Shared<D>);

impl<D> Drop for Ended<'_, D> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.closed = true;
        state.current = None;
        for waiting in state.queue.drain(..).filter_map(|job| job.waiting) {
            waiting.caller.refuse(self.0.ended());
        }
    }
}

impl<D: Send> Watched for Shared<D> {
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut state = lock(&self.state);
        if state.current.as_ref().is_some_and(|waiting| waiting.deadline <= now) {
            if let Some(waiting) = state.current.take() {
                waiting.time_out(&self.place);
            }
            state.stuck = true;
            tracing::warn!(bus = self.place, "a transaction hangs: the bus is stuck");
            // Releases and fail-safes stay: they run as soon as the bus comes back.
            state.queue.retain(|job| match &job.waiting {
                Some(waiting) => {
                    waiting.caller.refuse(DeviceError::Stuck { place: self.place.clone() });
                    false
                }
                None => true,
            });
        }
        let queued = state.queue.iter().filter_map(|job| job.waiting.as_ref());
        for waiting in queued.chain(&state.reminders).filter(|waiting| waiting.deadline <= now) {
            waiting.time_out(&self.place);
        }
        state.reminders.retain(|waiting| !waiting.caller.is_gone());
        let queued = state.queue.iter().filter_map(|job| job.waiting.as_ref());
        let waiting = queued.chain(&state.reminders).chain(&state.current);
        waiting.map(|waiting| waiting.deadline).filter(|deadline| *deadline > now).min()
    }
}

/// At most the 15 bytes that Linux keeps: the end of the place tells more than its start.
fn thread_name(place: &str) -> String {
    let start = place.char_indices().rev().nth(10).map_or(0, |(index, _)| index);
    format!("bus {}", &place[start..])
}

#[cfg(test)]
mod tests;
