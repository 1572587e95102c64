//! The import rules as tables: one row per case, named after what a person does.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::{
    config::{Budgets, parse_declaration},
    store::VersionOrigin,
};

fn file(text: &str) -> Declaration {
    parse_declaration(Path::new("lamp.toml"), &format!("handler = \"relay\"\n{text}"), Budgets::default()).unwrap()
}

fn imported(text: &str) -> ThingRecord {
    import_declared(None, &file(text)).record
}

fn with(record: ThingRecord, edit: impl Fn(&mut ThingRecord)) -> ThingRecord {
    let mut record = record;
    edit(&mut record);
    record
}

#[test]
fn a_file_that_is_there() {
    let away = |record: &mut ThingRecord| record.moved_to = Some("node-b".into());
    let off = |record: &mut ThingRecord| record.presence = Presence::Off;
    let deleted = |record: &mut ThingRecord| record.presence = Presence::Deleted;
    let api = |record: &mut ThingRecord| record.declaration_hash = None;
    let (one, two) = ("title = \"One\"", "title = \"Two\"");
    let rows = [
        ("new", None, one, ImportChange::Created),
        ("unchanged", Some(imported(one)), one, ImportChange::Unchanged),
        ("changed", Some(imported(one)), two, ImportChange::Changed),
        ("removed and back", Some(with(imported(one), off)), one, ImportChange::Returned),
        ("removed and back, changed", Some(with(imported(one), off)), two, ImportChange::Returned),
        ("deleted by API, same file", Some(with(imported(one), deleted)), one, ImportChange::StaysDeleted),
        ("deleted by API, new file", Some(with(imported(one), deleted)), two, ImportChange::Recreated),
        ("moved away, same file", Some(with(imported(one), away)), one, ImportChange::StaysAway),
        ("moved away, new file", Some(with(imported(one), away)), two, ImportChange::StaysAway),
        ("made by API, then exported as a file", Some(with(imported(one), api)), one, ImportChange::Changed),
    ];
    for (case, record, text, change) in rows {
        let import = import_declared(record.as_ref(), &file(text));
        assert_eq!(import.change, change, "{case}");
        let again = import_declared(Some(&import.record), &file(text));
        assert!(again.batch().is_empty() && again.record == import.record, "{case}: the second import does nothing");
        let served = !matches!(change, ImportChange::StaysAway | ImportChange::StaysDeleted);
        assert_eq!(import.record.is_served(), served, "{case}");
        if let Some(record) = record {
            let same_thing = change != ImportChange::Recreated;
            assert_eq!(import.record.id == record.id, same_thing, "{case}: the id");
            assert_eq!(import.record.handler_id == record.handler_id, same_thing, "{case}: the handler's id");
            assert_eq!(import.record.owner_epoch > record.owner_epoch, !same_thing, "{case}: the epoch");
        }
    }
}

#[test]
fn a_file_that_is_gone() {
    let rows = [
        ("declared", imported(""), Presence::Off, ImportChange::TurnedOff),
        ("off already", with(imported(""), |r| r.presence = Presence::Off), Presence::Off, ImportChange::Unchanged),
        ("made by API", with(imported(""), |r| r.declaration_hash = None), Presence::Present, ImportChange::Unchanged),
        (
            "deleted by API",
            with(imported(""), |r| r.presence = Presence::Deleted),
            Presence::Deleted,
            ImportChange::Unchanged,
        ),
        (
            "moved away",
            with(imported(""), |r| r.moved_to = Some("b".into())),
            Presence::Present,
            ImportChange::StaysAway,
        ),
    ];
    for (case, record, presence, change) in rows {
        let import = import_undeclared(&record);
        assert_eq!((import.record.presence, import.change), (presence, change), "{case}");
    }
}

#[test]
fn settings_are_compared_key_by_key() {
    let seen = "[settings]\na = 1\nb = 2";
    // (the file now, the keys whose written value no longer counts)
    let rows: [(&str, &[&str]); 6] = [
        ("[settings]\na = 1\nb = 2", &[]),
        ("title = \"New\"\n[settings]\na = 1\nb = 2", &[]),
        ("[settings]\na = 9\nb = 2", &["a"]),
        ("[settings]\na = 1\nb = \"2\"", &["b"]),
        ("[settings]\nb = 2\nc = 3", &["c"]),
        ("", &[]),
    ];
    for (text, forgotten) in rows {
        let import = import_declared(Some(&imported(seen)), &file(text));
        assert_eq!(import.settings_forgotten, forgotten, "{text}");
        assert_eq!(import.record.settings_seen, file(text).settings, "{text}");
    }
    assert_eq!(imported(seen).settings_seen.get("a"), Some(&json!(1)));
}

#[test]
fn a_pushed_handler_wins_until_the_folder_changes() {
    let digest = |text: &str| ComponentDigest::of(text.as_bytes());
    let record = |seen: Option<&str>, current: Option<&str>| {
        with(imported(""), |record| {
            record.folder_digest_seen = seen.map(digest);
            if let Some(current) = current {
                record.install(digest(current), VersionOrigin::Pushed, 0);
            }
        })
    };
    let rows = [
        ("nothing anywhere", record(None, None), None, FolderChoice::Missing),
        ("first start", record(None, None), Some("f1"), FolderChoice::Install),
        ("folder's own, unchanged", record(Some("f1"), Some("f1")), Some("f1"), FolderChoice::Keep),
        ("folder updated", record(Some("f1"), Some("f1")), Some("f2"), FolderChoice::Install),
        ("pushed over the folder", record(Some("f1"), Some("p1")), Some("f1"), FolderChoice::Keep),
        ("pushed, then the folder updated", record(Some("f1"), Some("p1")), Some("f2"), FolderChoice::Install),
        ("pushed, then copied into the folder", record(Some("f1"), Some("p1")), Some("p1"), FolderChoice::Note),
        ("folder emptied", record(Some("f1"), Some("f1")), None, FolderChoice::Keep),
        ("pushed before any folder", record(None, Some("p1")), Some("f1"), FolderChoice::Install),
    ];
    for (case, record, folder, choice) in rows {
        assert_eq!(choose_folder(&record, folder.map(digest).as_ref()), choice, "{case}");
    }
}
