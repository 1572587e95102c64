//! Makes the component: the module with its interfaces, and the Thing Model in a section of its own.

use anyhow::{Context, Result, ensure};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The name of the section that holds the Thing Model, as JSON.
pub const MODEL_SECTION: &str = "tidegate:thing-model";

/// Imports that the module does not use fall away here: what is left is the true list of what the handler wants.
pub(crate) fn component(module: &[u8], model: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        exports_handler(module)?,
        "the crate exports no handler\nhint: add `tidegate_handler::export!(YourType);` to its src/lib.rs"
    );
    let mut encoder = ComponentEncoder::default();
    let mut component = encoder
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .context("the module is no handler\nhint: is every dependency free of JavaScript and WASI imports?")?;
    // After the nested module, on the top level: a static with `link_section` would land inside the module.
    CustomSection { name: MODEL_SECTION.into(), data: model.into() }.append_to_component(&mut component);
    Ok(component)
}

fn exports_handler(module: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(exports) = payload.context("the compiler wrote no WebAssembly")? {
            for export in exports {
                if export?.name.starts_with("tidegate:thing/handler@") {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_handler_is_refused_with_a_hint() {
        let error = component(b"\0asm\x01\0\0\0", b"{}").unwrap_err();
        assert!(error.to_string().contains("export!"), "{error}");
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(component(b"no module", b"{}").is_err());
    }
}
