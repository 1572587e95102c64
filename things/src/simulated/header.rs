//! The lines of the board: electrical levels of the relay, the LED and the button, the LED's duty, and who watches.

use std::time::{Duration, Instant};

use super::parts::{BUTTON_LINE, LED_LINE, RELAY_LINE};
use crate::grant::{Direction, GpioGrant};
use crate::operation::{Edge, EdgeKind, EdgeSink, Level};

/// The lines. Levels in here are electrical.
#[derive(Debug)]
pub(super) struct Header {
    relay: Level,
    led: Level,
    button: Level,
    pub(super) duty: u16,
    watchers: Vec<Watcher>,
}

struct Watcher {
    line: u32,
    active_low: bool,
    edges: EdgeKind,
    /// How long a level must last to count, as the kernel does it.
    debounce: Duration,
    /// The level that counts.
    level: Level,
    sink: EdgeSink,
}

impl Watcher {
    fn tell(&mut self, level: Level) {
        if std::mem::replace(&mut self.level, level) == level {
            return;
        }
        let level = level.across(self.active_low);
        if self.edges.wants(level) {
            // Under the board's lock: edges of one line arrive in their order, and a sink does not block.
            (self.sink)(Edge { level, at: Instant::now() });
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("line", &self.line).field("edges", &self.edges).finish_non_exhaustive()
    }
}

impl Header {
    pub(super) fn new() -> Self {
        Self { relay: Level::Low, led: Level::Low, button: Level::High, duty: 0, watchers: Vec::new() }
    }

    pub(super) fn relay(&self) -> bool {
        self.relay == Level::High
    }

    pub(super) fn led(&self) -> bool {
        self.led == Level::High
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.button == Level::Low
    }

    /// A line that leads nowhere reads low.
    pub(super) fn level(&self, line: u32) -> Level {
        match line {
            RELAY_LINE => self.relay,
            LED_LINE => self.led,
            BUTTON_LINE => self.button,
            _ => Level::Low,
        }
    }

    pub(super) fn set_pressed(&mut self, pressed: bool) {
        self.change(BUTTON_LINE, Level::from(!pressed));
    }

    pub(super) fn drive(&mut self, line: u32, level: Level) {
        self.change(line, level);
    }

    /// Watches a line, in place of whoever watched it before.
    pub(super) fn watch(&mut self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) {
        self.watchers.retain(|watcher| watcher.line != grant.line);
        self.watchers.push(Watcher {
            line: grant.line,
            active_low: grant.active_low,
            edges,
            debounce: Duration::from_millis(u64::from(grant.debounce_ms)),
            level: self.level(grant.line),
            sink,
        });
    }

    /// How long the button's level must last before [`Self::settle`] may be called; zero: nobody waits for that.
    pub(super) fn debounce(&self) -> Duration {
        let watchers = self.watchers.iter().filter(|watcher| watcher.line == BUTTON_LINE);
        watchers.map(|watcher| watcher.debounce).max().unwrap_or_default()
    }

    /// The button's level has lasted.
    pub(super) fn settle(&mut self) {
        let level = self.button;
        self.watchers.iter_mut().filter(|watcher| watcher.line == BUTTON_LINE).for_each(|watcher| watcher.tell(level));
    }

    /// A line that nobody drives any more falls back to low, where the pull-down of the relay's input draws it, unless
    /// it was left at its fail-safe level.
    pub(super) fn release(&mut self, grant: &GpioGrant) {
        self.watchers.retain(|watcher| watcher.line != grant.line);
        if grant.direction == Direction::Output && grant.fail_safe.is_none() {
            self.change(grant.line, Level::Low);
        }
    }

    fn change(&mut self, line: u32, level: Level) {
        let held = match line {
            RELAY_LINE => &mut self.relay,
            LED_LINE => &mut self.led,
            BUTTON_LINE => &mut self.button,
            _ => return,
        };
        if std::mem::replace(held, level) == level {
            return;
        }
        for watcher in self.watchers.iter_mut().filter(|watcher| watcher.line == line) {
            if watcher.debounce.is_zero() {
                watcher.tell(level);
            }
        }
    }
}
