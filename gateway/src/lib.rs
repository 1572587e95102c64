//! Tidegate: a Web of Things gateway whose Things are answered by replaceable Wasm handlers.
//!
//! The floors below: `handler-host` runs handlers, `things` reaches devices, `thing-descriptions` knows the W3C's words.
//! This crate alone knows HTTP, MQTT, configuration and the store.

pub mod access;
mod behavior;
pub mod binding_http;
mod binding_mqtt;
pub mod cli;
pub mod config;
pub mod crash_point;
mod descriptors;
mod directory;
pub mod exposed_thing;
mod fit;
pub mod fuzzing;
pub mod gateway;
pub mod interaction;
pub mod logging;
pub mod names;
pub mod reading;
mod replacement;
mod repository;
mod room;
pub mod servient;
mod startup;
pub mod store;
mod td;
mod trust;
pub mod utc;
