//! Faults of configuration files: where, what, and what to do about it; collected over all files before any is shown.
//!
//! A [`FaultLog`] belongs to one file and turns byte offsets into lines and columns. Nothing here stops at the first
//! fault: a person corrects a file once, not once per fault.

use std::{
    cell::RefCell,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// So many faults are kept per file; a file that is no configuration at all need not fill the screen.
const FAULTS_PER_FILE_MAX: usize = 50;

/// One fault in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// Line and column, from 1, in characters; `None` when the file as a whole is meant.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to do, where there is something better to say than the fault itself.
    pub hint: Option<String>,
}

impl ConfigFault {
    /// A fault of a whole file, such as one that cannot be read.
    pub fn of_file(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: None, what: what.into(), hint: None }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl ConfigFault {
    /// For a log.
    pub(crate) fn on_one_line(&self) -> String {
        let hint = self.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {}{hint}", self.place(), self.what)
    }

    /// The file, and the line and column in it.
    pub(crate) fn place(&self) -> String {
        let position = self.position.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        format!("{}{position}", self.file.display())
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Every fault of every file, in order of files and lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFaults(Vec<ConfigFault>);

impl ConfigFaults {
    /// `Err` when there are faults, sorted by file and position.
    pub(crate) fn check(mut faults: Vec<ConfigFault>) -> Result<(), Self> {
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by(|a, b| (&a.file, a.position).cmp(&(&b.file, b.position)));
        Err(Self(faults))
    }

    /// The faults; at least one.
    pub fn as_slice(&self) -> &[ConfigFault] {
        &self.0
    }
}

impl From<ConfigFault> for ConfigFaults {
    fn from(fault: ConfigFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} in the configuration", if count == 1 { "fault" } else { "faults" })?;
        for fault in &self.0 {
            write!(f, "\n{fault}")?;
        }
        Ok(())
    }
}

/// Collects the faults of one file. Shared by reference between the sections of the file, hence the cell.
#[derive(Debug)]
pub(super) struct FaultLog<'a> {
    file: &'a Path,
    text: &'a str,
    faults: RefCell<Vec<ConfigFault>>,
}

impl<'a> FaultLog<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, faults: RefCell::default() }
    }

    /// Notes a fault at `span` (bytes of the text); `hint` may be empty.
    pub(super) fn fault(&self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_PER_FILE_MAX {
            faults.push(self.at(span, what, hint));
        }
    }

    /// A fault at `span` of this file, without noting it.
    pub(super) fn at(&self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> ConfigFault {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        ConfigFault {
            file: self.file.to_owned(),
            position: Some(position(self.text, span.start)),
            what: what.into(),
            hint,
        }
    }

    pub(super) fn into_faults(self) -> Vec<ConfigFault> {
        self.faults.into_inner()
    }
}

/// Line and column (both from 1, the column in characters) of a byte offset; an offset past the end is the end.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The candidate that a person most likely meant, when one is near enough to be worth a guess.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may differ: `adress` is `address`, `port` is not `title`.
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) between two short words; words over 64 letters are far apart.
fn distance(a: &str, b: &str) -> usize {
    const LETTERS_MAX: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > LETTERS_MAX {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "a = 1\nü = 2\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 6), (2, 1));
        assert_eq!(position(text, 8), (2, 2), "two bytes, one character");
        assert_eq!(position(text, 9_999), (3, 1));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["address", "bus", "hz-max", "listen"];
        assert_eq!(nearest("adress", known), Some("address"));
        assert_eq!(nearest("lisetn", known), Some("listen"));
        assert_eq!(nearest("Bus", known), Some("bus"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }

    #[test]
    fn a_log_stops_at_its_limit() {
        let log = FaultLog::new(Path::new("f"), "x");
        for _ in 0..1000 {
            log.fault(&(0..1), "bad", "");
        }
        assert_eq!(log.into_faults().len(), FAULTS_PER_FILE_MAX);
    }
}
