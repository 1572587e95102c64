//! What a task needs beyond git, Rust and apt: each part is looked for first and fetched only when it is missing.
//!
//! Network is used for the registries alone (rustup, apt, npm, `PyPI`), and only by the parts that are missing.

pub(crate) mod apt;
pub(crate) mod node;
pub(crate) mod permissions;
pub(crate) mod python;
pub(crate) mod rust;
