//! What a process writes, read by its own threads from start to end, so that it never waits for its reader.

use std::{
    collections::VecDeque,
    fmt,
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// Lines that are kept for the report of a failed test.
const LINES_MAX: usize = 400;

/// The lines of both streams, as they came.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    /// Of all lines, those that are not kept too.
    bytes: u64,
    streams_ended: u32,
}

impl Lines {
    /// Reads the output of `child` from now on.
    pub(crate) fn of(child: &mut Child) -> Self {
        let shared = Arc::<Shared>::default();
        if let Some(stream) = child.stdout.take() {
            follow(stream, Arc::clone(&shared));
        }
        if let Some(stream) = child.stderr.take() {
            follow(stream, Arc::clone(&shared));
        }
        Self { shared }
    }

    /// Waits until there is a line that `pick` takes something from, at most for `deadline`.
    pub(crate) fn first<T>(&self, deadline: Duration, pick: impl Fn(&str) -> Option<T>) -> Result<T> {
        let mut picked = None;
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| {
            picked = state.lines.iter().find_map(|line| pick(line));
            picked.is_none() && state.streams_ended < 2
        };
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, deadline, waiting).unwrap_or_else(PoisonError::into_inner);
        ensure!(picked.is_some() || state.streams_ended < 2, "it has ended");
        drop(state);
        picked.with_context(|| format!("silent for {deadline:?}"))
    }
}

impl Lines {
    /// How much it has written so far, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn follow(stream: impl Read + Send + 'static, shared: Arc<Shared>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bytes += line.len() as u64 + 1;
            state.lines.push_back(line);
            if state.lines.len() > LINES_MAX {
                state.lines.pop_front();
            }
            shared.changed.notify_all();
        }
        shared.state.lock().unwrap_or_else(PoisonError::into_inner).streams_ended += 1;
        shared.changed.notify_all();
    });
}
