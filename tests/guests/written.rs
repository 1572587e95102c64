//! Handlers written in WebAssembly text: each export has a body of its own, all others answer with zeros.
//!
//! Zeros are `ok`, `null`, `good`, `none` and `done(none)` in the canonical ABI, so a guest says only what its test is about.
//! Read by the tests of the host and by those of the whole; it knows neither.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::HashMap;
use std::fmt::Write;

use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../handlers/wit/thing.wit");

/// Exports with their core signatures; calls come with the name of an affordance in the first two parameters.
const EXPORTS: [(&str, &str); 8] = [
    ("start", "(param i32 i32 i32 i32 i32 i32 i32) (result i32)"),
    ("stop", ""),
    ("read-property", "(param i32 i32 i64 i64 i32 i32 i32 i32 i32 i32) (result i32)"),
    ("write-property", "(param i32 i32 i32 i64 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32) (result i32)"),
    ("invoke-action", "(param i32 i32 i32 i32 i64 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32) (result i32)"),
    ("cancel-action", "(param i64 i64) (result i32)"),
    ("wake", "(param i64) (result i32)"),
    ("on-signal", "(param i32 i32 i32 i64 i32 i64 i32 i32 i32 i64)"),
];

/// Where an export finds zeros to answer with.
pub(crate) const ZEROS: &str = "i32.const 1024";
/// Spins for ever.
pub(crate) const SPIN: &str = "(loop $again br $again) unreachable";

/// Hands out what the arguments of a call need, and starts anew when an export begins.
const REALLOC: &str = r#"(local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (local.get $at)"#;
const MEMORY: &str = r#"(memory (export "memory") 3)"#;
const TEXTS: &str = r#"
    (global $heap (mut i32) (i32.const 65536))
    (data (i32.const 256) "settings/interval")
    (data (i32.const 300) "hello from the guest")
"#;

/// A handler under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guest {
    imports: String,
    more: String,
    memory: Option<String>,
    realloc: Option<String>,
    bodies: HashMap<&'static str, String>,
    model: Option<String>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Imports a function of the contract as `$NAME`, with its core signature; the `read`s of files and of Things as
    /// `$file` and `$thing`.
    pub(crate) fn import(mut self, interface: &str, name: &str, signature: &str) -> Self {
        let module = format!("tidegate:thing/{interface}@1.0.0");
        let id = match (interface, name) {
            ("sysfs", "read") => "file".to_owned(),
            ("things", "read") => "thing".to_owned(),
            _ => name.replace('-', "_"),
        };
        writeln!(self.imports, r#"(import "{module}" "{name}" (func ${id} {signature}))"#).unwrap();
        self
    }

    /// Further fields of the core module.
    pub(crate) fn fields(mut self, fields: &str) -> Self {
        self.more.push_str(fields);
        self
    }

    /// The body of an export.
    pub(crate) fn on(mut self, export: &'static str, body: &str) -> Self {
        self.bodies.insert(export, body.to_owned());
        self
    }

    /// Another memory than one of three pages.
    pub(crate) fn memory(mut self, memory: &str) -> Self {
        self.memory = Some(memory.to_owned());
        self
    }

    /// Another `cabi_realloc`: its body, over four parameters.
    pub(crate) fn realloc(mut self, body: &str) -> Self {
        self.realloc = Some(body.to_owned());
        self
    }

    /// Its Thing Model, as text.
    pub(crate) fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The core module alone.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut text = format!("(module {}", self.imports);
        text.push_str(self.memory.as_deref().unwrap_or(MEMORY));
        text.push_str(TEXTS);
        let realloc = self.realloc.as_deref().unwrap_or(REALLOC);
        writeln!(text, r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})"#).unwrap();
        text.push_str(&self.more);
        for (export, signature) in EXPORTS {
            let zeros = if signature.contains("result") { ZEROS } else { "" };
            let body = self.bodies.get(export).map_or(zeros, String::as_str);
            // The arguments are dead when an export returns: the heap starts anew.
            let reset = "(global.set $heap (i32.const 65536))";
            writeln!(
                text,
                r#"(func ${export} (export "tidegate:thing/handler@1.0.0#{export}") {signature} {reset} {body})"#
            )
            .unwrap();
        }
        text.push(')');
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The finished component, with its Thing Model.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut bytes = self.component_without_model();
        let model = self.model.as_deref().unwrap_or(r#"{"@type":"tm:ThingModel","title":"Test"}"#);
        append_model(&mut bytes, model.as_bytes());
        bytes
    }

    pub(crate) fn component_without_model(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("thing.wit", CONTRACT).unwrap();
        let world = resolve.select_world(&[package], Some("thing-handler")).unwrap();
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }
}

/// Appends the custom section in which a component carries its Thing Model.
pub(crate) fn append_model(component: &mut Vec<u8>, model: &[u8]) {
    CustomSection { name: "tidegate:thing-model".into(), data: model.into() }.append_to_component(component);
}
