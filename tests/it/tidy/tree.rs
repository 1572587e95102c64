//! The files that a rule looks at: those of this checkout, or a few made up.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use tests::handlers;

/// Paths from the top of the checkout, and the text of each file (empty when it is not UTF-8).
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<String, String>,
}

impl Tree {
    /// What git knows or would add: nothing built, nothing ignored.
    pub(super) fn of_checkout() -> Result<Self> {
        let root = handlers::root();
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let output = git.output().context("cannot run git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let paths = String::from_utf8(output.stdout)?;
        // A file that is deleted but not yet committed is still listed.
        let existing = paths.lines().filter(|path| root.join(path).is_file());
        let files = existing.map(|path| (path.to_owned(), fs::read_to_string(root.join(path)).unwrap_or_default()));
        Ok(Self { files: files.collect() })
    }

    /// A made-up tree.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// The Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).filter(|(path, _)| path.ends_with(".rs"))
    }
}
