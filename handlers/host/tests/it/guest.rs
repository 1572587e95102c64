//! Handlers written in WebAssembly text: each export has a body of its own, all others answer with zeros.
//!
//! Zeros are `ok`, `null`, `good`, `none` and `done(none)` in the canonical ABI, so a guest says only what its test is about.
//! Also here: an engine for all tests, and the set-up of an instance.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;
use std::sync::OnceLock;

use handler_host::{
    Answer, Call, Capabilities, Config, EngineConfig, HandlerComponent, HandlerEngine, HandlerError, HandlerInstance,
    InstanceSetup, Limits, Origin, Signal, ThingClock,
};
use things::Slot;
use tokio::sync::mpsc;
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

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

/// A handler under construction.
#[derive(Clone, Default)]
pub(crate) struct Guest {
    fields: String,
    more: String,
    bodies: HashMap<&'static str, String>,
    model: Option<String>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Imports a function of the contract as `$NAME`, with its core signature.
    pub(crate) fn import(mut self, interface: &str, name: &str, signature: &str) -> Self {
        let module = format!("tidegate:thing/{interface}@1.0.0");
        let id = name.replace('-', "_");
        writeln!(self.fields, r#"(import "{module}" "{name}" (func ${id} {signature}))"#).unwrap();
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

    /// Its Thing Model, as text.
    pub(crate) fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The core module alone.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut text = format!("(module {}", self.fields);
        text.push_str(MEMORY);
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
        wat::parse_str(&text).unwrap()
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
        let (package, _) = resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
        let world = resolve.select_world(&[package], Some("thing-handler")).unwrap();
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }

    pub(crate) fn load(&self) -> HandlerComponent {
        engine().load(&self.component()).unwrap()
    }

    /// Started, without devices.
    pub(crate) async fn start(&self) -> HandlerInstance {
        started(HandlerInstance::start(setup(&self.load()), Origin::Fresh, 1_000).await)
    }
}

const MEMORY: &str = r#"
    (memory (export "memory") 3)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (data (i32.const 256) "settings/interval")
    (data (i32.const 300) "hello from the guest")
"#;

/// Appends the custom section in which a component carries its Thing Model.
pub(crate) fn append_model(component: &mut Vec<u8>, model: &[u8]) {
    CustomSection { name: "tidegate:thing-model".into(), data: model.into() }.append_to_component(component);
}

/// One engine for all tests of this process, without a cache.
pub(crate) fn engine() -> &'static HandlerEngine {
    static ENGINE: OnceLock<HandlerEngine> = OnceLock::new();
    ENGINE.get_or_init(|| HandlerEngine::new(EngineConfig { instances_max: 32, ..EngineConfig::default() }).unwrap())
}

/// An instance of this component for a Thing without devices.
pub(crate) fn setup(component: &HandlerComponent) -> InstanceSetup {
    setup_with(component, HashMap::new()).unwrap().0
}

/// An instance for a Thing with these devices, and its queue of signals (4 places).
pub(crate) fn setup_with(
    component: &HandlerComponent,
    slots: HashMap<String, Slot>,
) -> Result<(InstanceSetup, mpsc::Receiver<Signal>), HandlerError> {
    let (send, receive) = mpsc::channel(4);
    let setup = InstanceSetup {
        component: component.clone(),
        capabilities: Capabilities::new(component.wants(), slots, send)?,
        clock: ThingClock::resume(0),
        state: BTreeMap::new(),
        config: Config { thing: "test".into(), settings: Vec::new() },
        limits: Limits::default(),
    };
    Ok((setup, receive))
}

pub(crate) fn started(answer: Answer<()>) -> HandlerInstance {
    answer.result.unwrap();
    answer.instance.unwrap()
}

pub(crate) fn call(budget_ms: u32) -> Call {
    Call::gateway(budget_ms)
}
