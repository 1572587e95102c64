//! A thread that watches a crate's folders by inotify(7), and says when something was saved.
//!
//! The crate's own folder, `src` with all below it, and the folder of the Thing Model. Folders that come into `src` are
//! watched when they come. Lost events count as a save.

use std::{
    collections::BTreeMap,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use handler_build::Sources;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};
use tokio::sync::mpsc;

use super::saves::{Happening, Saves, counts};

/// Folders below `src` that are watched.
const FOLDERS_MAX: usize = 1_000;
/// How often it is looked whether anybody still listens.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// From now on, one message after each save; saves that were not taken are one.
pub(super) fn begin(sources: &Sources) -> io::Result<mpsc::Receiver<()>> {
    let watch = SourceWatch::begin(sources)?;
    let (sender, receiver) = mpsc::channel(1);
    std::thread::Builder::new().name("sources".to_owned()).spawn(move || watch.run(&sender))?;
    Ok(receiver)
}

struct SourceWatch {
    inotify: OwnedFd,
    /// The crate's folder: while it is there, so is the watch.
    top: PathBuf,
    folders: BTreeMap<i32, PathBuf>,
    saves: Saves,
}

impl SourceWatch {
    fn begin(sources: &Sources) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let top = sources.manifest_dir.clone();
        let mut watch = Self { inotify, top, folders: BTreeMap::new(), saves: Saves::default() };
        watch.add(&sources.manifest_dir)?;
        if let Some(folder) = sources.model.parent() {
            watch.add(folder)?;
        }
        watch.add_below(sources.manifest_dir.join("src"))?;
        Ok(watch)
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let events = WatchFlags::CLOSE_WRITE
            | WatchFlags::MODIFY
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::CREATE
            | WatchFlags::ONLYDIR;
        let descriptor = inotify::add_watch(&self.inotify, folder, events)?;
        self.folders.insert(descriptor, folder.to_owned());
        Ok(())
    }

    /// A folder of sources and all below it. One that has gone meanwhile is left out: its going is an event.
    fn add_below(&mut self, folder: PathBuf) -> io::Result<()> {
        let mut left = vec![folder];
        while let Some(folder) = left.pop().filter(|_| self.folders.len() < FOLDERS_MAX) {
            match self.add(&folder) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                added => added?,
            }
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let entries = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            left.extend(entries.map(|entry| entry.path()).take(FOLDERS_MAX));
        }
        Ok(())
    }

    /// Until nobody listens or the crate is gone.
    fn run(mut self, saved: &mpsc::Sender<()>) {
        while !saved.is_closed() && self.top.is_dir() {
            self.wait();
            self.hear(Instant::now());
            // Full: a save waits already, and this one will be built with it.
            let told = !self.saves.take(Instant::now())
                || !matches!(saved.try_send(()), Err(mpsc::error::TrySendError::Closed(())));
            if !told {
                return;
            }
        }
    }

    fn wait(&self) {
        let due = self.saves.due().map_or(LOOK_AFTER, |due| due.saturating_duration_since(Instant::now()));
        // A millisecond more: rounding down would look too early, again and again.
        let timeout = Timespec::try_from(due.min(LOOK_AFTER) + Duration::from_millis(1)).ok();
        match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "the crate's folder can't be waited for");
                std::thread::park_timeout(LOOK_AFTER);
            }
        }
    }

    fn hear(&mut self, now: Instant) {
        let mut heard = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                    heard.push((event.wd(), event.events(), name.unwrap_or_default()));
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => {
                    tracing::error!(%error, "the events of the crate's folder can't be read");
                    break;
                }
            }
            // Somebody who writes without end does not fill the memory.
            if heard.len() >= FOLDERS_MAX {
                break;
            }
        }
        for (descriptor, flags, name) in heard {
            self.take_in(descriptor, flags, &name, now);
        }
    }

    fn take_in(&mut self, descriptor: i32, flags: ReadFlags, name: &str, now: Instant) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.saves.hear(Path::new(""), Happening::Done, now);
        }
        if flags.contains(ReadFlags::IGNORED) {
            self.folders.remove(&descriptor);
            return;
        }
        let Some(folder) = self.folders.get(&descriptor).cloned() else { return };
        let sources = self.top.join("src");
        let (in_sources, path) = (folder.starts_with(&sources), folder.join(name));
        if flags.contains(ReadFlags::ISDIR) {
            if path.starts_with(&sources) {
                if let Err(error) = self.add_below(path.clone()) {
                    tracing::error!(%error, "a new folder of sources can't be watched");
                }
                self.saves.hear(&path, Happening::Done, now);
            }
            return;
        }
        let happening = match flags {
            flags if flags.contains(ReadFlags::MODIFY) => Happening::Written,
            // An empty file that was just made is news when it is closed.
            flags if flags.contains(ReadFlags::CREATE) => return,
            _ => Happening::Done,
        };
        if counts(in_sources, name) {
            self.saves.hear(&path, happening, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;
    use crate::cli::dev::saves::QUIET;

    fn watched() -> (tempfile::TempDir, SourceWatch) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        let (manifest_dir, model) = (folder.path().to_owned(), folder.path().join("x.tm.json"));
        let watch = SourceWatch::begin(&Sources { name: "x".into(), manifest_dir, model }).unwrap();
        (folder, watch)
    }

    /// Whether what was done by now is a save.
    fn is_saved(watch: &mut SourceWatch) -> bool {
        let now = Instant::now();
        watch.hear(now);
        watch.saves.take(now + QUIET)
    }

    #[test]
    fn a_save_is_heard_however_the_editor_does_it() {
        let (folder, mut watch) = watched();
        let (lib, beside) = (folder.path().join("src/lib.rs"), folder.path().join("src/.lib.rs.tmp"));
        fs::write(&lib, "one").unwrap();
        assert!(is_saved(&mut watch), "written");
        fs::write(&beside, "two").unwrap();
        assert!(!is_saved(&mut watch), "a draft");
        fs::rename(&beside, &lib).unwrap();
        assert!(is_saved(&mut watch), "moved in");
        fs::write(folder.path().join("x.tm.json"), "{}").unwrap();
        assert!(is_saved(&mut watch), "the model");
        fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        fs::create_dir(folder.path().join("target")).unwrap();
        assert!(!is_saved(&mut watch), "what the build writes");
        fs::remove_file(&lib).unwrap();
        assert!(is_saved(&mut watch), "removed");
    }

    #[test]
    fn a_file_that_is_half_written_is_no_save_before_it_is_closed() {
        let (folder, mut watch) = watched();
        let mut file = fs::File::create(folder.path().join("src/lib.rs")).unwrap();
        file.write_all(b"fn ma").unwrap();
        assert!(!is_saved(&mut watch));
        file.write_all(b"in() {}").unwrap();
        drop(file);
        assert!(is_saved(&mut watch));
    }

    #[test]
    fn folders_that_come_are_watched() {
        let (folder, mut watch) = watched();
        fs::create_dir_all(folder.path().join("src/a/b")).unwrap();
        assert!(is_saved(&mut watch));
        fs::write(folder.path().join("src/a/b/c.rs"), "").unwrap();
        assert!(is_saved(&mut watch));
        fs::remove_dir_all(folder.path().join("src")).unwrap();
        assert!(is_saved(&mut watch));
        fs::create_dir(folder.path().join("src")).unwrap();
        assert!(is_saved(&mut watch));
        fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        assert!(is_saved(&mut watch));
    }
}
