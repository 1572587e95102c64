//! The tie between a slot, its bus and its claim.

use std::sync::Arc;
use std::time::Duration;

use crate::bus::Bus;
use crate::error::DeviceError;
use crate::hardware::Claim;

/// A bus to use, a claim to hold. The claim ends when the last slot that shares it is dropped.
pub(crate) struct Claimed<D> {
    pub(crate) bus: Arc<Bus<D>>,
    pub(crate) claim: Claim,
}

impl<D: Send + 'static> Claimed<D> {
    pub(crate) async fn call<T, F>(&self, limit: Duration, operation: F) -> Result<T, DeviceError>
    where
        T: Send + 'static,
        F: FnOnce(&mut D) -> Result<T, DeviceError> + Send + 'static,
    {
        self.bus.call(self.claim.meter(), limit, operation).await
    }
}

impl<D> std::fmt::Debug for Claimed<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed").field("bus", &self.bus).field("claim", &self.claim).finish()
    }
}
