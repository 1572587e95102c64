//! What the gateway must not forget: one record per Thing, the handlers' state, reservations, components.
//!
//! Acknowledged means on disk: [`Store::commit`] returns after the fsync of the transaction that holds the batch.
//! Reads come from memory and cannot fail; only writes meet the disk, and their failure ([`StoreError::Storage`])
//! neither stops reads nor needs a restart. One gateway per data directory, held by a lock.
//! What the values mean (when a version becomes current, what a setting is) is decided by the callers and by `import`.

mod batch;
mod components;
mod configured;
mod folder;
mod glance;
mod import;
mod mirror;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    thread::JoinHandle,
};

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};

pub use batch::{BATCH_BYTES_MAX, Batch, KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use components::{Components, Kept};
pub use configured::Configured;
pub use glance::Glance;
pub use import::{FolderChoice, Import, ImportChange, choose_folder, import_declared, import_undeclared, settings_key};
pub use record::{CanaryRecord, HandlerVersion, Presence, ThingRecord, VERSIONS_MAX, VersionOrigin};

use self::{
    batch::{Cell, Table},
    mirror::Mirror,
    writer::{Job, Opener, Writer},
};
use crate::names::{ComponentDigest, ThingId, ThingName};

/// Pages that redb keeps in memory; its own default is 1 GiB.
const CACHE_BYTES: usize = 8 << 20;
/// Batches that may wait for the writer; more callers wait for a place.
const QUEUE_LENGTH_MAX: usize = 1_024;
/// The layout of tables and records that this version writes.
const SCHEMA: u64 = 1;
/// The gateway's own Things whose ids are minted with the store.
const OWN_THINGS: [&str; 3] = ["gateway", "board", "directory"];

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk refused: full, read-only, broken. Nothing of the batch is acknowledged; try again later.
    #[error("{what}")]
    Storage {
        /// What was attempted, on which file.
        what: String,
        /// Why it failed.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A value, key or batch is over its limit.
    #[error("{what} of {bytes} bytes is over the limit of {bytes_max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Another gateway holds the data directory.
    #[error("the data directory is in use by another gateway ({holder})")]
    InUse {
        /// What the lock file says of the holder; may be empty.
        holder: String,
    },
    /// `state.redb` is no store, or a broken one.
    #[error("the state file is damaged: {what}")]
    Damaged {
        /// What is wrong with it.
        what: String,
    },
    /// `state.redb` was written by a newer version.
    #[error("the state file has schema {found}; this version knows schemas up to {known}")]
    Newer {
        /// The file's schema.
        found: u64,
        /// The newest that is known here.
        known: u64,
    },
    /// A component's file is not what its name says.
    #[error("component {digest} is damaged on disk: its bytes have the digest {found}")]
    ComponentDamaged {
        /// The digest asked for.
        digest: ComponentDigest,
        /// The digest of what lies there.
        found: ComponentDigest,
    },
    /// The writer has ended: the gateway is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What happened, with its causes, in one line.
    pub(crate) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            reason.push_str(&format!(": {error}"));
            cause = error.source();
        }
        reason
    }

    fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        Self::Storage { what: format!("cannot {verb} {}", path.display()), source: Arc::new(source) }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        Self::Storage { what: "the state file could not be written or read".into(), source: Arc::new(error) }
    }
}

/// The store. Cheap to clone; the last clone that is dropped waits for the writer to finish its queue.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    mirror: Arc<RwLock<Mirror>>,
    components: Components,
    trouble: watch::Receiver<Option<Arc<str>>>,
    /// Held for its lock.
    _lock: File,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("components", &self.components).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer has panicked");
        }
    }
}

impl Store {
    /// Opens the store in `data_dir`, creating what is missing (folders 0700). Blocks on the disk.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        folder::create(data_dir)?;
        let lock = folder::lock(data_dir)?;
        let path = data_dir.join("state.redb");
        Self::open_with(data_dir, lock, Box::new(move || open_file(&path)))
    }

    fn open_with(data_dir: &Path, lock: File, opener: Opener) -> Result<Self, StoreError> {
        let database = opener()?;
        let mirror = Arc::new(RwLock::new(tables::load(&database).map_err(tables::load_error)?));
        let components = Components::open(data_dir)?;
        let (trouble, told) = watch::channel(None);
        let mut writer =
            Writer { opener, database: Some(database), mirror, doubtful: BTreeSet::new(), trouble, refused: 0 };
        writer.prepare()?;
        let mirror = Arc::clone(&writer.mirror);
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH_MAX);
        let writer = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run(jobs))
            .map_err(|source| StoreError::io("start the writer of", data_dir, source))?;
        let store = Shared { queue: Some(queue), writer: Some(writer), mirror, components, trouble: told, _lock: lock };
        Ok(Self(Arc::new(store)))
    }

    /// Writes `batch`: all of it or nothing, after every batch whose `commit` was called before. `Ok` means on disk.
    /// Dropping the future after its first poll does not take the batch back.
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.check()?;
        let (done, answer) = oneshot::channel();
        let queue = self.0.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Job { batch, done }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Why nothing can be written now; `None` as long as it can.
    pub fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.0.trouble.clone()
    }

    /// Writes what is there already: whether the disk takes it again. Also undoes what failed commits have left there.
    pub async fn try_again(&self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(Table::Gateway, "schema", "", SCHEMA.to_le_bytes().to_vec());
        self.commit(batch).await
    }

    /// Where components lie.
    pub fn components(&self) -> &Components {
        &self.0.components
    }

    /// The record of a Thing.
    pub fn record(&self, thing: &ThingName) -> Option<ThingRecord> {
        decode(self.mirror().get(Table::Things, thing.as_str(), "")?)
    }

    /// All records, by name.
    pub fn records(&self) -> Vec<ThingRecord> {
        self.mirror().of_table(Table::Things).filter_map(|(_, bytes)| decode(bytes)).collect()
    }

    /// The state that a Thing's handler keeps.
    pub fn state(&self, thing: &ThingName) -> BTreeMap<String, Vec<u8>> {
        self.cells(Table::State, thing)
    }

    /// The state kept from before the last switch; empty when none is kept (or it was empty).
    pub fn state_before(&self, thing: &ThingName) -> BTreeMap<String, Vec<u8>> {
        self.cells(Table::StateBefore, thing)
    }

    /// Where a Thing's clock goes on after a start, in microseconds; 0 for a new Thing.
    pub fn clock_us(&self, thing: &ThingName) -> u64 {
        self.mirror().number(Table::Clocks, thing.as_str())
    }

    /// The next event id of a Thing after a start; 0 for a new Thing.
    pub fn event_id(&self, thing: &str) -> u64 {
        self.mirror().number(Table::EventIds, thing)
    }

    /// The id of one of the gateway's own Things: `gateway`, `board` or `directory`.
    pub fn own_id(&self, own: &str) -> Option<ThingId> {
        let mirror = self.mirror();
        let bytes = mirror.get(Table::Gateway, own, "id")?;
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }

    /// Stores a component durably; it stays at least as long as the answer is held. Blocks on the disk.
    pub fn keep(&self, bytes: &[u8]) -> Result<Kept, StoreError> {
        let kept = self.hold(ComponentDigest::of(bytes));
        self.0.components.put(bytes)?;
        Ok(kept)
    }

    /// A component that is looked at when this is dropped: if no version refers to it then, it goes.
    pub fn hold(&self, digest: ComponentDigest) -> Kept {
        Kept::hold(self.clone(), digest)
    }

    /// Removes the components that no kept version refers to and nobody holds. Returns how many.
    pub fn collect_components(&self) -> Result<usize, StoreError> {
        self.0.components.collect(|| self.referred().collect())
    }

    fn referred(&self) -> impl Iterator<Item = ComponentDigest> {
        self.records().into_iter().flat_map(|record| record.versions).map(|version| version.digest)
    }

    fn cells(&self, table: Table, thing: &ThingName) -> BTreeMap<String, Vec<u8>> {
        let mirror = self.mirror();
        mirror.of_thing(table, thing.as_str()).map(|(key, value)| (key.to_owned(), value.to_vec())).collect()
    }

    fn mirror(&self) -> RwLockReadGuard<'_, Mirror> {
        self.0.mirror.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this version can read what was loaded: its layout, and every record.
fn check(mirror: &Mirror) -> Result<(), StoreError> {
    let found = mirror.number(Table::Gateway, "schema");
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA });
    }
    for (Cell { thing, .. }, bytes) in mirror.of_table(Table::Things) {
        if let Err(error) = serde_json::from_slice::<ThingRecord>(bytes) {
            return Err(StoreError::Damaged { what: format!("the record of `{thing}`: {error}") });
        }
    }
    Ok(())
}

/// [`check`] has decoded every record once, and only records are written: this does not fail on a sound store.
fn decode(bytes: &[u8]) -> Option<ThingRecord> {
    serde_json::from_slice(bytes).ok()
}

fn open_file(path: &PathBuf) -> Result<Database, StoreError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(tables::open_error)
}

impl Writer {
    /// Checks what was loaded, and writes schema and own ids into a new file.
    fn prepare(&mut self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        {
            let mirror = self.mirror.read().unwrap_or_else(PoisonError::into_inner);
            check(&mirror)?;
            if mirror.number(Table::Gateway, "schema") == 0 {
                batch.put(Table::Gateway, "schema", "", SCHEMA.to_le_bytes().to_vec());
            }
            for own in OWN_THINGS {
                if mirror.get(Table::Gateway, own, "id").is_none() {
                    batch.put(Table::Gateway, own, "id", ThingId::mint().as_str().into());
                }
            }
        }
        if batch.is_empty() { Ok(()) } else { self.write_now(batch) }
    }
}
