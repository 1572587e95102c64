//! How much address space a memory may reserve on this machine.
//!
//! wasmtime's defaults reserve 4 GiB and a guard for each memory, so that no access needs a bounds check. Kernels with 39-bit
//! user space (Raspberry Pi OS has them) and processes under `prlimit --as` do not have that: there each memory reserves its
//! limit alone, and accesses are checked.

/// The mode that [`HandlerEngine`](crate::HandlerEngine) found to work by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSpace {
    /// 4 GiB and a guard for each memory: no bounds checks.
    Full,
    /// The default limit and a small guard for each memory: bounds are checked, about a tenth slower.
    Small,
}

impl AddressSpace {
    /// Bytes reserved for each memory, of a pool's slot or of its own.
    pub(crate) fn reservation_bytes(self, slot_bytes: usize) -> u64 {
        match self {
            Self::Full => 4 << 30,
            Self::Small => u64::try_from(slot_bytes).unwrap_or(u64::MAX),
        }
    }

    /// Memories of their own that must fit beside the pool: for Things that are allowed more than a slot, and where there is
    /// little space also a measure of what threads, files and the heap need (512 MiB).
    pub(crate) fn spared_memories(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Small => 32,
        }
    }

    /// Bytes after each memory whose access traps.
    pub(crate) fn guard_bytes(self) -> u64 {
        match self {
            Self::Full => 32 << 20,
            Self::Small => 64 << 10,
        }
    }
}
