//! The epoch ticker: an operating system thread that counts milliseconds for the engines while calls run.
//!
//! A thread and not a task: a runtime whose workers all spin in handlers would not tick. It sleeps for good when nothing has
//! run for 16 ticks, so an idle machine stays idle; while calls come often none of them has to wake it, and a call costs two
//! atomic additions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

use crate::error::HandlerError;

/// One epoch.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which the thread sleeps until the next call.
const IDLE_TICKS: u32 = 16;

#[derive(Debug, Default)]
struct Shared {
    running: AtomicU32,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// Owns the thread; dropped, the thread ends.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

impl Ticker {
    /// Starts the thread, which counts epochs for all `engines`.
    pub(crate) fn start(engines: Vec<Engine>) -> Result<Self, HandlerError> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("epoch-ticker".into())
            .stack_size(64 * 1024)
            .spawn(move || tick(&of_thread, &engines))
            .map_err(|error| HandlerError::host("no thread for epochs", error))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Epochs pass from now until the matching [`Ticker::end`].
    pub(crate) fn begin(&self) {
        self.shared.running.fetch_add(1, SeqCst);
        // The thread sets `asleep` before it looks at `running` a last time: one of us sees the other.
        if self.shared.asleep.load(SeqCst) && self.shared.asleep.swap(false, SeqCst) {
            self.thread.unpark();
        }
    }

    pub(crate) fn end(&self) {
        self.shared.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
    }
}

fn tick(shared: &Shared, engines: &[Engine]) {
    let mut idle_ticks = 0;
    while !shared.stopped.load(SeqCst) {
        std::thread::park_timeout(TICK);
        for engine in engines {
            engine.increment_epoch();
        }
        idle_ticks = if shared.running.load(SeqCst) > 0 { 0 } else { idle_ticks + 1 };
        if idle_ticks < IDLE_TICKS {
            continue;
        }
        shared.asleep.store(true, SeqCst);
        while shared.asleep.load(SeqCst) && shared.running.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
            std::thread::park();
        }
        shared.asleep.store(false, SeqCst);
        idle_ticks = 0;
    }
}
