//! The store against a real file: order and atomicity of groups, reopening, damage, the lock, and a disk that fails at
//! every single operation of a commit.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

mod faulty_disk;

pub(super) fn thing(name: &str) -> ThingName {
    name.parse().unwrap()
}

pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

pub(super) fn state_batch(name: &str, key: &str, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put_state(&thing(name), key, Some(value.to_vec()));
    batch
}

#[test]
fn what_is_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let lamp = thing("lamp");
    let mut record = ThingRecord::new(lamp.clone());
    let ids = run(async {
        let store = Store::open(dir.path()).unwrap();
        record.install(ComponentDigest::of(b"x"), VersionOrigin::Pushed, 1);
        let mut batch = Batch::new();
        batch.put_record(&record).put_state(&lamp, "settings/level", Some(b"7".to_vec()));
        batch.reserve_clock(&lamp, 5_000_000).reserve_event_ids("lamp", 1_000);
        store.commit(batch).await.unwrap();
        OWN_THINGS.map(|own| store.own_id(own).unwrap())
    });
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.record(&lamp), Some(record.clone()));
    assert_eq!(store.records(), [record]);
    assert_eq!(store.state(&lamp), BTreeMap::from([("settings/level".to_owned(), b"7".to_vec())]));
    assert_eq!((store.clock_us(&lamp), store.event_id("lamp")), (5_000_000, 1_000));
    assert_eq!(OWN_THINGS.map(|own| store.own_id(own).unwrap()), ids, "the gateway's own ids are minted once");
    assert_eq!(store.clock_us(&thing("other")), 0);
}

#[test]
fn state_goes_back_to_what_it_was_before_the_switch_and_neighbours_are_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let (lamp, neighbour) = (thing("lamp"), thing("lamp-2"));
    let expected = BTreeMap::from([("a".to_owned(), b"1".to_vec()), ("settings/level".to_owned(), b"9".to_vec())]);
    run(async {
        let store = Store::open(dir.path()).unwrap();
        store.commit(state_batch("lamp-2", "a", b"n")).await.unwrap();
        let mut batch = state_batch("lamp", "a", b"1");
        batch.keep_state_before(&lamp);
        batch.put_state(&lamp, "a", Some(b"2".to_vec())).put_state(&lamp, "new", Some(vec![]));
        store.commit(batch).await.unwrap();
        assert_eq!(store.state_before(&lamp).len(), 1);
        let mut back = Batch::new();
        back.restore_state_before(&lamp).put_state(&lamp, "settings/level", Some(b"9".to_vec()));
        back.forget_state_before(&lamp);
        store.commit(back).await.unwrap();
        assert_eq!(store.state(&lamp), expected);
        assert!(store.state_before(&lamp).is_empty());
    });
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.state(&lamp), expected, "the file agrees with the memory");
    assert_eq!(store.state(&neighbour).len(), 1);
}

#[test]
fn concurrent_commits_keep_their_order_and_stay_whole() {
    const CALLERS: u64 = 50;
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let store = Store::open(dir.path()).unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    for round in 0..10_u64 {
                        // Two cells of one batch, and one that every caller writes.
                        let mut batch = state_batch(&format!("t{caller}"), "a", &round.to_le_bytes());
                        batch.put_state(&thing(&format!("t{caller}")), "b", Some(round.to_le_bytes().to_vec()));
                        batch.put_state(&thing("shared"), "last", Some(caller.to_le_bytes().to_vec()));
                        store.commit(batch).await.unwrap();
                        let state = store.state(&thing(&format!("t{caller}")));
                        assert_eq!(state["a"], round.to_le_bytes(), "acknowledged is visible");
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
    let store = Store::open(dir.path()).unwrap();
    for caller in 0..CALLERS {
        let state = store.state(&thing(&format!("t{caller}")));
        assert_eq!(state["a"], 9_u64.to_le_bytes());
        assert_eq!(state["a"], state["b"]);
    }
}

#[test]
fn file_and_mirror_agree_after_random_changes() {
    // A small linear congruential generator: the same changes at every run.
    let mut seed = 42_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "aa", "b"].map(thing);
    let in_memory = run(async {
        let store = Store::open(dir.path()).unwrap();
        for _ in 0..200 {
            let mut batch = Batch::new();
            for _ in 0..next(6) {
                let name = &names[usize::try_from(next(3)).unwrap()];
                let key = format!("k{}", next(4));
                match next(6) {
                    0 => batch.put_state(name, &key, None),
                    1 => batch.clear_state(name),
                    2 => batch.keep_state_before(name),
                    3 => batch.restore_state_before(name),
                    _ => batch.put_state(name, &key, Some(next(1000).to_le_bytes().to_vec())),
                };
            }
            store.commit(batch).await.unwrap();
        }
        store.mirror().clone()
    });
    assert!(*Store::open(dir.path()).unwrap().mirror() == in_memory);
}

#[test]
fn what_is_too_large_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let store = Store::open(dir.path()).unwrap();
        let large = state_batch("lamp", "a", &vec![0; VALUE_BYTES_MAX + 1]);
        let long = state_batch("lamp", &"k".repeat(KEY_BYTES_MAX + 1), b"");
        let mut many = Batch::new();
        for n in 0..9 {
            many.put_state(&thing("lamp"), &n.to_string(), Some(vec![0; VALUE_BYTES_MAX]));
        }
        for batch in [large, long, many] {
            assert!(matches!(store.commit(batch).await, Err(StoreError::TooLarge { .. })));
        }
        assert!(store.state(&thing("lamp")).is_empty());
        store.commit(state_batch("lamp", "a", &vec![1; VALUE_BYTES_MAX])).await.unwrap();
    });
}

#[test]
fn a_second_gateway_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    let own = format!("process {}", std::process::id());
    assert!(matches!(&error, StoreError::InUse { holder } if *holder == own), "{error}");
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_lock_held_by_another_process_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    // flock(1) of util-linux holds the same kind of lock from another process, until its input ends.
    let mut other = std::process::Command::new("flock")
        .arg(dir.path().join("lock"))
        .args(["sh", "-c", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(other.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::InUse { .. })));
    drop(other.stdin.take());
    other.wait().unwrap();
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_component_goes_with_its_last_holder_unless_a_version_refers_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (one, again) = (store.keep(b"one").unwrap(), store.keep(b"one").unwrap());
    let digest = one.digest();
    drop(one);
    assert_eq!(store.collect_components().unwrap(), 0, "another holds it");
    assert!(store.components().get(&digest).is_ok());
    drop(again);
    assert!(store.components().get(&digest).is_err(), "nobody needs it");
    let kept = store.keep(b"one").unwrap();
    let mut record = ThingRecord::new(thing("lamp"));
    record.install(digest, VersionOrigin::Pushed, 1);
    let mut batch = Batch::new();
    batch.put_record(&record);
    run(store.commit(batch)).unwrap();
    drop(kept);
    assert!(store.components().get(&digest).is_ok(), "a version refers to it");
}

#[test]
fn the_data_directory_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    drop(Store::open(&data).unwrap());
    for folder in [data.clone(), data.join("components")] {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_damaged_file_is_a_clear_error_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let store = Store::open(dir.path()).unwrap();
        for n in 0..100 {
            store.commit(state_batch("lamp", &n.to_string(), &[7; 500])).await.unwrap();
        }
    });
    let path = dir.path().join("state.redb");
    let sound = std::fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    flipped[..4096].iter_mut().for_each(|byte| *byte ^= 0x55);
    let damages: [(&str, Vec<u8>); 5] = [
        ("text", b"this is no database".repeat(1000)),
        ("half a header", sound[..60].to_vec()),
        ("one page", sound[..4096].to_vec()),
        ("torn", sound[..sound.len() / 3].to_vec()),
        ("flipped header", flipped),
    ];
    for (case, bytes) in damages {
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(dir.path()).expect_err(case);
        assert!(matches!(error, StoreError::Damaged { .. }), "{case}: {error:?}");
        assert_eq!(std::fs::read(&path).unwrap().len(), bytes.len(), "{case}: the evidence is kept");
    }
    std::fs::write(&path, &sound).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().state(&thing("lamp")).len(), 100);
}

#[test]
fn a_newer_schema_and_a_broken_record_are_clear_errors() {
    let dir = tempfile::tempdir().unwrap();
    let write = |table, thing: &str, value: &[u8]| {
        let mut batch = Batch::new();
        batch.put(table, thing, "", value.to_vec());
        run(async { Store::open(dir.path()).unwrap().commit(batch).await.unwrap() });
    };
    write(Table::Things, "lamp", b"{\"name\":\"lamp\"}");
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("the record of `lamp`"), "{error}");
    std::fs::remove_file(dir.path().join("state.redb")).unwrap();
    write(Table::Gateway, "schema", &99_u64.to_le_bytes());
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: SCHEMA }));
}
