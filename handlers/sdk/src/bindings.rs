//! Generated from `handlers/wit/thing.wit`, and kept: the only code with unsafe blocks, none of it written by hand.
//!
//! Kept, because generating it while a handler is compiled takes three times as long as all the rest of the compilation.
//! `handlers/sdk/tests/bindings.rs` sees to it that it is what the contract says, and writes it anew.

include!("bindings/generated.inc");
