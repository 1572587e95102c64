//! The memory of one Thing: counted over all its linear memories and tables, refused at its limit.
//!
//! A refused growth answers -1 to the guest, as the WebAssembly specification has it; a guest that then gives up with a trap
//! is told apart from one that traps for another reason by [`MemoryLimiter::take_refused`].

use wasmtime::ResourceLimiter;

#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    bytes_max: usize,
    elements_max: usize,
    bytes: usize,
    elements: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub(crate) fn new(bytes_max: usize, elements_max: usize) -> Self {
        Self { bytes_max, elements_max, bytes: 0, elements: 0, refused: false }
    }

    /// Bytes of all linear memories as they are now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Was a growth refused since this was last asked?
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// The sum after growing one part from `current` to `desired`, if it stays within `max`.
    fn grown(sum: usize, current: usize, desired: usize, max: usize) -> Option<usize> {
        sum.checked_sub(current)?.checked_add(desired).filter(|grown| *grown <= max)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = Self::grown(self.bytes, current, desired, self.bytes_max);
        self.refused |= grown.is_none();
        self.bytes = grown.unwrap_or(self.bytes);
        Ok(grown.is_some())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = Self::grown(self.elements, current, desired, self.elements_max);
        self.refused |= grown.is_none();
        self.elements = grown.unwrap_or(self.elements);
        Ok(grown.is_some())
    }

    fn instances(&self) -> usize {
        16
    }

    fn tables(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_summed_over_memories_and_refused_beyond_the_limit() {
        let mut limiter = MemoryLimiter::new(100, 10);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap(), "a second memory counts too");
        assert!(limiter.take_refused() && !limiter.take_refused());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.bytes(), 100);
        assert!(!limiter.table_growing(0, 11, None).unwrap());
    }
}
