//! A claimed PWM channel.

use std::sync::Arc;
use std::time::Duration;

use super::Claimed;
use crate::bus::pwm::Channels;
use crate::error::DeviceError;
use crate::grant::{BOARD, PwmGrant};

/// Exporting a channel waits up to a second for udev to set its permissions (rppal 0.22, `pwm/sysfs.rs`).
const LIMIT: Duration = Duration::from_millis(1500);

/// One channel.
#[derive(Debug, Clone)]
pub struct PwmSlot(Arc<Channel>);

#[derive(Debug)]
struct Channel {
    grant: Arc<PwmGrant>,
    claimed: Claimed<Channels>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.claimed.claim.is_in_waiting() {
            return;
        }
        let grant = Arc::clone(&self.grant);
        self.claimed.bus.post(move |channels| channels.release(&grant));
    }
}

impl PwmSlot {
    pub(crate) fn new(grant: PwmGrant, claimed: Claimed<Channels>) -> Self {
        Self(Arc::new(Channel { grant: Arc::new(grant), claimed }))
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.0.grant.chip.starts_with(BOARD)
    }

    /// The duty in 1/65535 of the period.
    ///
    /// # Errors
    /// Those of the bus.
    pub async fn duty(&self) -> Result<u16, DeviceError> {
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.call(LIMIT, move |channels| channels.duty(&grant)).await
    }

    /// Sets the duty: 0 is always off, 65535 always on.
    ///
    /// # Errors
    /// Those of the bus.
    pub async fn set_duty(&self, duty: u16) -> Result<(), DeviceError> {
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.call(LIMIT, move |channels| channels.set_duty(&grant, duty)).await
    }

    pub(super) async fn fail_safe(&self) -> Result<(), DeviceError> {
        let grant = Arc::clone(&self.0.grant);
        self.0.claimed.bus.call_control(LIMIT, move |channels| channels.fail_safe(&grant)).await
    }
}
