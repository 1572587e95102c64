//! Faults: why a handler has no answer, in the words that the gateway turns into a problem document.

use crate::DeviceError;
pub use crate::bindings::tidegate::thing::types::Fault;
use core::fmt::Debug;

impl Fault {
    /// What was written or given as input is not acceptable; the sender is told why (HTTP 400).
    pub fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }

    /// There is no answer now, and a later try may have one (HTTP 503).
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }

    /// The handler itself went wrong (HTTP 500).
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// Why, in one sentence: for an event, a log line.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NotFound => "not found",
            Self::ReadOnly => "read-only",
            Self::WriteOnly => "write-only",
            Self::Busy => "the device is busy",
            Self::Invalid(why) | Self::Denied(why) | Self::Unavailable(why) | Self::Failed(why) => why,
        }
    }

    /// A driver's error, whatever its type: [`Fault::Unavailable`] with what it says. For errors of this crate's own
    /// devices `?` does the same and keeps `busy` and `denied` apart.
    #[must_use]
    pub fn device<E: Debug>(error: E) -> Self {
        Self::Unavailable(format!("the device answered {error:?}"))
    }
}

impl From<DeviceError> for Fault {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Busy => Self::Busy,
            DeviceError::Denied(why) => Self::Denied(why),
            DeviceError::OutOfRange(why) => Self::Failed(why),
            DeviceError::NoAcknowledge(_) => Self::unavailable("the device does not acknowledge on its bus"),
            DeviceError::ArbitrationLoss => Self::unavailable("another controller took the bus"),
            DeviceError::Overrun => Self::unavailable("the bus lost bytes"),
            DeviceError::Timeout => Self::unavailable("the device did not answer in time"),
            DeviceError::Bus(why) | DeviceError::NoDevice(why) | DeviceError::Other(why) => Self::Unavailable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_error_keeps_busy_and_denied_apart() {
        assert_eq!(Fault::from(DeviceError::Busy), Fault::Busy);
        assert_eq!(Fault::from(DeviceError::Denied("0xF5".into())), Fault::Denied("0xF5".into()));
        assert!(matches!(Fault::from(DeviceError::Timeout), Fault::Unavailable(_)));
    }
}
