//! How much one Thing's handler may have written to the gateway's log: bytes from a bucket that fills slowly.
//!
//! What finds it empty is left out there and counted, and the count is told with the next line that finds room. The handler's
//! own Thing keeps its last lines in any case.

use std::time::Instant;

/// What may be written at once, in bytes.
const BURST: u32 = 128 << 10;
/// What comes back each second.
const BYTES_PER_SECOND: u32 = 2 << 10;
/// Beside its text a line has a time, a level and the Thing's name.
const LINE_BYTES: u32 = 80;

/// The bucket.
#[derive(Debug)]
pub(crate) struct Talk {
    left: u32,
    filled: Option<Instant>,
    left_out: u64,
}

impl Default for Talk {
    fn default() -> Self {
        Self { left: BURST, filled: None, left_out: 0 }
    }
}

impl Talk {
    /// Is there room for a line of `bytes`? Answers how many were left out before it.
    pub(crate) fn room(&mut self, bytes: usize, now: Instant) -> Option<u64> {
        let filled = *self.filled.get_or_insert(now);
        let back = now.saturating_duration_since(filled).as_millis() * u128::from(BYTES_PER_SECOND) / 1_000;
        if back > 0 {
            self.left = self.left.saturating_add(u32::try_from(back).unwrap_or(BURST)).min(BURST);
            self.filled = Some(now);
        }
        let wanted = LINE_BYTES.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        match self.left.checked_sub(wanted) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.left_out))
            }
            None => {
                self.left_out += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_left_out_and_counted_and_a_trickle_is_not() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        let written = (0..10_000).filter(|_| talk.room(1_000, now).is_some()).count();
        assert_eq!(written, (128 << 10) / 1_080);
        let later = now + Duration::from_secs(1);
        assert_eq!(talk.room(1_000, later), Some(10_000 - written as u64), "what was left out is told");
        assert_eq!(talk.room(100, later), Some(0));
        for second in 2..1_000 {
            assert!(talk.room(1_000, now + Duration::from_secs(second)).is_some(), "second {second}");
        }
    }

    #[test]
    fn looking_often_does_not_keep_it_from_filling() {
        let (mut talk, now) = (Talk::default(), Instant::now());
        while talk.room(1_000, now).is_some() {}
        let found = (1..2_000).filter(|ms| talk.room(1_000, now + Duration::from_millis(*ms)).is_some()).count();
        assert!((2..=4).contains(&found), "{found}");
    }
}
