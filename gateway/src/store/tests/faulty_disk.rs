//! A disk that fails on command, under the real file: at every write, every fsync and every growth of a commit in turn.

use std::sync::atomic::AtomicU64;

use redb::{StorageBackend, backends::FileBackend};

use super::*;

/// When the disk fails: from the n-th write, growth or fsync on, until healed.
#[derive(Debug, Default)]
struct Switch {
    broken: AtomicBool,
    operations_left: AtomicU64,
}

impl Switch {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            let left = self.operations_left.load(Ordering::SeqCst);
            if left == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.operations_left.store(left - 1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn fail_after(&self, operations: u64) {
        self.operations_left.store(operations, Ordering::SeqCst);
        self.broken.store(true, Ordering::SeqCst);
    }

    fn heal(&self) {
        self.broken.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: FileBackend,
    switch: Arc<Switch>,
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.switch.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.switch.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.switch.check()?;
        self.file.write(offset, data)
    }
}

fn open(dir: &Path, switch: &Arc<Switch>) -> Store {
    folder::create(dir).unwrap();
    let lock = folder::lock(dir).unwrap();
    let (path, switch) = (dir.join("state.redb"), Arc::clone(switch));
    let opener = move || {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let file = FaultyFile { file: FileBackend::new(file).unwrap(), switch: Arc::clone(&switch) };
        Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(file).map_err(tables::open_error)
    };
    Store::open_with(dir, lock, Box::new(opener)).unwrap()
}

/// What a plain open finds on disk now, as after a kill at this moment.
fn on_disk(dir: &Path, copy: &Path) -> BTreeMap<String, Vec<u8>> {
    folder::create(copy).unwrap();
    std::fs::copy(dir.join("state.redb"), copy.join("state.redb")).unwrap();
    Store::open(copy).unwrap().state(&thing("lamp"))
}

#[test]
fn a_disk_that_fails_at_any_operation_loses_nothing_and_acknowledges_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open(dir.path(), &switch);
    let lamp = thing("lamp");
    let mut failures = 0_u32;
    run(async {
        store.commit(state_batch("lamp", "kept", b"0")).await.unwrap();
        for operations in 0.. {
            assert!(operations < 200, "a commit has an end");
            let before = store.state(&lamp);
            switch.fail_after(operations);
            let mut batch = state_batch("lamp", "kept", &operations.to_le_bytes());
            batch.put_state(&lamp, &format!("n{operations}"), Some(vec![1; 3_000]));
            let answer = store.commit(batch).await;
            if answer.is_ok() {
                assert_eq!(store.state(&lamp)["kept"], operations.to_le_bytes());
                break;
            }
            failures += 1;
            assert!(matches!(answer, Err(StoreError::Storage { .. })), "{answer:?}");
            assert_eq!(store.state(&lamp), before, "reads go on, with what is acknowledged");
            let again = store.commit(state_batch("lamp", "x", b"")).await;
            assert!(again.is_err(), "the disk is still broken");
            switch.heal();
            store.commit(state_batch("lamp", "after", &operations.to_le_bytes())).await.unwrap();
            let mut expected = before;
            expected.insert("after".into(), operations.to_le_bytes().to_vec());
            assert_eq!(store.state(&lamp), expected, "recovered without a restart");
            assert_eq!(on_disk(dir.path(), copy.path()), expected, "what was refused is not on disk either");
        }
    });
    assert!(failures >= 3, "writes, and the fsync, have failed in turn: {failures}");
}

#[test]
fn every_caller_of_a_failed_group_gets_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open(dir.path(), &switch);
    run(async {
        switch.fail_after(0);
        let calls: Vec<_> = (0..20)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.commit(state_batch("lamp", &n.to_string(), b"x")).await })
            })
            .collect();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Err(StoreError::Storage { .. })));
        }
        assert!(store.trouble().borrow().is_some());
        assert!(store.try_again().await.is_err());
        switch.heal();
        store.try_again().await.unwrap();
        assert_eq!(*store.trouble().borrow(), None, "without anybody who has something to write");
        store.commit(state_batch("lamp", "ok", b"x")).await.unwrap();
    });
    assert_eq!(store.state(&thing("lamp")).len(), 1);
}

#[test]
fn a_component_is_not_removed_while_it_is_in_doubt_whether_a_version_refers_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open(dir.path(), &switch);
    let kept = store.keep(b"component").unwrap();
    let digest = kept.digest();
    run(async {
        switch.fail_after(0);
        store.commit(state_batch("lamp", "a", b"x")).await.unwrap_err();
        drop(kept);
        assert!(store.components().get(&digest).is_ok());
        switch.heal();
        store.try_again().await.unwrap();
    });
    assert_eq!(store.collect_components().unwrap(), 1);
}
