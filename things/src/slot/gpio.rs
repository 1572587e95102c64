//! A claimed GPIO line.

use std::sync::Arc;
use std::time::Duration;

use super::Claimed;
use crate::bus::lines::Lines;
use crate::error::DeviceError;
use crate::grant::{BOARD, Direction, GpioGrant};
use crate::operation::{EdgeKind, EdgeSink, Level};

/// A register access or one ioctl.
const LIMIT: Duration = Duration::from_millis(250);

/// One line. Levels are logical.
#[derive(Debug, Clone)]
pub struct GpioSlot(Arc<Line>);

#[derive(Debug)]
struct Line {
    grant: Arc<GpioGrant>,
    claimed: Claimed<Lines>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.claimed.claim.is_in_waiting() {
            return;
        }
        let grant = Arc::clone(&self.grant);
        self.claimed.bus.post(move |lines| lines.release(&grant));
    }
}

impl GpioSlot {
    pub(crate) fn new(grant: GpioGrant, claimed: Claimed<Lines>) -> Self {
        Self(Arc::new(Line { grant: Arc::new(grant), claimed }))
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.0.grant.chip.starts_with(BOARD)
    }

    /// The level of the line; of an output, the level to which it is driven.
    ///
    /// # Errors
    /// Those of the bus.
    pub async fn read(&self) -> Result<Level, DeviceError> {
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.call(LIMIT, move |lines| lines.read(&grant)).await
    }

    /// Drives an output.
    ///
    /// # Errors
    /// `Denied` for an input; else those of the bus.
    pub async fn write(&self, level: Level) -> Result<(), DeviceError> {
        self.expect(Direction::Output)?;
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.call(LIMIT, move |lines| lines.write(&grant, level)).await
    }

    /// From now on each wanted edge of an input goes to `sink`, until the slot is dropped; a second watch replaces the
    /// first.
    ///
    /// # Errors
    /// `Denied` for an output; else those of the bus.
    pub async fn watch(&self, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        self.expect(Direction::Input)?;
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.call(LIMIT, move |lines| lines.watch(&grant, edges, sink)).await
    }

    pub(super) async fn fail_safe(&self) -> Result<(), DeviceError> {
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.bus.call_control(LIMIT, move |lines| lines.fail_safe(&grant)).await
    }

    fn expect(&self, direction: Direction) -> Result<(), DeviceError> {
        if self.0.grant.direction == direction {
            return Ok(());
        }
        let is = if direction == Direction::Output { "an input" } else { "an output" };
        Err(DeviceError::Denied { what: format!("{} line {} is {is}", self.0.grant.chip, self.0.grant.line) })
    }
}
