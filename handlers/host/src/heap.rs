//! Memory that the allocator keeps for later, given back to the system.
//!
//! Compiling takes some ten megabytes for a moment, and a hostile component as much as it may; an allocator with an arena for
//! each thread keeps them for good.

/// Gives back what is not in use. Takes milliseconds: for after an upload, off the runtime's workers.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: `malloc_trim` (malloc_trim(3)) may be called at any time from any thread; it touches free memory alone.
        #[expect(unsafe_code, reason = "the C library offers it so")]
        let given_back = unsafe { libc::malloc_trim(0) };
        tracing::trace!(given_back, "memory was given back to the system");
    }
}
