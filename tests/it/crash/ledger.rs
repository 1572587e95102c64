//! What one client knows of what it has written: acknowledged, or in doubt because no answer came.
//!
//! The rule of the whole search: after a restart there is what was acknowledged last, or what was in doubt after it.

use std::fmt;

use anyhow::Result;

/// A broken promise: anything else that goes wrong in a search is no finding.
#[derive(Debug)]
pub(crate) struct Finding(pub(crate) String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Finding {}

/// One value, written by one client, one write after the other.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    what: &'static str,
    settled: Option<T>,
    in_doubt: Vec<T>,
    acknowledged: u64,
}

impl<T: Clone + PartialEq + fmt::Debug> Ledger<T> {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, settled: None, in_doubt: Vec::new(), acknowledged: 0 }
    }

    /// What it was known to be last.
    pub(crate) fn settled(&self) -> Option<&T> {
        self.settled.as_ref()
    }

    /// How many writes were acknowledged.
    pub(crate) fn count(&self) -> u64 {
        self.acknowledged
    }

    /// From now on it may be `value`.
    pub(crate) fn begins(&mut self, value: T) {
        self.in_doubt.push(value);
    }

    /// Now it is `value`, and nothing that was written before.
    pub(crate) fn acknowledged(&mut self, value: T) {
        self.acknowledged += 1;
        self.settles(value);
    }

    /// After a restart it was found to be `found`.
    pub(crate) fn finds(&mut self, found: T) -> Result<()> {
        let known = self.settled.is_none() || self.settled.as_ref() == Some(&found) || self.in_doubt.contains(&found);
        if !known {
            let Self { what, settled, in_doubt, .. } = self;
            let text = format!("{what}: found {found:?}; acknowledged was {settled:?}, in doubt {in_doubt:?}");
            return Err(Finding(text).into());
        }
        self.settles(found);
        Ok(())
    }

    fn settles(&mut self, value: T) {
        self.settled = Some(value);
        self.in_doubt.clear();
    }
}

/// A number that may rise and never falls, whoever tells it.
#[derive(Debug)]
pub(crate) struct Rising {
    what: &'static str,
    last: u64,
}

impl Rising {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, last: 0 }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// It has not fallen.
    pub(crate) fn at_least(&mut self, found: u64) -> Result<()> {
        if found < self.last {
            return Err(Finding(format!("{}: found {found} after {}", self.what, self.last)).into());
        }
        self.last = found;
        Ok(())
    }

    /// It has risen.
    pub(crate) fn above(&mut self, found: u64) -> Result<()> {
        if found == self.last {
            return Err(Finding(format!("{}: found {found} again", self.what)).into());
        }
        self.at_least(found)
    }
}

#[test]
fn what_was_acknowledged_and_is_gone_is_found() {
    let mut ledger = Ledger::new("a value");
    ledger.finds(0).unwrap();
    ledger.begins(1);
    ledger.acknowledged(1);
    ledger.begins(2);
    ledger.begins(3);
    assert!(ledger.finds(0).unwrap_err().is::<Finding>(), "lost");
    assert!(ledger.finds(4).is_err(), "never written");
    ledger.finds(2).unwrap();
    assert!(ledger.finds(3).is_err(), "it was 2 already");
}

#[test]
fn a_number_that_falls_or_comes_again_is_found() {
    let mut presses = Rising::new("presses");
    presses.at_least(4).unwrap();
    presses.at_least(4).unwrap();
    assert!(presses.above(4).unwrap_err().is::<Finding>() && presses.at_least(3).is_err());
    presses.above(5).unwrap();
    assert_eq!(presses.last(), 5);
}
