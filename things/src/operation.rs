//! The words that callers and buses share: operations of one transaction, levels, edges, space.

use std::sync::Arc;
use std::time::Instant;

/// One operation of an I2C transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum I2cOperation {
    /// Reads that many bytes, at least one.
    Read(u32),
    /// Writes these bytes.
    Write(Vec<u8>),
}

/// One operation of an SPI transaction, all of them under one chip select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpiOperation {
    /// Reads that many bytes, at least one; what goes out is zeros.
    Read(u32),
    /// Writes these bytes; what comes in is dropped.
    Write(Vec<u8>),
    /// Writes these bytes; as many come in.
    Transfer(Vec<u8>),
    /// Waits that many nanoseconds, at most 65 ms.
    DelayNs(u32),
}

/// The logical level of a line: high = active, whatever the wiring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Inactive: off, released.
    Low,
    /// Active: on, pressed.
    High,
}

impl Level {
    /// The other side of an active-low line; the same level on an active-high one. Its own inverse.
    pub(crate) fn across(self, active_low: bool) -> Self {
        Self::from((self == Self::High) != active_low)
    }
}

impl From<bool> for Level {
    fn from(high: bool) -> Self {
        if high { Self::High } else { Self::Low }
    }
}

/// Which edges a watcher wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeKind {
    /// To high.
    Rising,
    /// To low.
    Falling,
    /// Both.
    Both,
}

impl EdgeKind {
    /// Whether an edge to `level` is wanted.
    #[must_use]
    pub fn wants(self, level: Level) -> bool {
        match self {
            Self::Rising => level == Level::High,
            Self::Falling => level == Level::Low,
            Self::Both => true,
        }
    }
}

/// A level change on a watched line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The level after the change, logical.
    pub level: Level,
    /// When it happened, as exactly as the kernel tells.
    pub at: Instant,
}

/// Where the edges of a watched line go. Called on a bus thread: it must not block, nor call a slot or the board.
pub type EdgeSink = Arc<dyn Fn(Edge) + Send + Sync>;

/// The size of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Space {
    /// All bytes.
    pub total: u64,
    /// Bytes that an ordinary user can still write.
    pub free: u64,
}
