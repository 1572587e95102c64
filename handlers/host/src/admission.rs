//! What a component says of itself, read before it is compiled: its imports, its exports, its Thing Model.
//!
//! Nothing of the component runs here. Whatever is refused is refused with a sentence that its author can act on.

use serde_json::Value as Json;
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator, WasmFeatures};
use wasmtime::Engine;

use crate::capabilities::Want;
use crate::error::HandlerError;
use crate::extent;
use crate::model;

/// The custom section that `handler-build` appends to a finished component.
pub(crate) const THING_MODEL_SECTION: &str = "tidegate:thing-model";
const PACKAGE: &str = "tidegate:thing/";
const VERSION: &str = "@1.0.0";
const HANDLER: &str = "tidegate:thing/handler@1.0.0";
const TYPES: &str = "types";
/// What the host provides, besides the types.
const INTERFACES: [&str; 10] = ["log", "clock", "state", "emit", "things", "i2c", "spi", "gpio", "pwm", "sysfs"];

/// The outside of an admitted component.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Full names of the imported interfaces, types left out.
    pub(crate) imports: Vec<String>,
    pub(crate) model: Json,
    pub(crate) wants: Vec<Want>,
}

/// The short name (`i2c`) of an import that the host provides.
pub(crate) fn interface(import: &str) -> Option<&'static str> {
    let name = import.strip_prefix(PACKAGE)?.strip_suffix(VERSION)?;
    INTERFACES.into_iter().find(|known| *known == name)
}

/// Reads a component's outside, or says why it is no handler.
pub(crate) fn admit(bytes: &[u8]) -> Result<Outside, HandlerError> {
    validate(bytes)?;
    outside(bytes)
}

/// Whether it is small enough to be looked at.
pub(crate) fn check_size(bytes: &[u8], bytes_max: usize) -> Result<(), HandlerError> {
    if bytes.len() > bytes_max {
        return Err(HandlerError::bad(format!("{} bytes, more than {bytes_max}", bytes.len())));
    }
    Ok(())
}

/// Whether this is a component at all, and one that can be compiled: its code is gone through.
fn validate(bytes: &[u8]) -> Result<(), HandlerError> {
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(HandlerError::bad("it is precompiled native code; upload the component itself"));
    }
    if Parser::is_core_wasm(bytes) {
        return Err(HandlerError::bad(
            "it is a core module; a handler is a component, as `cargo xtask handlers` builds it",
        ));
    }
    if !Parser::is_component(bytes) {
        return Err(HandlerError::bad("it is no WebAssembly"));
    }
    extent::check(bytes)?;
    let features = WasmFeatures::default() | WasmFeatures::COMPONENT_MODEL;
    let validated = Validator::new_with_features(features).validate_all(bytes);
    validated.map(drop).map_err(|error| HandlerError::bad(error.to_string()))
}

/// The outside of a component that was validated.
pub(crate) fn outside(bytes: &[u8]) -> Result<Outside, HandlerError> {
    let surface = Surface::read(bytes).map_err(|error| HandlerError::bad(error.to_string()))?;
    surface.admit()
}

/// The top level of a component.
#[derive(Default)]
struct Surface<'a> {
    imports: Vec<&'a str>,
    handler: bool,
    models: Vec<&'a [u8]>,
}

impl<'a> Surface<'a> {
    fn read(bytes: &'a [u8]) -> wasmparser::Result<Self> {
        let mut surface = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                payload if depth == 1 => surface.note(payload)?,
                _ => {}
            }
        }
        Ok(surface)
    }

    fn note(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.imports.push(import?.name.name);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.handler |= export.name.name == HANDLER && export.kind == ComponentExternalKind::Instance;
                }
            }
            Payload::CustomSection(section) if section.name() == THING_MODEL_SECTION => {
                self.models.push(section.data());
            }
            _ => {}
        }
        Ok(())
    }

    fn admit(self) -> Result<Outside, HandlerError> {
        if !self.handler {
            return Err(HandlerError::MissingExport { name: HANDLER.into() });
        }
        let is_types = |import: &&str| interface_of_types(import);
        let unknown: Vec<_> =
            self.imports.iter().copied().filter(|import| !is_types(import) && interface(import).is_none()).collect();
        if !unknown.is_empty() {
            return Err(HandlerError::bad(format!("no gateway provides its imports {}", unknown.join(", "))));
        }
        let imports =
            self.imports.iter().filter(|import| !is_types(import)).map(|import| (*import).to_owned()).collect();
        let [model] = self.models[..] else {
            return Err(HandlerError::bad(format!(
                "it has {} Thing Models in custom sections `{THING_MODEL_SECTION}`, not one",
                self.models.len()
            )));
        };
        let model = model::parse(model)?;
        let wants = model::wants(&model)?;
        Ok(Outside { imports, model, wants })
    }
}

fn interface_of_types(import: &str) -> bool {
    import.strip_prefix(PACKAGE).and_then(|name| name.strip_suffix(VERSION)) == Some(TYPES)
}
