//! What `dev` shows of the log of the version that runs: a line that is said again and again once, and how often it was said.

use std::fmt::Display;

use crate::cli::{Failure, console};

/// What the gateway logs of a reading or an event that its Thing Model forbids.
const REFUSED: &str = "refused what the handler sent";
const DIFFERS: &str =
    "hint: the code and the Thing Model differ: names and types in NAME.tm.json have to be those in src/";
/// The number of a line's repetitions that is told while it goes on; the next one is ten times as many.
const TOLD_FIRST: u64 = 10;

/// What was shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// What was logged last.
    last: String,
    /// How often it was logged again since.
    repeated: u64,
    /// How many of these have been told.
    told: u64,
    /// The number that is told at once.
    tell_at: u64,
    /// It was said that the code and the Thing Model differ.
    differs: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { last: String::new(), repeated: 0, told: 0, tell_at: TOLD_FIRST, differs: false }
    }
}

impl Shown {
    /// Shows `line`, which says `said`.
    pub(super) fn show(&mut self, said: &str, line: &impl Display) -> Result<(), Failure> {
        self.next(said, line).into_iter().try_for_each(console::print)
    }

    /// Something else is shown now.
    pub(super) fn others_follow(&mut self) -> Result<(), Failure> {
        self.untold().into_iter().try_for_each(console::print)
    }

    fn next(&mut self, said: &str, line: &impl Display) -> Vec<String> {
        if said == self.last {
            self.repeated += 1;
            if self.repeated < self.tell_at {
                return Vec::new();
            }
            self.tell_at = self.tell_at.saturating_mul(10);
            return self.untold().into_iter().collect();
        }
        let mut lines: Vec<String> = self.untold().into_iter().collect();
        *self = Self { last: said.to_owned(), differs: self.differs, ..Self::default() };
        lines.push(line.to_string());
        if said.starts_with(REFUSED) && !std::mem::replace(&mut self.differs, true) {
            lines.push(DIFFERS.to_owned());
        }
        lines
    }

    fn untold(&mut self) -> Option<String> {
        if self.repeated == self.told {
            return None;
        }
        self.told = self.repeated;
        Some(format!("  (repeated {} {})", self.told, if self.told == 1 { "time" } else { "times" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_said_again_is_counted() {
        let mut shown = Shown::default();
        let mut next = |said: &str| shown.next(said, &format!("12:00 {said}"));
        assert_eq!(next("a"), ["12:00 a"]);
        assert_eq!(next("a"), [""; 0]);
        assert_eq!(next("b"), ["  (repeated 1 time)", "12:00 b"]);
        assert_eq!(next("c"), ["12:00 c"]);
        let told: Vec<String> = (0..200).flat_map(|_| next("c")).collect();
        assert_eq!(told, ["  (repeated 10 times)", "  (repeated 100 times)"]);
        assert_eq!(shown.untold().as_deref(), Some("  (repeated 200 times)"));
        assert_eq!(shown.untold(), None, "it was told");
    }

    #[test]
    fn that_code_and_model_differ_is_said_once() {
        let mut shown = Shown::default();
        let first = shown.next("refused what the handler sent x", &"r");
        assert_eq!(first, ["r", DIFFERS]);
        assert_eq!(shown.next("refused what the handler sent y", &"s"), ["s"]);
    }
}
