//! The tables in `state.redb`: (Thing, key) -> bytes, one redb table per [`Table`].
//!
//! Only this file and the writer know redb's types. Applying a change here and to the mirror has the same outcome; the
//! test `file_and_mirror_agree_after_random_changes` holds them together.

use std::collections::BTreeSet;

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use super::{
    StoreError,
    batch::{Cell, Change, Table},
    mirror::Mirror,
};

type Cells = TableDefinition<'static, (&'static str, &'static str), &'static [u8]>;

const fn cells(table: Table) -> Cells {
    TableDefinition::new(table.name())
}

/// Reads the whole file into memory. Creates the tables that are missing (all of them, in a new file).
pub(super) fn load(database: &redb::Database) -> Result<Mirror, redb::Error> {
    // Only a new file needs a commit (and its fsync): a start is not to wait for the disk.
    if database.begin_read()?.list_tables()?.count() < Table::ALL.len() {
        let transaction = database.begin_write()?;
        for table in Table::ALL {
            transaction.open_table(cells(table))?;
        }
        transaction.commit()?;
    }
    let transaction = database.begin_read()?;
    let mut mirror = Mirror::default();
    for table in Table::ALL {
        for entry in transaction.open_table(cells(table))?.iter()? {
            let (key, value) = entry?;
            let (thing, key) = key.value();
            mirror.insert(Cell::new(table, thing, key), value.value().to_vec());
        }
    }
    Ok(mirror)
}

/// Applies one change inside a transaction.
pub(super) fn apply(transaction: &WriteTransaction, change: &Change) -> Result<(), redb::Error> {
    match change {
        Change::Put(cell, value) => {
            let mut table = transaction.open_table(cells(cell.table))?;
            table.insert((cell.thing.as_str(), cell.key.as_str()), value.as_slice())?;
        }
        Change::Delete(cell) => {
            let mut table = transaction.open_table(cells(cell.table))?;
            table.remove((cell.thing.as_str(), cell.key.as_str()))?;
        }
        Change::Clear(table, thing) => clear(transaction, *table, thing)?,
        Change::Copy(from, to, thing) => {
            clear(transaction, *to, thing)?;
            let source = transaction.open_table(cells(*from))?;
            let mut target = transaction.open_table(cells(*to))?;
            for entry in source.range((thing.as_str(), "")..)? {
                let (key, value) = entry?;
                if key.value().0 != thing {
                    break;
                }
                target.insert(key.value(), value.value())?;
            }
        }
    }
    Ok(())
}

fn clear(transaction: &WriteTransaction, table: Table, thing: &str) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(cells(table))?;
    let mut keys = BTreeSet::new();
    for entry in table.range((thing, "")..)? {
        let (key, _) = entry?;
        let (owner, key) = key.value();
        if owner != thing {
            break;
        }
        keys.insert(key.to_owned());
    }
    for key in keys {
        table.remove((thing, key.as_str()))?;
    }
    Ok(())
}

/// Makes a Thing's cells of one table on disk what they are in memory: undoes what a failed commit may have left there.
pub(super) fn undo(
    transaction: &WriteTransaction,
    table: Table,
    thing: &str,
    mirror: &Mirror,
) -> Result<(), redb::Error> {
    clear(transaction, table, thing)?;
    let mut target = transaction.open_table(cells(table))?;
    for (key, value) in mirror.of_thing(table, thing) {
        target.insert((thing, key), value)?;
    }
    Ok(())
}

/// What a failure to open the file means for a person.
pub(super) fn open_error(error: redb::DatabaseError) -> StoreError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { holder: String::new() },
        redb::DatabaseError::UpgradeRequired(version) => {
            StoreError::Damaged { what: format!("it has redb's file format {version}, which this version cannot read") }
        }
        redb::DatabaseError::Storage(redb::StorageError::Corrupted(what)) => StoreError::Damaged { what },
        // redb says InvalidData for a file that does not start like one of its own.
        redb::DatabaseError::Storage(redb::StorageError::Io(error))
            if matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
        {
            StoreError::Damaged { what: error.to_string() }
        }
        other => StoreError::from(redb::Error::from(other)),
    }
}

/// What a failure to read all of the file means for a person.
pub(super) fn load_error(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Corrupted(what) => StoreError::Damaged { what },
        other => StoreError::from(other),
    }
}
