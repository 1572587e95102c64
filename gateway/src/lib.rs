//! Tidegate: a Web of Things gateway whose Things are answered by replaceable Wasm handlers.

pub mod cli;
pub mod config;
pub mod gateway;
pub mod names;
pub mod store;
