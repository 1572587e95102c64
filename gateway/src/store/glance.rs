//! A look at the store that changes nothing: it takes no lock and writes no file.
//!
//! The state file is read into memory as a whole and opened there, so what opening repairs stays there. Whether a gateway
//! holds the store is read from the kernel's list of locks: a lock taken to find out would end a gateway that starts
//! meanwhile. A file that somebody writes while it is read counts as held.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use redb::{Database, StorageBackend as _, backends::InMemoryBackend};

use super::{CACHE_BYTES, Components, StoreError, ThingRecord, batch::Table, check, decode, mirror::Mirror, tables};
use crate::names::ThingName;

/// Lists the locks of all processes (proc(5)).
const LOCKS: &str = "/proc/locks";

/// What a store held when it was looked at.
#[derive(Debug)]
pub struct Glance {
    mirror: Mirror,
    components: Components,
}

impl Glance {
    /// Looks at the store in `data_dir`; `None` when there is none yet. Blocks on the disk.
    ///
    /// # Errors
    /// When a gateway holds it, when it cannot be read, and when a gateway would refuse it.
    pub fn at(data_dir: &Path) -> Result<Option<Self>, StoreError> {
        let (path, lock) = (data_dir.join("state.redb"), data_dir.join("lock"));
        let failed = |source| StoreError::io("read", &path, source);
        if !path.try_exists().map_err(failed)? {
            return Ok(None);
        }
        let in_use = || StoreError::InUse { holder: holder(&lock) };
        if is_held(&lock) {
            return Err(in_use());
        }
        let (bytes, unchanged) = read(&path).map_err(failed)?;
        if !unchanged || is_held(&lock) {
            return Err(in_use());
        }
        let mirror = tables::load(&open_copy(&bytes)?).map_err(tables::load_error)?;
        check(&mirror)?;
        Ok(Some(Self { mirror, components: Components::of(data_dir) }))
    }

    /// The record of a Thing.
    pub fn record(&self, thing: &ThingName) -> Option<ThingRecord> {
        decode(self.mirror.get(Table::Things, thing.as_str(), "")?)
    }

    /// Where components lie.
    pub fn components(&self) -> &Components {
        &self.components
    }
}

/// The file's bytes, and whether nobody has written it meanwhile.
fn read(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut file = File::open(path)?;
    let state = |about: &Metadata| (about.len(), about.mtime(), about.mtime_nsec());
    let before = state(&file.metadata()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let unchanged = before == state(&file.metadata()?);
    Ok((bytes, unchanged))
}

fn open_copy(bytes: &[u8]) -> Result<Database, StoreError> {
    let copy = InMemoryBackend::new();
    let failed = |source| StoreError::io("copy", Path::new("state.redb"), source);
    copy.set_len(bytes.len() as u64).and_then(|()| copy.write(0, bytes)).map_err(failed)?;
    Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(copy).map_err(tables::open_error)
}

/// What the lock file says of who holds it; a file that cannot be read is only a poorer message.
fn holder(lock: &Path) -> String {
    let mut holder = String::new();
    let read = File::open(lock).and_then(|file| file.take(64).read_to_string(&mut holder));
    read.map(|_| holder.trim().to_owned()).unwrap_or_default()
}

/// Whether a process holds the lock, as far as the kernel tells: it hides those of other containers.
fn is_held(lock: &Path) -> bool {
    let (Ok(about), Ok(locks)) = (fs::metadata(lock), fs::read_to_string(LOCKS)) else { return false };
    let device = about.dev();
    let place = format!("{:02x}:{:02x}:{}", rustix::fs::major(device), rustix::fs::minor(device), about.ino());
    let holder = holder(lock);
    locks.lines().any(|line| is_of(line, &place, holder.strip_prefix("process ").unwrap_or_default()))
}

/// Whether a line of [`LOCKS`] is about a lock on the file at `place`. A file system such as btrfs shows programs another
/// device than the kernel has: then the process that the file names is looked for.
fn is_of(line: &str, place: &str, process: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (Some("FLOCK"), Some(by), Some(locked)) = (fields.next(), fields.nth(2), fields.next()) else { return false };
    let inode = |place: &str| place.rsplit(':').next().map(str::to_owned);
    locked == place || (by == process && inode(locked) == inode(place))
}

#[cfg(test)]
mod tests {
    use super::super::{Store, tests::thing};
    use super::*;
    use crate::store::Batch;

    fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let file = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).ok());
        let mut files: Vec<_> = entries.map(file).map(|(name, bytes)| (name, bytes.unwrap_or_default())).collect();
        files.sort();
        files
    }

    #[tokio::test]
    async fn a_look_shows_what_is_kept_and_changes_no_byte() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Glance::at(folder.path()).unwrap().is_none());
        assert!(contents(folder.path()).is_empty());
        let record = ThingRecord::new(thing("lamp"));
        let store = Store::open(folder.path()).unwrap();
        let mut batch = Batch::new();
        store
            .commit({
                batch.put_record(&record);
                batch
            })
            .await
            .unwrap();
        let torn = fs::read(folder.path().join("state.redb")).unwrap();
        drop(store);
        // As a kill leaves it, which opening repairs.
        fs::write(folder.path().join("state.redb"), torn).unwrap();
        let before = contents(folder.path());
        let glance = Glance::at(folder.path()).unwrap().unwrap();
        assert_eq!(glance.record(&thing("lamp")), Some(record));
        assert_eq!(glance.record(&thing("other")), None);
        assert!(contents(folder.path()) == before, "a look has written");
    }

    #[test]
    fn a_store_that_a_gateway_holds_or_would_refuse_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let Err(StoreError::InUse { holder }) = Glance::at(folder.path()) else { panic!("it is held") };
        assert_eq!(holder, format!("process {}", std::process::id()));
        drop(store);
        assert!(Glance::at(folder.path()).unwrap().is_some());
        fs::write(folder.path().join("state.redb"), "no store").unwrap();
        assert!(matches!(Glance::at(folder.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_lock_is_known_by_its_place_or_by_its_inode_and_process() {
        let line = "1: FLOCK  ADVISORY  WRITE 14910 fe:00:1073 0 EOF";
        assert!(is_of(line, "fe:00:1073", "") && is_of(line, "00:2a:1073", "14910"));
        assert!(
            !is_of(line, "fe:00:107", "14910") && !is_of(line, "00:2a:1073", "1") && !is_of(line, "00:2a:1073", "")
        );
        let waiting = "1: -> FLOCK  ADVISORY  WRITE 14910 fe:00:1073 0 EOF";
        assert!(!is_of(waiting, "fe:00:1073", "") && !is_of(&line.replace("FLOCK", "POSIX"), "fe:00:1073", ""));
    }
}
