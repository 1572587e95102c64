//! What the events of a crate's folder come to: when to build. Rules without a disk.
//!
//! A save is a file that counts and was closed after writing, moved in or away. It is acted on when nothing has been heard
//! for [`QUIET`] and no such file is open for writing; somebody who never closes one is not waited for longer than
//! [`OPEN_MAX`].

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Editors save a file in several steps, and several files at once.
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// A file that is open for longer is taken as it is.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(5);
/// Files that are remembered as open for writing.
const OPEN_FILES_MAX: usize = 256;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// It was written to, and is open.
    Written,
    /// It is as it should be: closed after writing, moved in, moved away or removed.
    Done,
}

/// Saves that were not acted on.
#[derive(Debug, Default)]
pub(super) struct Saves {
    open: BTreeSet<PathBuf>,
    /// The first and the last that was heard of.
    heard: Option<(Instant, Instant)>,
}

impl Saves {
    pub(super) fn hear(&mut self, file: &Path, happening: Happening, now: Instant) {
        match happening {
            Happening::Written if self.open.len() < OPEN_FILES_MAX => {
                self.open.insert(file.to_owned());
            }
            Happening::Written => {}
            Happening::Done => {
                self.open.remove(file);
            }
        }
        let first = self.heard.map_or(now, |(first, _)| first);
        self.heard = Some((first, now));
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.heard?;
        Some(if self.open.is_empty() { last + QUIET } else { (first + OPEN_MAX).max(last + QUIET) })
    }

    /// Whether it is time to build. Then all is acted on.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            *self = Self::default();
        }
        is_due
    }
}

/// Whether a file can change what is built: a source, the manifest, a Thing Model. Drafts and backups of editors do not
/// count, nor does `Cargo.lock`, which the build itself writes.
pub(super) fn counts(in_sources: bool, name: &str) -> bool {
    let draft = name.starts_with(['.', '#']) || name.ends_with(['~', '#']) || name == "4913";
    let at_the_top = || matches!(name, "Cargo.toml" | "build.rs" | "rust-toolchain.toml") || name.ends_with(".json");
    !draft && (in_sources || at_the_top())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_saves_is_one_and_comes_when_it_is_quiet() {
        let (mut saves, begin) = (Saves::default(), Instant::now());
        assert!(!saves.take(begin) && saves.due().is_none());
        for step in 0..5 {
            saves.hear(Path::new("lib.rs"), Happening::Done, begin + QUIET / 2 * step);
        }
        let last = begin + QUIET / 2 * 4;
        assert!(!saves.take(last + QUIET / 2));
        assert!(saves.take(last + QUIET));
        assert!(!saves.take(last + QUIET * 2), "it was acted on");
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for_but_not_for_ever() {
        let (mut saves, begin) = (Saves::default(), Instant::now());
        saves.hear(Path::new("lib.rs"), Happening::Written, begin);
        saves.hear(Path::new("other.rs"), Happening::Done, begin);
        assert!(!saves.take(begin + OPEN_MAX - QUIET), "half of it is on disk");
        assert!(saves.take(begin + OPEN_MAX));
        saves.hear(Path::new("lib.rs"), Happening::Written, begin);
        saves.hear(Path::new("lib.rs"), Happening::Done, begin + QUIET);
        assert!(saves.take(begin + QUIET * 2));
    }

    #[test]
    fn drafts_and_what_the_build_writes_do_not_count() {
        for name in ["lib.rs", "table.csv"] {
            assert!(counts(true, name), "{name}");
        }
        for name in ["Cargo.toml", "lamp.tm.json", "build.rs"] {
            assert!(counts(false, name), "{name}");
        }
        for name in [".lib.rs.swp", "lib.rs~", "#lib.rs#", "4913", ".#lib.rs"] {
            assert!(!counts(true, name), "{name}");
        }
        for name in ["Cargo.lock", "README.md", "tidegate.toml"] {
            assert!(!counts(false, name), "{name}");
        }
    }
}
