//! Tidegate: a Web of Things gateway whose Things are answered by replaceable Wasm handlers.

pub mod config;
pub mod names;
pub mod store;
