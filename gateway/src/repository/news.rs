//! What the events of the handlers folder come to: which handlers are to be read. Rules without a disk.
//!
//! A file is news when it was closed after writing or moved in, and no longer when it is written to again. Only handlers
//! that Things use count, which bounds everything here: editors' files and other people's are nothing. Where events may
//! have been lost, every handler is news once the folder has been quiet for a while.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Without a write for this long, what is in the folder is taken for whole.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// Somebody who writes all the time does not keep the others waiting for longer.
const QUIET_AWAITED_MAX: Duration = Duration::from_secs(30);

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// It was written to.
    Written,
    /// It is whole: closed after writing, moved in, or linked.
    Arrived,
}

/// Handlers that are to be read.
#[derive(Debug)]
pub(super) struct News {
    handlers: BTreeSet<String>,
    arrived: BTreeSet<String>,
    /// Written to since they were closed last.
    unfinished: BTreeSet<String>,
    /// When all are news, and when at the latest.
    all_at: Option<(Instant, Instant)>,
}

impl News {
    pub(super) fn of(handlers: BTreeSet<String>) -> Self {
        Self { handlers, arrived: BTreeSet::new(), unfinished: BTreeSet::new(), all_at: None }
    }

    /// The handler that a file name stands for, when Things use it.
    pub(super) fn handler<'a>(&self, file_name: &'a str) -> Option<&'a str> {
        file_name.strip_suffix(".wasm").filter(|name| self.handlers.contains(*name))
    }

    pub(super) fn hear(&mut self, handler: &str, happening: Happening, now: Instant) {
        match happening {
            Happening::Written => {
                self.arrived.remove(handler);
                self.unfinished.insert(handler.to_owned());
                if let Some((due, latest)) = &mut self.all_at {
                    *due = (now + QUIET).min(*latest);
                }
            }
            Happening::Arrived => {
                self.unfinished.remove(handler);
                self.arrived.insert(handler.to_owned());
            }
        }
    }

    /// Events may have been lost.
    pub(super) fn lost(&mut self, now: Instant) {
        let latest = self.all_at.map_or(now + QUIET_AWAITED_MAX, |(_, latest)| latest);
        self.all_at = Some(((now + QUIET).min(latest), latest));
        // Their closing may be among what was lost.
        self.unfinished.clear();
    }

    /// When there is news by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all_at.map(|(due, _)| due)
    }

    /// The next handler to read.
    pub(super) fn next(&mut self, now: Instant) -> Option<String> {
        if self.all_at.take_if(|(due, _)| *due <= now).is_some() {
            self.arrived.extend(self.handlers.difference(&self.unfinished).cloned());
        }
        self.arrived.pop_first()
    }

    /// Nothing has happened to it since it was handed out.
    pub(super) fn is_still(&self, handler: &str) -> bool {
        !self.unfinished.contains(handler) && !self.arrived.contains(handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news() -> News {
        News::of(["lamp", "relay"].map(str::to_owned).into())
    }

    #[test]
    fn files_that_no_thing_uses_are_nothing() {
        let news = news();
        assert_eq!(news.handler("relay.wasm"), Some("relay"));
        for other in ["relay", "relay.wasm~", ".relay.wasm.swp", "relay.wasm.part", "pump.wasm", "4913", ".wasm"] {
            assert_eq!(news.handler(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_is_news_when_it_is_closed_and_not_while_it_is_written() {
        let (mut news, now) = (news(), Instant::now());
        news.hear("relay", Happening::Written, now);
        assert_eq!(news.next(now), None);
        news.hear("relay", Happening::Arrived, now);
        assert_eq!(news.next(now).as_deref(), Some("relay"));
        assert!(news.is_still("relay"));
        news.hear("relay", Happening::Written, now);
        assert!(!news.is_still("relay"), "what was read may be half of it");
        news.hear("relay", Happening::Arrived, now);
        news.hear("relay", Happening::Written, now);
        assert_eq!(news.next(now), None, "it was opened again before it was read");
    }

    #[test]
    fn after_lost_events_all_are_news_once_it_is_quiet_but_not_for_ever_later() {
        let (mut news, mut now) = (news(), Instant::now());
        news.lost(now);
        assert_eq!(news.next(now), None);
        news.hear("lamp", Happening::Written, now + QUIET / 2);
        assert_eq!(news.next(now + QUIET), None);
        let latest = now + QUIET_AWAITED_MAX;
        while now < latest {
            now += QUIET / 2;
            news.hear("lamp", Happening::Written, now);
        }
        assert_eq!(news.next(now).as_deref(), Some("relay"), "the one that nobody writes to");
        assert_eq!((news.next(now), news.due()), (None, None));
    }
}
