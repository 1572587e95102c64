//! The kept bindings are those of the contract. Where they are not: `TIDEGATE_BINDINGS=write cargo test -p tidegate-handler`.

use std::{fs, path::Path};

use wit_bindgen_core::{Files, WorldGenerator as _, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

const KEPT: &str = "src/bindings/generated.inc";

fn generated() -> anyhow::Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    let world = resolve.select_world(&[package], Some("thing-handler"))?;
    let options = Opts {
        pub_export_macro: true,
        export_macro_name: Some("export_component".to_owned()),
        default_bindings_module: Some("tidegate_handler::bindings".to_owned()),
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let texts: Vec<_> = files.iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect();
    anyhow::ensure!(texts.len() == 1, "one file is expected, not {}", texts.len());
    Ok(texts.concat())
}

#[test]
fn the_kept_bindings_are_those_of_the_contract() -> anyhow::Result<()> {
    let (kept, generated) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT), generated()?);
    if std::env::var_os("TIDEGATE_BINDINGS").is_some_and(|word| word == "write") {
        fs::write(&kept, &generated)?;
    }
    anyhow::ensure!(
        fs::read_to_string(&kept)? == generated,
        "{KEPT} is not what handlers/wit/thing.wit says: TIDEGATE_BINDINGS=write cargo test -p tidegate-handler"
    );
    Ok(())
}
