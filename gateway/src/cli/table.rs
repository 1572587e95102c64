//! Tables for people: columns as wide as their longest entry, the last one cut to the terminal.
//!
//! Entries are made harmless here ([`plain`]); who fills a table need not think of it.

use super::terminal::{Screen, Tone, cut, plain};

/// Between two columns.
const GAP: &str = "  ";
/// No column but the last is wider than this on a terminal.
const COLUMN_MAX: usize = 40;
/// The last column keeps so much, however narrow the terminal is.
const LAST_MIN: usize = 10;

/// Rows under a head.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<(String, Option<Tone>)>>,
    headed: bool,
}

impl Table {
    /// With a head.
    pub(super) fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| ((*name).to_owned(), Some(Tone::Head))).collect();
        Self { rows: vec![head], headed: true }
    }

    /// Without one.
    pub(super) fn headless() -> Self {
        Self { rows: Vec::new(), headed: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == usize::from(self.headed)
    }

    pub(super) fn row<const N: usize>(&mut self, entries: [&str; N]) {
        self.toned(entries.map(|entry| (entry, None)));
    }

    /// A row whose entries may have a colour.
    pub(super) fn toned<const N: usize>(&mut self, entries: [(&str, Option<Tone>); N]) {
        self.rows.push(entries.map(|(entry, tone)| (plain(entry), tone)).into());
    }

    /// The lines, without an end of line after the last.
    pub(super) fn show(&self, screen: Screen) -> String {
        let limited = screen.columns() != usize::MAX;
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let longest = |column: usize| {
            let entries = self.rows.iter().filter_map(|row| row.get(column));
            entries.map(|(entry, _)| entry.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| if limited { longest(column).min(COLUMN_MAX) } else { longest(column) })
            .collect();
        let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP.len()).sum();
        let last = if limited { screen.columns().saturating_sub(before).max(LAST_MIN) } else { usize::MAX };
        let line = |row: &Vec<(String, Option<Tone>)>| {
            let mut line = String::new();
            for (column, (entry, tone)) in row.iter().enumerate() {
                let is_last = column + 1 == row.len();
                let width = if column + 1 == columns { last } else { widths[column] };
                let entry = cut(entry, width);
                let padding = if is_last { 0 } else { width.saturating_sub(entry.chars().count()) + GAP.len() };
                line.push_str(&tone.map_or_else(|| entry.clone(), |tone| screen.paint(tone, &entry)));
                line.push_str(&" ".repeat(padding));
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "SAYS"]);
        table.row(["lamp", "it is on, and has been so for a while"]);
        table.toned([("x\x1b", Some(Tone::Bad)), ("", None)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_a_pipe_gets_all_of_it() {
        let shown = table().show(Screen::of(false, usize::MAX));
        assert_eq!(shown, "NAME     SAYS\nlamp     it is on, and has been so for a while\nx\\u{1b}");
    }

    #[test]
    fn a_terminal_gets_no_line_that_it_would_break() {
        let shown = table().show(Screen::of(false, 24));
        assert_eq!(shown.lines().nth(1), Some("lamp     it is on, and…"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 24));
        assert!(table().show(Screen::of(true, 24)).contains("\x1b[31mx\\u{1b}\x1b[0m"));
    }
}
