//! What can go wrong between a Thing and its device: one closed error for every bus.
//!
//! Invariant: the errno of the kernel is never lost (it is in `Bus { source }` or in the variant that it became), and
//! every sentence names the place (path, address or line). It does not decide what a caller does about it.

use std::io;

use rustix::io::Errno;

/// Which part of an I2C transfer was not acknowledged (`embedded_hal::i2c::NoAcknowledgeSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackSource {
    /// Nobody answers at this address.
    Address,
    /// The chip refused a byte.
    Data,
    /// The controller does not tell.
    Unknown,
}

impl std::fmt::Display for NackSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Address => "its address",
            Self::Data => "a byte",
            Self::Unknown => "its address or a byte",
        })
    }
}

/// Why a device has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// This machine has no such device: path or model missing, driver not loaded, no simulated part there.
    #[error("no device at {place}: {why}")]
    NoDevice {
        /// Path, line or channel that was looked for.
        place: String,
        /// What was not found, with a hint where there is one.
        why: String,
    },
    /// The grant or the operating system forbids it. The text names the register, address or path and, for a missing
    /// permission, what to do about it.
    #[error("denied: {what}")]
    Denied {
        /// What was refused and why.
        what: String,
    },
    /// Another claim holds this device; only grants that are all `shared` may meet on one.
    #[error("{place} is held by {label} of the Thing {thing}")]
    Held {
        /// The device.
        place: String,
        /// Name of the Thing that holds it.
        thing: String,
        /// Label of the grant under which it is held.
        label: String,
    },
    /// The bounded queue of the bus is full.
    #[error("the bus is busy")]
    Busy,
    /// More transactions in a second than the grant's `hz-max`.
    #[error("more than {hz_max} transactions per second")]
    RateExceeded {
        /// The grant's limit.
        hz_max: u32,
    },
    /// The chip did not acknowledge.
    #[error("not acknowledged: {0}")]
    Nack(NackSource),
    /// Another controller won the bus.
    #[error("arbitration lost on {place}")]
    ArbitrationLoss {
        /// The bus.
        place: String,
    },
    /// More bytes came than the controller could take.
    #[error("overrun on {place}")]
    Overrun {
        /// The bus.
        place: String,
    },
    /// Any other failure of the bus or of a kernel call, errno included.
    #[error("{place}: {source}")]
    Bus {
        /// The bus, path or line.
        place: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Outside what the bus, the grant or the interface allows: a length, a level, a frequency, a number of operations.
    #[error("out of range: {what}")]
    OutOfRange {
        /// What was asked and what is allowed.
        what: String,
    },
    /// No answer within the transaction's limit. The transaction may still take effect.
    #[error("{place} gave no answer within {limit_ms} ms")]
    Timeout {
        /// The bus.
        place: String,
        /// The limit that has passed.
        limit_ms: u64,
    },
    /// An earlier transaction still hangs in the kernel: everything on this bus is refused until it comes back.
    #[error("{place} is stuck: an earlier transaction has not come back")]
    Stuck {
        /// The bus.
        place: String,
    },
}

impl DeviceError {
    /// The meaning of an errno from opening or using `place`, where `hint` says how to get the permission.
    pub(crate) fn from_io(place: &str, source: io::Error, hint: &str) -> Self {
        let place = place.to_owned();
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR) => {
                Self::NoDevice { place, why: source.to_string() }
            }
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied { what: format!("{place}: {source}; {hint}") },
            Some(Errno::TIMEDOUT) => Self::Timeout { place, limit_ms: 0 },
            _ => Self::Bus { place, source },
        }
    }

    /// The name of the variant, for logs and counters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoDevice { .. } => "no-device",
            Self::Denied { .. } => "denied",
            Self::Held { .. } => "held",
            Self::Busy => "busy",
            Self::RateExceeded { .. } => "rate-exceeded",
            Self::Nack(_) => "no-acknowledge",
            Self::ArbitrationLoss { .. } => "arbitration-loss",
            Self::Overrun { .. } => "overrun",
            Self::Bus { .. } => "bus",
            Self::OutOfRange { .. } => "out-of-range",
            Self::Timeout { .. } => "timeout",
            Self::Stuck { .. } => "stuck",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_becomes_its_meaning_or_is_kept() {
        let of = |errno: Errno| {
            DeviceError::from_io("/dev/i2c-1", io::Error::from_raw_os_error(errno.raw_os_error()), "join the group i2c")
        };
        assert!(matches!(of(Errno::NOENT), DeviceError::NoDevice { .. }));
        let denied = of(Errno::ACCESS).to_string();
        assert!(denied.contains("/dev/i2c-1") && denied.contains("join the group i2c"), "{denied}");
        let DeviceError::Bus { source, .. } = of(Errno::IO) else { panic!("EIO is a bus error") };
        assert_eq!(source.raw_os_error(), Some(Errno::IO.raw_os_error()));
    }
}
