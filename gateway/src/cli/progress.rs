//! What takes long says how far it is, on standard error: one line that is written over on a terminal, else a line per
//! change.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use super::terminal::{Screen, cut, plain};

/// A second that goes by is seen within this time.
const TICK: Duration = Duration::from_millis(500);

/// The present step of something that takes long.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    shown: String,
    live: bool,
    quiet: bool,
}

impl Progress {
    /// Begins; nothing is shown yet. `quiet`: nothing ever is.
    pub(super) fn begin(quiet: bool) -> Self {
        Self { started: Instant::now(), shown: String::new(), live: stderr().is_terminal(), quiet }
    }

    /// What goes on now.
    pub(super) fn show(&mut self, step: &str) {
        let step = plain(step);
        if self.quiet || (!self.live && step == self.shown) {
            return;
        }
        let text = match self.live {
            // Back to the first column, and away with what stood there (ECMA-48, EL).
            true => format!("\r\x1b[K{}", cut(&self.line(&step), Screen::error().columns().saturating_sub(1))),
            false => format!("{step}\n"),
        };
        drop(stderr().lock().write_all(text.as_bytes()));
        self.shown = step;
    }

    /// The same for one step that ends with `work`: a terminal sees the seconds go by.
    pub(super) async fn during<T>(&mut self, step: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = tick.tick() => self.show(step),
            }
        }
    }

    fn line(&self, step: &str) -> String {
        format!("{step} ({} s)", self.started.elapsed().as_secs())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live && !self.quiet && !self.shown.is_empty() {
            drop(stderr().lock().write_all(b"\r\x1b[K"));
        }
    }
}
