//! Handlers as the gateway runs them: hostile ones written by hand, and real ones compiled by `handler-build`.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod admission;
mod budgets;
mod calls;
mod capabilities;
mod compiled_cache;
mod guest;
mod losses;
mod real;
mod small_address_space;
#[path = "../../../../tests/guests/written.rs"]
mod written;
