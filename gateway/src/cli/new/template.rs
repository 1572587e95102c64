//! The files of a new handler: those of `handlers/template`, which is built and tested with the project, under its name.

use super::sdk::Sdk;

/// Path and text. `my-thing`, `MyThing` and `My thing` in them are the handler's name.
const FILES: [(&str, &str); 5] = [
    (".gitignore", include_str!("../../../../handlers/template/gitignore")),
    ("my-thing.tm.json", include_str!("../../../../handlers/template/my-thing.tm.json")),
    ("src/lib.rs", include_str!("../../../../handlers/template/src/lib.rs")),
    ("things.d/my-thing.toml", include_str!("../../../../handlers/template/things.d/my-thing.toml")),
    ("tidegate.toml", include_str!("../../../../handlers/template/tidegate.toml")),
];
/// Types that the template's code uses: a handler's own needs another name.
const USED: [&str; 14] = [
    "Action", "Config", "Fault", "Handler", "None", "Ok", "Option", "Origin", "Result", "Self", "Setting", "Some",
    "Thing", "Value",
];

/// Path and text of each file of the handler `name`.
pub(super) fn files(name: &str, sdk: &Sdk) -> Vec<(String, String)> {
    let (type_name, title) = (type_name(name), title(name));
    let named = |text: &str| text.replace("my-thing", name).replace("MyThing", &type_name).replace("My thing", &title);
    let mut files: Vec<_> = FILES.iter().map(|(path, text)| (named(path), named(text))).collect();
    files.push(("Cargo.toml".to_owned(), manifest(name, sdk)));
    // The versions with which the gateway's own handlers are tested; cargo leaves out what is not used.
    files.extend(sdk.lock().map(|lock| ("Cargo.lock".to_owned(), lock)));
    files
}

fn manifest(name: &str, sdk: &Sdk) -> String {
    let (dependency, rust) = (sdk.dependency(), env!("CARGO_PKG_RUST_VERSION"));
    format!(
        "[package]
name = \"{name}\"
version = \"0.1.0\"
edition = \"2024\"
rust-version = \"{rust}\"
publish = false

[dependencies]
tidegate-handler = {dependency}

# A workspace of its own: one that lies around this folder does not take it in.
[workspace]
"
    )
}

/// `soil-sensor` as `SoilSensor`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(capitalized);
    let joined: String = words.collect();
    if USED.contains(&joined.as_str()) || joined == "SysfsFile" { format!("My{joined}") } else { joined }
}

/// `soil-sensor` as `Soil sensor`.
fn title(name: &str) -> String {
    capitalized(&name.replace('-', " "))
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mention_of_the_template_becomes_the_handler() {
        let sdk = Sdk::of_git("https://git.example/tidegate", "v1");
        let files = files("soil-sensor", &sdk);
        let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert!(paths.contains(&"soil-sensor.tm.json") && paths.contains(&"things.d/soil-sensor.toml"), "{paths:?}");
        for (path, text) in &files {
            let left = ["my-thing", "MyThing", "My thing", "template"].iter().find(|word| text.contains(**word));
            assert_eq!(left, None, "{path}");
        }
        let of = |wanted: &str| &files.iter().find(|(path, _)| path == wanted).unwrap().1;
        assert!(of("src/lib.rs").contains("struct SoilSensor {"));
        assert!(of("soil-sensor.tm.json").contains("\"title\": \"Soil sensor\""));
        assert!(of("Cargo.toml").contains("{ git = \"https://git.example/tidegate\", tag = \"v1\" }"));
        assert!(of("Cargo.toml").contains("\n[workspace]\n"));
    }

    #[test]
    fn a_handlers_type_is_none_that_its_code_uses() {
        assert_eq!(["lamp", "a-2-b", "thing", "value"].map(type_name), ["Lamp", "A2B", "MyThing", "MyValue"]);
    }
}
