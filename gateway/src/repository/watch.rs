//! A thread that watches the handlers folder by inotify(7) and reads what has come.
//!
//! Invariant: the bytes that it hands over were read after their file had been closed, and nothing was written to it
//! until they were read: the kernel has told of a write before the write returns. The folder itself may go and come back;
//! a path that leads to another one is seen within [`LOOK_AFTER`]. Writes through a mapping are not seen.

use std::collections::BTreeSet;
use std::io::Result;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::Repository;
use super::news::{Happening, News};
use crate::names::ComponentDigest;

/// How often the folder's path is looked at, for what inotify does not tell: another folder in its place.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// Components that may wait to be taken; one more is read meanwhile.
const ARRIVALS_MAX: usize = 1;
/// Events that are taken at a time: more than the kernel keeps (`fs.inotify.max_queued_events`).
const EVENTS_MAX: usize = 1 << 16;

/// A component that has come.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) handler: String,
    pub(crate) component: Result<(Bytes, ComponentDigest)>,
}

/// See [`Repository::watch`].
pub(super) fn watch(repository: Repository, handlers: BTreeSet<String>) -> Result<mpsc::Receiver<Arrival>> {
    let watch = FolderWatch::begin(repository, handlers)?;
    let (sender, receiver) = mpsc::channel(ARRIVALS_MAX);
    std::thread::Builder::new().name("handlers-folder".to_owned()).spawn(move || watch.run(&sender))?;
    Ok(receiver)
}

struct FolderWatch {
    repository: Repository,
    inotify: OwnedFd,
    news: News,
    watched: Option<Watched>,
    /// Why the folder is not watched, said once.
    trouble: Option<String>,
    looked: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Watched {
    descriptor: i32,
    /// Device and inode.
    folder: (u64, u64),
}

impl FolderWatch {
    /// What comes from now on is heard of.
    fn begin(repository: Repository, handlers: BTreeSet<String>) -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let news = News::of(handlers);
        let mut watch = Self { repository, inotify, news, watched: None, trouble: None, looked: None };
        watch.look_after();
        Ok(watch)
    }

    fn run(mut self, arrivals: &mpsc::Sender<Arrival>) {
        while !arrivals.is_closed() {
            self.wait();
            self.hear();
            if self.watched.is_none() || self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AFTER) {
                self.look_after();
            }
            while let Some(handler) = self.news.next(Instant::now()) {
                let Some(arrival) = self.read(handler) else { continue };
                if arrivals.blocking_send(arrival).is_err() {
                    return;
                }
            }
        }
    }

    /// Until there is an event or something is due.
    fn wait(&self) {
        let due = self.news.due().map_or(LOOK_AFTER, |due| due.saturating_duration_since(Instant::now()));
        let timeout = Timespec::try_from(due.min(LOOK_AFTER)).ok();
        let polled = poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], timeout.as_ref());
        if let Err(error) = polled.map(drop).or_else(interrupted) {
            tracing::error!(%error, "the handlers folder can't be waited for");
            std::thread::park_timeout(LOOK_AFTER);
        }
    }

    /// Takes in all events that there are.
    fn hear(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let now = Instant::now();
        for _ in 0..EVENTS_MAX {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => return,
                Err(error) => {
                    tracing::error!(%error, "the events of the handlers folder can't be read");
                    break;
                }
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                tracing::warn!("events of the handlers folder were lost; all handlers are looked at");
                self.news.lost(now);
            }
            let Some(watched) = self.watched.filter(|watched| watched.descriptor == event.wd()) else { continue };
            if flags.contains(ReadFlags::IGNORED) {
                self.watched = None;
                tracing::debug!(descriptor = watched.descriptor, "the watch has ended with its folder");
            }
            let file_name = event.file_name().and_then(|name| name.to_str().ok());
            let Some(handler) = file_name.and_then(|name| self.news.handler(name)) else { continue };
            if let Some(happening) = happening(flags, || is_link(&self.repository, handler)) {
                self.news.hear(handler, happening, now);
            }
        }
        self.news.lost(now);
    }

    /// The component, unless it was touched again before all of it was read: then another event tells when.
    fn read(&mut self, handler: String) -> Option<Arrival> {
        let component = self.repository.find(&handler).transpose()?;
        self.hear();
        if !self.news.is_still(&handler) {
            return None;
        }
        let component = component.map(|bytes| {
            let digest = ComponentDigest::of(&bytes);
            (bytes.into(), digest)
        });
        Some(Arrival { handler, component })
    }

    /// Sees to it that the folder at the path is the one that is watched.
    fn look_after(&mut self) {
        let first = self.looked.replace(Instant::now()).is_none();
        let path = self.repository.folder();
        let found = std::fs::metadata(path).map(|folder| (folder.dev(), folder.ino()));
        if let (Ok(found), Some(watched)) = (&found, &self.watched)
            && *found == watched.folder
        {
            return;
        }
        let before = self.watched.take();
        if let Some(error) = before.and_then(|before| inotify::remove_watch(&self.inotify, before.descriptor).err()) {
            tracing::debug!(%error, "the watch had ended");
        }
        let watched = found.and_then(|folder| {
            let descriptor = inotify::add_watch(&self.inotify, path, events())?;
            Ok(Watched { descriptor, folder })
        });
        match watched {
            Ok(watched) => {
                self.watched = Some(watched);
                self.trouble = None;
                if !first {
                    tracing::info!(folder = %path.display(), "the handlers folder is back; all handlers are looked at");
                    self.news.lost(Instant::now());
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.trouble.as_ref() != Some(&error) {
                    let folder = path.display();
                    tracing::warn!(%folder, error, "the handlers folder can't be watched; it is looked for again");
                    self.trouble = Some(error);
                }
            }
        }
    }
}

fn events() -> WatchFlags {
    WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::ONLYDIR
}

/// A new name is news only when it is a link: a new file is empty, and is news when it is closed.
fn happening(flags: ReadFlags, is_link: impl FnOnce() -> bool) -> Option<Happening> {
    if flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
        Some(Happening::Arrived)
    } else if flags.contains(ReadFlags::MODIFY) {
        Some(Happening::Written)
    } else {
        (flags.contains(ReadFlags::CREATE) && is_link()).then_some(Happening::Arrived)
    }
}

/// A symbolic link, or a further name of a file that is there already.
fn is_link(repository: &Repository, handler: &str) -> bool {
    let found = std::fs::symlink_metadata(repository.file(handler));
    found.is_ok_and(|found| found.is_symlink() || (found.is_file() && found.nlink() > 1))
}

/// A signal is no error.
fn interrupted(error: Errno) -> rustix::io::Result<()> {
    if error == Errno::INTR { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

    use super::super::news::QUIET;
    use super::*;

    fn watched() -> (tempfile::TempDir, FolderWatch) {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::new(folder.path().to_owned(), 1 << 20);
        (folder, FolderWatch::begin(repository, ["relay".to_owned()].into()).unwrap())
    }

    #[test]
    fn bytes_to_which_something_was_written_meanwhile_are_not_handed_over() {
        let (folder, mut watch) = watched();
        let path = folder.path().join("relay.wasm");
        fs::write(&path, "one").unwrap();
        watch.hear();
        let handler = watch.news.next(Instant::now()).unwrap();
        let mut again = File::options().append(true).open(&path).unwrap();
        again.write_all(b"two").unwrap();
        assert!(watch.read(handler).is_none());
        assert_eq!(watch.news.next(Instant::now()), None, "it is open for writing");
        drop(again);
        watch.hear();
        let handler = watch.news.next(Instant::now()).unwrap();
        let (bytes, _) = watch.read(handler).unwrap().component.unwrap();
        assert_eq!(bytes, "onetwo");
    }

    #[test]
    fn when_the_kernel_has_lost_events_every_handler_is_news() {
        let (folder, mut watch) = watched();
        let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        // In turn, because the kernel keeps one of several equal events that follow each other.
        let mut files = ["a", "b"].map(|name| File::create(folder.path().join(name)).unwrap());
        for at in 0..kept.trim().parse().unwrap() {
            files[at % 2].write_all(b"x").unwrap();
        }
        fs::write(folder.path().join("relay.wasm"), "whole").unwrap();
        watch.hear();
        let now = Instant::now();
        assert_eq!(watch.news.next(now), None, "its closing was lost");
        assert_eq!(watch.news.next(now + QUIET).as_deref(), Some("relay"));
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let (folder, mut watch) = watched();
        fs::create_dir(folder.path().join("relay.wasm")).unwrap();
        assert!(watch.read("relay".to_owned()).unwrap().component.is_err());
        fs::remove_dir(folder.path().join("relay.wasm")).unwrap();
        assert!(watch.read("relay".to_owned()).is_none());
    }
}
