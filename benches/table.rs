//! A table as Markdown: on the console, and in `benches/results/NAME.md` to be committed.

use std::{fs, io::Write as _, path::Path};

use anyhow::Result;

use crate::machine;

/// A table in the making.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// A table called like its bench.
    pub fn new(name: &'static str, title: &'static str, columns: &[&'static str]) -> Self {
        Self { name, title, columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a line below the table.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds a line that says whether a promise of SPECIFICATION.md was kept.
    pub fn promise(&mut self, what: &str, measured: f64, kept: bool) {
        let word = if kept { "kept" } else { "**missed**" };
        self.note(format!("{what}: {measured:.2}, {word}"));
    }

    /// Prints the table and writes it to `benches/results/`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn publish(&self) -> Result<()> {
        let text = self.markdown(&machine::description());
        write!(std::io::stdout().lock(), "\n{text}")?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(self.name).with_extension("md"), text)?)
    }

    fn markdown(&self, machine: &str) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let columns: Vec<String> = self.columns.iter().map(|column| (*column).to_owned()).collect();
        let mut text = format!("# {}\n\n{machine}\n\n{}", self.title, line(&columns));
        text.push_str(&format!("|{}\n", "---|".repeat(columns.len())));
        self.rows.iter().for_each(|row| text.push_str(&line(row)));
        if !self.notes.is_empty() {
            text.push('\n');
        }
        self.notes.iter().for_each(|note| text.push_str(&format!("- {note}\n")));
        text
    }
}
