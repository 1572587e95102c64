//! The image of the store in memory: every acknowledged value, and nothing else.
//!
//! Reads are answered from here, so they go on when the disk is full or gone. A change enters only after the commit that
//! holds it is on disk; the writer thread is the only one that changes it.

use std::collections::BTreeMap;

use super::batch::{Cell, Change, Table};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mirror {
    cells: BTreeMap<Cell, Vec<u8>>,
}

impl Mirror {
    pub(super) fn get(&self, table: Table, thing: &str, key: &str) -> Option<&[u8]> {
        self.cells.get(&Cell::new(table, thing, key)).map(Vec::as_slice)
    }

    /// A number cell; absent reads as 0.
    pub(super) fn number(&self, table: Table, thing: &str) -> u64 {
        self.get(table, thing, "").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// All cells of a Thing in one table, by key.
    pub(super) fn of_thing(&self, table: Table, thing: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let first = Cell::new(table, thing, "");
        self.cells
            .range(first..)
            .take_while(move |(cell, _)| cell.table == table && cell.thing == thing)
            .map(|(cell, value)| (cell.key.as_str(), value.as_slice()))
    }

    /// All cells of one table, by Thing and key.
    pub(super) fn of_table(&self, table: Table) -> impl Iterator<Item = (&Cell, &[u8])> {
        self.cells
            .range(Cell::new(table, "", "")..)
            .take_while(move |(cell, _)| cell.table == table)
            .map(|(cell, value)| (cell, value.as_slice()))
    }

    pub(super) fn insert(&mut self, cell: Cell, value: Vec<u8>) {
        self.cells.insert(cell, value);
    }

    /// Applies a committed change; must do what `tables::apply` does to the file.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(cell, value) => self.insert(cell, value),
            Change::Delete(cell) => {
                self.cells.remove(&cell);
            }
            Change::Clear(table, thing) => self.clear(table, &thing),
            Change::Copy(from, to, thing) => {
                self.clear(to, &thing);
                let copies: Vec<_> = self
                    .of_thing(from, &thing)
                    .map(|(key, value)| (Cell::new(to, &thing, key), value.to_vec()))
                    .collect();
                self.cells.extend(copies);
            }
        }
    }

    fn clear(&mut self, table: Table, thing: &str) {
        let keys: Vec<Cell> = self.of_thing(table, thing).map(|(key, _)| Cell::new(table, thing, key)).collect();
        for key in keys {
            self.cells.remove(&key);
        }
    }
}
