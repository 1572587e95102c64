//! The GPIO lines of one chip: a Raspberry Pi's header, a chip of the kernel, or the simulated board's.
//!
//! Invariant: levels are logical at this border; each of the three knows how to wire an active-low line. A line is
//! opened at first use and closed by [`Lines::release`], after it was driven to its fail-safe level.

use crate::error::DeviceError;
use crate::grant::{Direction, GpioGrant};
use crate::operation::{EdgeKind, EdgeSink, Level};
use crate::simulated::Board;

/// The lines behind one GPIO thread.
pub(crate) enum Lines {
    /// A place where no driver of ours reaches.
    Missing(String),
    Simulated(Board),
}

impl Lines {
    /// The lines of the chip at `place`, opened at first use.
    pub(crate) fn real(place: &str) -> Self {
        Self::Missing(place.to_owned())
    }

    pub(crate) fn read(&mut self, grant: &GpioGrant) -> Result<Level, DeviceError> {
        match self {
            Self::Simulated(board) => board.read_line(grant),
            Self::Missing(place) => Err(missing(place)),
        }
    }

    pub(crate) fn write(&mut self, grant: &GpioGrant, level: Level) -> Result<(), DeviceError> {
        match self {
            Self::Simulated(board) => board.write_line(grant, level),
            Self::Missing(place) => Err(missing(place)),
        }
    }

    pub(crate) fn watch(&mut self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        match self {
            Self::Simulated(board) => board.watch_line(grant, edges, sink),
            Self::Missing(place) => Err(missing(place)),
        }
    }

    /// Drives an output to its fail-safe level, if it has one.
    pub(crate) fn fail_safe(&mut self, grant: &GpioGrant) -> Result<(), DeviceError> {
        match (grant.direction, grant.fail_safe) {
            (Direction::Output, Some(level)) => self.write(grant, Level::from(level)),
            (Direction::Output | Direction::Input, _) => Ok(()),
        }
    }

    /// Ends the use of a line. Whether it was opened is not the caller's affair.
    pub(crate) fn release(&mut self, grant: &GpioGrant) {
        if let Err(error) = self.fail_safe(grant) {
            tracing::warn!(line = grant.line, %error, "a released line is not at its fail-safe level");
        }
        match self {
            Self::Simulated(board) => board.release_line(grant),
            Self::Missing(_) => {}
        }
    }
}

fn missing(place: &str) -> DeviceError {
    DeviceError::NoDevice { place: place.to_owned(), why: "no GPIO here".to_owned() }
}
