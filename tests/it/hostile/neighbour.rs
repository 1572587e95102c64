//! A Thing beside the hostile one, read all the time: no read of it may fail, and none may take long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use tests::{Client, http::Request};

/// A pause between two reads: a busy consumer, and no load by itself.
const PAUSE: Duration = Duration::from_millis(5);
/// What no read may exceed on a machine that is busy with other tests; the promise itself is measured by the bench `recovery`.
const SLOWEST_MAX: Duration = Duration::from_secs(5);

/// Reads on until it is asked what it saw.
#[derive(Debug)]
pub(super) struct Neighbour {
    enough: Arc<AtomicBool>,
    reader: JoinHandle<Result<Vec<Duration>>>,
}

impl Neighbour {
    /// Reads `path` from now on.
    pub(super) fn of(client: Client, path: &'static str) -> Self {
        let enough = Arc::<AtomicBool>::default();
        let told = Arc::clone(&enough);
        Self { enough, reader: thread::spawn(move || read_on(client, path, &told)) }
    }

    /// What it saw, in one line.
    ///
    /// # Errors
    /// When a read failed, or took too long.
    pub(super) fn report(self) -> Result<String> {
        self.enough.store(true, Ordering::SeqCst);
        let mut durations = self.reader.join().map_err(|_| anyhow!("the neighbour's reader panicked"))??;
        durations.sort();
        let slowest = *durations.last().context("the neighbour was never read")?;
        ensure!(slowest <= SLOWEST_MAX, "a read of the neighbour took {slowest:?}");
        let p99 = durations[(durations.len() - 1) * 99 / 100];
        Ok(format!("{} reads of the neighbour, p99 {p99:?}, the slowest {slowest:?}", durations.len()))
    }
}

fn read_on(client: Client, path: &str, enough: &AtomicBool) -> Result<Vec<Duration>> {
    let mut connection = client.connect()?;
    let mut durations = Vec::new();
    while !enough.load(Ordering::SeqCst) {
        let began = Instant::now();
        connection.send(&Request::new("GET", path))?.expect(200).context("a read of the neighbour")?;
        durations.push(began.elapsed());
        thread::park_timeout(PAUSE);
    }
    Ok(durations)
}
