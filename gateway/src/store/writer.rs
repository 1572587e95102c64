//! The one writer: a thread that turns the batches of many callers into few durable transactions.
//!
//! A group is what has queued up while the last one was written; its batches keep their order, and all of them are on
//! disk (fsync) before any caller is answered. When a group fails, every caller in it gets the error, the file is closed
//! and opened again for the next one, and that one first undoes whatever of the failed group has reached the disk: a
//! refused change does not come back after a restart.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use redb::{Database, Durability};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    StoreError,
    batch::{BATCH_BYTES_MAX, Batch, Table},
    mirror::Mirror,
    tables,
};
use crate::crash_point::{self, CrashPoint};

/// Batches in one transaction.
const GROUP_BATCHES_MAX: usize = 256;
/// Bytes in one transaction; the batch that passes it is the last one.
const GROUP_BYTES_MAX: usize = BATCH_BYTES_MAX;

/// Opens the file anew; called again after every failure.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send>;

/// A batch and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// State of the writer thread.
pub(super) struct Writer {
    pub(super) opener: Opener,
    /// `None` after a failure, until the next group.
    pub(super) database: Option<Database>,
    pub(super) mirror: Arc<RwLock<Mirror>>,
    /// What failed groups have touched and nobody has undone yet.
    pub(super) doubtful: BTreeSet<(Table, String)>,
    /// Why the last group failed; `None` when it did not.
    pub(super) trouble: watch::Sender<Option<Arc<str>>>,
    /// Batches that were refused since the trouble began.
    pub(super) refused: usize,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = first.batch.bytes();
            let mut group = vec![first];
            while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(job) = queue.try_recv() else { break };
                bytes += job.batch.bytes();
                group.push(job);
            }
            self.commit(group);
        }
    }

    /// Writes one batch from the opening thread, before the queue exists.
    pub(super) fn write_now(&mut self, batch: Batch) -> Result<(), StoreError> {
        let (done, mut answer) = oneshot::channel();
        self.commit(vec![Job { batch, done }]);
        answer.try_recv().unwrap_or(Err(StoreError::Closed))
    }

    fn commit(&mut self, group: Vec<Job>) {
        let result = self.write(&group);
        self.tell(&result, group.len());
        let mut waiting = Vec::with_capacity(group.len());
        {
            let mut mirror = self.mirror.write().unwrap_or_else(PoisonError::into_inner);
            for job in group {
                if result.is_ok() {
                    job.batch.changes.into_iter().for_each(|change| mirror.apply(change));
                }
                waiting.push(job.done);
            }
        }
        CrashPoint::StoreBeforeAnswer.pass();
        for done in waiting {
            // A caller that went away does not undo its commit.
            drop(done.send(result.clone()));
        }
        CrashPoint::StoreAfterAnswer.pass();
    }

    /// Trouble is said when it comes and when it goes, however many are refused meanwhile.
    fn tell(&mut self, result: &Result<(), StoreError>, batches: usize) {
        let troubled = self.trouble.borrow().is_some();
        match result {
            Ok(()) if troubled => {
                tracing::info!(refused = self.refused, "the store can be written again");
                self.refused = 0;
                self.trouble.send_replace(None);
            }
            Ok(()) => tracing::trace!(batches, "committed"),
            Err(error) => {
                let reason = error.reason();
                self.refused += batches;
                if !troubled {
                    tracing::error!(reason, "the store cannot be written: changes are refused, reads go on");
                }
                self.trouble.send_replace(Some(reason.into()));
            }
        }
    }

    fn write(&mut self, group: &[Job]) -> Result<(), StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.opener)()?,
        };
        match self.transact(&database, group) {
            Ok(()) => {
                self.doubtful.clear();
                self.database = Some(database);
                Ok(())
            }
            Err(error) => {
                let changes = group.iter().flat_map(|job| &job.batch.changes);
                self.doubtful.extend(changes.map(|change| {
                    let (table, thing) = change.target();
                    (table, thing.to_owned())
                }));
                Err(error.into())
            }
        }
    }

    fn transact(&self, database: &Database, group: &[Job]) -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        if crash_point::answers_early() {
            transaction.set_durability(Durability::None)?;
        }
        {
            let mirror = self.mirror.read().unwrap_or_else(PoisonError::into_inner);
            for (table, thing) in &self.doubtful {
                tables::undo(&transaction, *table, thing, &mirror)?;
            }
        }
        for change in group.iter().flat_map(|job| &job.batch.changes) {
            tables::apply(&transaction, change)?;
        }
        CrashPoint::StoreBeforeCommit.pass();
        transaction.commit()?;
        CrashPoint::StoreAfterCommit.pass();
        Ok(())
    }
}
