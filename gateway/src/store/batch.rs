//! What callers ask the store to write: a batch of changes that happen together or not at all.
//!
//! A cell is one value under (table, Thing, key). Changes are plain, so that the same batch can be applied to the file
//! and to the image in memory, in the same order, with the same outcome.

use super::{StoreError, record::ThingRecord};
use crate::names::ThingName;

/// Largest value of one cell, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Largest batch, in bytes of keys and values.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Longest key of a state cell, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// The tables of the store. Their order is the order of cells in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// One record per Thing, as JSON.
    Things,
    /// What handlers keep: (Thing, key) -> bytes.
    State,
    /// The state from before the last switch, for the automatic rollback.
    StateBefore,
    /// How far a Thing's clock may run before it reserves again, in microseconds.
    Clocks,
    /// How far a Thing's event ids are given out.
    EventIds,
    /// The gateway's own: schema version, ids.
    Gateway,
}

impl Table {
    pub(super) const ALL: [Self; 6] =
        [Self::Things, Self::State, Self::StateBefore, Self::Clocks, Self::EventIds, Self::Gateway];

    /// The table's name in the file: part of the format.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Things => "things",
            Self::State => "state",
            Self::StateBefore => "state_before",
            Self::Clocks => "clocks",
            Self::EventIds => "event_ids",
            Self::Gateway => "gateway",
        }
    }
}

/// Where a value lies. Tables with one value per Thing use the empty key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) table: Table,
    pub(super) thing: String,
    pub(super) key: String,
}

impl Cell {
    pub(super) fn new(table: Table, thing: &str, key: &str) -> Self {
        Self { table, thing: thing.to_owned(), key: key.to_owned() }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Sets a value.
    Put(Cell, Vec<u8>),
    /// Removes a value; removing none is no error.
    Delete(Cell),
    /// Removes all of a Thing's values in one table.
    Clear(Table, String),
    /// Makes a Thing's values in the second table those of the first.
    Copy(Table, Table, String),
}

impl Change {
    /// The table and Thing that this change writes to.
    pub(super) fn target(&self) -> (Table, &str) {
        match self {
            Self::Put(cell, _) | Self::Delete(cell) => (cell.table, &cell.thing),
            Self::Clear(table, thing) | Self::Copy(_, table, thing) => (*table, thing),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put(cell, value) => cell.thing.len() + cell.key.len() + value.len(),
            Self::Delete(cell) => cell.thing.len() + cell.key.len(),
            Self::Clear(_, thing) | Self::Copy(_, _, thing) => thing.len(),
        }
    }
}

/// Changes that are committed together, in order. Build it with the methods, hand it to `Store::commit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub(super) changes: Vec<Change>,
}

impl Batch {
    /// An empty batch; committing it does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Sets the whole record of a Thing.
    pub fn put_record(&mut self, record: &ThingRecord) -> &mut Self {
        self.put(Table::Things, record.name.as_str(), "", record.to_bytes())
    }

    /// Sets one key of a Thing's state, or removes it.
    pub fn put_state(&mut self, thing: &ThingName, key: &str, value: Option<Vec<u8>>) -> &mut Self {
        match value {
            Some(value) => self.put(Table::State, thing.as_str(), key, value),
            None => self.push(Change::Delete(Cell::new(Table::State, thing.as_str(), key))),
        }
    }

    /// The same in the copy that [`Batch::keep_state_before`] made: what an automatic rollback keeps.
    pub fn put_state_before(&mut self, thing: &ThingName, key: &str, value: Option<Vec<u8>>) -> &mut Self {
        match value {
            Some(value) => self.put(Table::StateBefore, thing.as_str(), key, value),
            None => self.push(Change::Delete(Cell::new(Table::StateBefore, thing.as_str(), key))),
        }
    }

    /// Removes all state of a Thing, the one from before the last switch included.
    pub fn clear_state(&mut self, thing: &ThingName) -> &mut Self {
        self.push(Change::Clear(Table::State, thing.to_string()));
        self.forget_state_before(thing)
    }

    /// Keeps a copy of a Thing's state as it is at this point of the batch, for [`Batch::restore_state_before`].
    pub fn keep_state_before(&mut self, thing: &ThingName) -> &mut Self {
        self.push(Change::Copy(Table::State, Table::StateBefore, thing.to_string()))
    }

    /// Makes the kept copy the Thing's state again, with what [`Batch::put_state_before`] has put into it since.
    pub fn restore_state_before(&mut self, thing: &ThingName) -> &mut Self {
        self.push(Change::Copy(Table::StateBefore, Table::State, thing.to_string()))
    }

    /// Drops the kept copy: the canary has passed.
    pub fn forget_state_before(&mut self, thing: &ThingName) -> &mut Self {
        self.push(Change::Clear(Table::StateBefore, thing.to_string()))
    }

    /// Reserves a Thing's clock up to `until_us`: after a restart it starts there.
    pub fn reserve_clock(&mut self, thing: &ThingName, until_us: u64) -> &mut Self {
        self.put(Table::Clocks, thing.as_str(), "", until_us.to_le_bytes().to_vec())
    }

    /// Reserves a Thing's event ids up to `until`: after a restart the next id is `until`.
    pub fn reserve_event_ids(&mut self, thing: &str, until: u64) -> &mut Self {
        self.put(Table::EventIds, thing, "", until.to_le_bytes().to_vec())
    }

    pub(super) fn put(&mut self, table: Table, thing: &str, key: &str, value: Vec<u8>) -> &mut Self {
        self.push(Change::Put(Cell::new(table, thing, key), value))
    }

    fn push(&mut self, change: Change) -> &mut Self {
        self.changes.push(change);
        self
    }

    pub(super) fn bytes(&self) -> usize {
        self.changes.iter().map(Change::bytes).sum()
    }

    /// Refuses what is over the limits before it joins a group: one caller's excess must not fail the others.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for change in &self.changes {
            if let Change::Put(cell, value) = change {
                if value.len() > VALUE_BYTES_MAX {
                    return Err(StoreError::TooLarge {
                        what: "a value",
                        bytes: value.len(),
                        bytes_max: VALUE_BYTES_MAX,
                    });
                }
                if cell.key.len() > KEY_BYTES_MAX {
                    return Err(StoreError::TooLarge {
                        what: "a key",
                        bytes: cell.key.len(),
                        bytes_max: KEY_BYTES_MAX,
                    });
                }
            }
        }
        match self.bytes() {
            bytes if bytes > BATCH_BYTES_MAX => {
                Err(StoreError::TooLarge { what: "a batch", bytes, bytes_max: BATCH_BYTES_MAX })
            }
            _ => Ok(()),
        }
    }
}
