//! Waiting for a level: a condition is asked again until it holds or its deadline has passed.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Pause between two looks: short against what people notice, long against a request.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Asks `look` until it answers `Some`, at most for `deadline`.
///
/// # Errors
/// The error of `look` at once; after `deadline` an error that says `what` did not come.
pub fn eventually<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {deadline:?}");
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}
