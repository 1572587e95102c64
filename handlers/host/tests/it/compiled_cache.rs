//! The compiled cache: what was compiled is loaded again, what was changed is compiled anew.

use std::fs;
use std::path::{Path, PathBuf};

use handler_host::{EngineConfig, HandlerEngine};

use crate::guest::Guest;

fn engine(dir: &Path) -> HandlerEngine {
    let config = EngineConfig { cache_dir: Some(dir.to_owned()), instances_max: 2, ..EngineConfig::default() };
    HandlerEngine::new(config).unwrap()
}

fn compiled(dir: &Path) -> PathBuf {
    let mut files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "compiled")).unwrap()
}

#[test]
fn who_loads_what_is_in_use_shares_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, bytes) = (engine(dir.path()), Guest::new().component());
    let one = engine.load(&bytes).unwrap();
    assert!(!one.from_cache() && !engine.load(&bytes).unwrap().from_cache(), "not looked for in the cache again");
    // Whose disk is full gives back nothing that another uses.
    let other = engine.load(&bytes).unwrap();
    engine.forget(&other);
    assert!(compiled(dir.path()).exists());
    drop((one, other));
    assert!(engine.load(&bytes).unwrap().from_cache(), "what nobody uses is gone from memory");
}

#[test]
fn a_component_is_compiled_once_and_again_when_its_file_or_the_key_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::new().component();
    assert!(!engine(dir.path()).load(&bytes).unwrap().from_cache());
    assert!(engine(dir.path()).load(&bytes).unwrap().from_cache());

    let path = compiled(dir.path());
    let mut changed = fs::read(&path).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x10;
    fs::write(&path, changed).unwrap();
    assert!(!engine(dir.path()).load(&bytes).unwrap().from_cache(), "one bit changed");
    assert!(engine(dir.path()).load(&bytes).unwrap().from_cache(), "and was written anew");

    fs::write(dir.path().join("cache.key"), [7; 32]).unwrap();
    assert!(!engine(dir.path()).load(&bytes).unwrap().from_cache(), "another key");

    fs::write(compiled(dir.path()), b"").unwrap();
    assert!(!engine(dir.path()).load(&bytes).unwrap().from_cache(), "an empty file");
}
