//! The GPIO lines of one chip: a Raspberry Pi's header, a chip of the kernel, or the simulated board's.
//!
//! Invariant: levels are logical at this border; each of the three knows how to wire an active-low line. A line is
//! opened at first use and closed by [`Lines::release`], after it was driven to its fail-safe level. A line that is
//! left at its fail-safe level is not reset, as far as the kernel keeps it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::error::DeviceError;
use crate::grant::{Direction, GpioGrant, PI};
use crate::operation::{EdgeKind, EdgeSink, Level};
use crate::simulated::Board;

mod chip;
mod pi;

use chip::ChipLines;
use pi::PiLines;

/// What to do about a missing permission.
const HINT: &str = "add the user to the group gpio";

/// The lines behind one GPIO thread.
pub(crate) enum Lines {
    Pi(PiLines),
    Chip(ChipLines),
    Simulated(Board),
}

impl Lines {
    /// The lines of the chip at `place`, opened at first use.
    pub(crate) fn real(place: &str) -> Self {
        if place == PI { Self::Pi(PiLines::default()) } else { Self::Chip(ChipLines::new(place)) }
    }

    pub(crate) fn read(&mut self, grant: &GpioGrant) -> Result<Level, DeviceError> {
        match self {
            Self::Pi(lines) => lines.read(grant),
            Self::Chip(lines) => lines.read(grant),
            Self::Simulated(board) => board.read_line(grant),
        }
    }

    pub(crate) fn write(&mut self, grant: &GpioGrant, level: Level) -> Result<(), DeviceError> {
        match self {
            Self::Pi(lines) => lines.write(grant, level),
            Self::Chip(lines) => lines.write(grant, level),
            Self::Simulated(board) => board.write_line(grant, level),
        }
    }

    pub(crate) fn watch(&mut self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        match self {
            Self::Pi(lines) => lines.watch(grant, edges, sink),
            Self::Chip(lines) => lines.watch(grant, edges, sink),
            Self::Simulated(board) => board.watch_line(grant, edges, sink),
        }
    }

    /// Drives an output to its fail-safe level, if it has one.
    pub(crate) fn fail_safe(&mut self, grant: &GpioGrant) -> Result<(), DeviceError> {
        match (grant.direction, grant.fail_safe) {
            (Direction::Output, Some(level)) => self.write(grant, Level::from(level)),
            (Direction::Output | Direction::Input, _) => Ok(()),
        }
    }

    /// Ends the use of a line; nothing to do for one that was never opened.
    pub(crate) fn release(&mut self, grant: &GpioGrant) {
        let opened = match self {
            Self::Pi(lines) => lines.is_open(grant.line),
            Self::Chip(lines) => lines.is_open(grant.line),
            Self::Simulated(_) => true,
        };
        if !opened {
            return;
        }
        if let Err(error) = self.fail_safe(grant) {
            tracing::warn!(line = grant.line, %error, "a released line is not at its fail-safe level");
        }
        match self {
            Self::Pi(lines) => lines.release(grant),
            Self::Chip(lines) => lines.release(grant),
            Self::Simulated(board) => board.release_line(grant),
        }
    }
}

/// The level from which an output starts: its fail-safe level, else low.
fn first_level(grant: &GpioGrant) -> Level {
    Level::from(grant.fail_safe.unwrap_or(false))
}

/// The moment of a kernel time stamp (`CLOCK_MONOTONIC`, which is `Instant`'s clock on Linux).
fn moment(stamp: Duration) -> Instant {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    let age = (seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))).saturating_sub(stamp);
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_is_a_moment_of_our_clock() {
        let now = clock_gettime(ClockId::Monotonic);
        let stamp = Duration::new(u64::try_from(now.tv_sec).unwrap(), u32::try_from(now.tv_nsec).unwrap());
        let earlier = stamp.checked_sub(Duration::from_secs(1)).unwrap();
        let age = moment(earlier).elapsed();
        assert!(age >= Duration::from_secs(1) && age < Duration::from_secs(30), "{age:?}");
        assert!(moment(stamp + Duration::from_secs(60)) <= Instant::now(), "no edge comes from the future");
    }
}
