//! Compiled components on disk: native code, so nothing is loaded that this gateway has not written itself.
//!
//! A file holds an HMAC-SHA256 over the code and the name under which it lies, then the code; the name is the component's
//! digest and a digest of the compiler's version and settings. On any doubt the file is deleted and the component compiled
//! again. A key file of 32 random bytes, mode 0600, is made once; whoever reads it may run code as the gateway.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::digest::ComponentDigest;
use crate::engine::EngineConfig;
use crate::error::HandlerError;

const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const EXTENSION: &str = "compiled";
/// A compiled component that is larger than this was not written by us.
const FILE_BYTES_MAX: u64 = 256 << 20;

pub(crate) struct Cache {
    dir: PathBuf,
    bytes_max: u64,
    key: [u8; KEY_BYTES],
    compiler: String,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens or makes the folder and the key.
    pub(crate) fn open(dir: PathBuf, config: &EngineConfig, engine: &Engine) -> Result<Self, HandlerError> {
        let refused = |error: io::Error| HandlerError::host("no cache of compiled handlers", error);
        fs::create_dir_all(&dir).map_err(refused)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(refused)?;
        if let Err(error) = remove_unfinished(&dir) {
            tracing::debug!(%error, "unfinished compiled handlers are left over");
        }
        let key_file = config.cache_key_file.clone().unwrap_or_else(|| dir.join("cache.key"));
        let key = key(&key_file).map_err(refused)?;
        Ok(Self { dir, bytes_max: config.cache_bytes_max, key, compiler: compiler(engine) })
    }

    /// The compiled form of a component, if an untouched file of it is here.
    pub(crate) fn read(&self, digest: &ComponentDigest) -> Option<Vec<u8>> {
        let name = self.name(digest);
        let path = self.dir.join(&name);
        let mut bytes = read_bounded(&path)?;
        if bytes.len() < MAC_BYTES || self.mac(&name, &bytes[MAC_BYTES..]).verify_slice(&bytes[..MAC_BYTES]).is_err() {
            tracing::warn!(path = %path.display(), "a compiled handler was changed; it is compiled anew");
            self.remove(digest);
            return None;
        }
        let touched = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::debug!(%error, "the age of a compiled handler is not kept");
        }
        bytes.drain(..MAC_BYTES);
        Some(bytes)
    }

    /// Keeps a compiled form; the oldest ones make room for it. A cache that cannot be written is no fault.
    pub(crate) fn write(&self, digest: &ComponentDigest, code: &[u8]) {
        if let Err(error) = self.try_write(digest, code).and_then(|()| self.make_room()) {
            tracing::warn!(%error, "a compiled handler is not kept; the next start compiles it again");
        }
    }

    /// Deletes the compiled form of a component.
    pub(crate) fn remove(&self, digest: &ComponentDigest) {
        if let Err(error) = fs::remove_file(self.dir.join(self.name(digest))) {
            tracing::debug!(%error, "a compiled handler was not deleted");
        }
    }

    fn name(&self, digest: &ComponentDigest) -> String {
        format!("{digest}-{}.{EXTENSION}", self.compiler)
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; 64];
        block[..KEY_BYTES].copy_from_slice(&self.key);
        let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }

    fn try_write(&self, digest: &ComponentDigest, code: &[u8]) -> io::Result<()> {
        let name = self.name(digest);
        let mac = self.mac(&name, code).finalize().into_bytes();
        let unfinished = self.dir.join(format!("{name}.{:x}", getrandom::u64()?));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(&mac)?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.dir.join(&name))?;
            File::open(&self.dir)?.sync_all()
        })();
        if written.is_err() && unfinished.exists() {
            fs::remove_file(&unfinished)?;
        }
        written
    }

    /// Deletes the files that were used longest ago until the folder is within its bound; unfinished files count and go first
    /// by their age alone.
    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let path = entry.path();
            let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(EXTENSION));
            let metadata = entry.metadata()?;
            if ours && metadata.is_file() {
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        files.sort();
        let mut sum: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if sum <= self.bytes_max {
                break;
            }
            fs::remove_file(&path)?;
            sum -= len;
        }
        Ok(())
    }
}

/// What was not finished when its gateway was killed. A folder has one gateway at a time.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.contains(&format!(".{EXTENSION}.")) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn read_bounded(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata().ok()?.len().min(FILE_BYTES_MAX)).ok()?);
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The key of the file, made anew when it is absent or not a key.
fn key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match fs::read(path).map(<[u8; KEY_BYTES]>::try_from) {
        Ok(Ok(key)) => return Ok(key),
        Ok(Err(_)) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

/// What decides whether compiled code fits: wasmtime's version and settings, the processor, and our version.
fn compiler(engine: &Engine) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    hasher.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// `std`'s hashers may change between releases; a file name must not.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &Path, bytes_max: u64) -> Cache {
        let config = EngineConfig { cache_bytes_max: bytes_max, ..EngineConfig::default() };
        Cache::open(dir.to_owned(), &config, &Engine::default()).unwrap()
    }

    #[test]
    fn a_file_is_read_only_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("compiled");
        let (one, other) = (ComponentDigest::of(b"1"), ComponentDigest::of(b"2"));
        let opened = cache(&folder, 1 << 20);
        opened.write(&one, b"native code");
        assert_eq!(cache(&folder, 1 << 20).read(&one).as_deref(), Some(&b"native code"[..]), "the key is kept");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(folder.join("cache.key")).unwrap().permissions().mode() & 0o777, 0o600);

        let path = folder.join(opened.name(&one));
        fs::copy(&path, folder.join(opened.name(&other))).unwrap();
        assert_eq!(opened.read(&other), None, "code of one component under another's name");

        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(opened.read(&one), None, "one bit changed");
        assert!(!path.exists(), "a changed file is deleted");
    }

    #[test]
    fn what_was_not_finished_is_gone_after_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let digest = ComponentDigest::of(b"1");
        let opened = cache(dir.path(), 1 << 20);
        opened.write(&digest, b"native code");
        let unfinished = dir.path().join(format!("{}.5eed", opened.name(&digest)));
        fs::write(&unfinished, b"nati").unwrap();
        assert!(cache(dir.path(), 1 << 20).read(&digest).is_some() && !unfinished.exists());
    }

    #[test]
    fn another_key_reads_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let digest = ComponentDigest::of(b"1");
        cache(dir.path(), 1 << 20).write(&digest, b"native code");
        fs::write(dir.path().join("cache.key"), b"short").unwrap();
        assert_eq!(cache(dir.path(), 1 << 20).read(&digest), None);
    }

    #[test]
    fn the_folder_has_an_upper_bound() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 300);
        let digests: Vec<_> = (0_u8..4).map(|number| ComponentDigest::of(&[number])).collect();
        for (digest, age_s) in digests.iter().zip([40, 30, 20, 10]) {
            cache.write(digest, &[0; 100]);
            if let Ok(file) = File::open(dir.path().join(cache.name(digest))) {
                file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s)).unwrap();
            }
        }
        let kept: Vec<_> = digests.iter().map(|digest| cache.read(digest).is_some()).collect();
        assert_eq!(kept, [false, false, true, true]);
    }
}
