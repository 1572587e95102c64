//! Builds a guest of this workspace for real and looks into the component.

use handler_build::{BuildRequest, MODEL_SECTION, build};
use std::path::{Path, PathBuf};
use wasmparser::{Parser, Payload};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn out_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Names of the imports and the content of the model's section, both of the top level only.
fn look_into(component: &[u8]) -> anyhow::Result<(Vec<String>, Option<Vec<u8>>)> {
    let (mut imports, mut model, mut depth) = (vec![], None, 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == MODEL_SECTION => {
                model = Some(section.data().to_vec());
            }
            _ => {}
        }
    }
    Ok((imports, model))
}

#[test]
fn a_component_imports_what_it_uses_and_carries_its_model() {
    let request = BuildRequest { out_dir: Some(out_dir("relay")), ..BuildRequest::of_package(workspace(), "relay") };
    let built = build(&request).unwrap();
    assert_eq!(built.bytes, std::fs::read(&built.component).unwrap());
    assert!(built.bytes.len() < 150_000, "{} bytes", built.bytes.len());
    let (mut imports, model) = look_into(&built.bytes).unwrap();
    imports.sort();
    let wanted = ["clock", "emit", "gpio", "log", "types"].map(|name| format!("tidegate:thing/{name}@1.0.0"));
    assert_eq!(imports, wanted);
    let model: serde_json::Value = serde_json::from_slice(&model.unwrap()).unwrap();
    assert_eq!(model.pointer("/tidegate:wants/0/label"), Some(&"coil".into()));
}

#[test]
fn what_cannot_be_built_is_refused_with_a_hint() {
    let error = build(&BuildRequest::of_package(workspace(), "no-such-handler")).unwrap_err();
    assert!(error.to_string().contains("`no-such-handler`"), "{error}");
    let error = build(&BuildRequest::of_crate(workspace())).unwrap_err();
    assert!(error.to_string().contains("hint: name the package"), "{error}");
    let error = build(&BuildRequest::of_crate(workspace().join("things"))).unwrap_err();
    assert!(error.to_string().contains("Thing Model"), "{error}");
}
