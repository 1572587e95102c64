//! Memory that looking at uploads took, given back to the system a little later: once for many of them, and beside what they
//! hold up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Uploads follow one another: the last of a row is worth it.
const LATER: Duration = Duration::from_secs(1);

/// Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpentMemory {
    waiting: Arc<AtomicBool>,
}

impl SpentMemory {
    /// Soon; in the meantime there may be more.
    pub(super) fn give_back(&self) {
        if self.waiting.swap(true, Ordering::AcqRel) {
            return;
        }
        let waiting = Arc::clone(&self.waiting);
        // Nobody waits for it.
        drop(tokio::spawn(async move {
            tokio::time::sleep(LATER).await;
            waiting.store(false, Ordering::Release);
            drop(tokio::task::spawn_blocking(handler_host::give_back_memory));
        }));
    }
}
