//! Component files: `components/DIGEST.wasm`, each stored once under the SHA-256 of its bytes.
//!
//! A file appears whole or not at all (temporary file, fsync, rename, fsync of the folder) and is checked against its
//! name on every read: a damaged one is an error, never a handler. Files that no record refers to go, when who brought
//! them lets go of them, or at start.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Store, StoreError, folder};
use crate::{crash_point::CrashPoint, names::ComponentDigest};

/// Largest component that is read back; admission's own limit is lower.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// The folder of components. Its methods block on the disk: call them from a blocking task.
#[derive(Debug, Clone)]
pub struct Components {
    folder: PathBuf,
    /// How often each is held: it may become a version's, so it is not removed.
    held: Arc<Mutex<BTreeMap<ComponentDigest, usize>>>,
}

/// A component that somebody needs who has no version of it yet, or none any more. When the last of its holders lets go
/// and no version refers to it, its file is removed.
#[derive(Debug)]
pub struct Kept {
    store: Store,
    digest: ComponentDigest,
}

impl Kept {
    pub(super) fn hold(store: Store, digest: ComponentDigest) -> Self {
        *store.components().held().entry(digest).or_default() += 1;
        Self { store, digest }
    }

    /// Which one.
    #[must_use]
    pub fn digest(&self) -> ComponentDigest {
        self.digest
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut held = self.store.components().held();
        let count = held.get(&self.digest).map_or(0, |count| count.saturating_sub(1));
        if count > 0 {
            held.insert(self.digest, count);
            return;
        }
        held.remove(&self.digest);
        // A commit that failed may be on disk all the same, until it is undone: then all of them are looked at.
        let in_doubt = self.store.trouble().borrow().is_some();
        if in_doubt || self.store.referred().any(|digest| digest == self.digest) {
            return;
        }
        match fs::remove_file(self.store.components().path(&self.digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, "a component that nothing refers to is left until the next start");
            }
            _ => {}
        }
    }
}

impl Components {
    pub(super) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let components = Self::of(data_dir);
        folder::create(&components.folder)?;
        Ok(components)
    }

    /// The folder as it is, which may be missing.
    pub(super) fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("components"), held: Arc::default() }
    }

    fn path(&self, digest: &ComponentDigest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    /// Under this lock nothing is removed that comes to be held, or to be referred to by who held it.
    fn held(&self) -> MutexGuard<'_, BTreeMap<ComponentDigest, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores `bytes` durably and returns their digest; a sound copy that is already there is left alone.
    pub fn put(&self, bytes: &[u8]) -> Result<ComponentDigest, StoreError> {
        let digest = ComponentDigest::of(bytes);
        if self.get(&digest).is_ok() {
            return Ok(digest);
        }
        let path = self.path(&digest);
        let draft = self.folder.join(format!("{digest}.{}.tmp", uuid::Uuid::new_v4().simple()));
        let written = write_synced(&draft, bytes).and_then(|()| fs::rename(&draft, &path));
        let written = written.inspect(|()| CrashPoint::ComponentRenamed.pass());
        if let Err(source) = written.and_then(|()| File::open(&self.folder)?.sync_all()) {
            // The draft may not exist; what is left of it goes at the next start.
            drop(fs::remove_file(&draft));
            return Err(StoreError::io("write", &path, source));
        }
        CrashPoint::ComponentKept.pass();
        Ok(digest)
    }

    /// The component's bytes, checked against `digest`.
    pub fn get(&self, digest: &ComponentDigest) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(COMPONENT_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|source| StoreError::io("read", &path, source))?;
        let found = ComponentDigest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(StoreError::ComponentDamaged { digest: *digest, found }) }
    }

    /// Removes every file but those of `kept` and what is held, drafts of it included; returns how many.
    pub(super) fn collect(&self, kept: impl FnOnce() -> BTreeSet<ComponentDigest>) -> Result<usize, StoreError> {
        let failed = |source: io::Error| StoreError::io("list", &self.folder, source);
        let held = self.held();
        let kept = kept();
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let (stem, rest) = path.file_name().and_then(|name| name.to_str()?.split_once('.')).unwrap_or_default();
            let digest = stem.parse::<ComponentDigest>().ok();
            let stays = |digest| held.contains_key(&digest) || (rest == "wasm" && kept.contains(&digest));
            if !digest.is_some_and(stays) {
                fs::remove_file(&path).map_err(|source| StoreError::io("remove", &path, source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    CrashPoint::ComponentWritten.pass();
    file.sync_all()?;
    CrashPoint::ComponentSynced.pass();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Components) {
        let dir = tempfile::tempdir().unwrap();
        let components = Components::open(dir.path()).unwrap();
        (dir, components)
    }

    #[test]
    fn a_component_comes_back_under_its_digest() {
        let (_dir, components) = open();
        let digest = components.put(b"one").unwrap();
        assert_eq!(digest, ComponentDigest::of(b"one"));
        assert_eq!(components.get(&digest).unwrap(), b"one");
        assert_eq!(components.put(b"one").unwrap(), digest, "storing it twice is no error");
        assert!(matches!(components.get(&ComponentDigest::of(b"two")), Err(StoreError::Storage { .. })));
    }

    #[test]
    fn a_damaged_file_is_detected_and_replaced_by_a_sound_one() {
        let (_dir, components) = open();
        let digest = components.put(b"component").unwrap();
        for damage in [&b"componenT"[..], b"comp", b""] {
            fs::write(components.path(&digest), damage).unwrap();
            assert!(matches!(components.get(&digest), Err(StoreError::ComponentDamaged { .. })));
        }
        components.put(b"component").unwrap();
        assert_eq!(components.get(&digest).unwrap(), b"component");
    }

    #[test]
    fn unreferenced_files_and_drafts_are_collected() {
        let (dir, components) = open();
        let kept = components.put(b"kept").unwrap();
        components.put(b"old").unwrap();
        fs::write(dir.path().join("components/half.tmp"), b"x").unwrap();
        assert_eq!(components.collect(|| BTreeSet::from([kept])).unwrap(), 2);
        assert_eq!(components.get(&kept).unwrap(), b"kept");
    }
}
