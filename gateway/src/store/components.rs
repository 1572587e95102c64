//! Component files: `components/DIGEST.wasm`, each stored once under the SHA-256 of its bytes.
//!
//! A file appears whole or not at all (temporary file, fsync, rename, fsync of the folder) and is checked against its
//! name on every read: a damaged one is an error, never a handler. Files that no record refers to go at start.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{StoreError, folder};
use crate::{crash_point::CrashPoint, names::ComponentDigest};

/// Largest component that is read back; admission's own limit is lower.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// The folder of components. Its methods block on the disk: call them from a blocking task.
#[derive(Debug, Clone)]
pub struct Components {
    folder: PathBuf,
}

impl Components {
    pub(super) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let folder = data_dir.join("components");
        folder::create(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, digest: &ComponentDigest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
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

    /// Removes every file but those of `kept`; returns how many. For the start, before anything can be installed.
    pub fn collect(&self, kept: &BTreeSet<ComponentDigest>) -> Result<usize, StoreError> {
        let failed = |source: io::Error| StoreError::io("list", &self.folder, source);
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".wasm"));
            if stem.and_then(|stem| stem.parse().ok()).is_none_or(|digest| !kept.contains(&digest)) {
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
        assert_eq!(components.collect(&BTreeSet::from([kept])).unwrap(), 2);
        assert_eq!(components.get(&kept).unwrap(), b"kept");
    }
}
