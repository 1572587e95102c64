//! `tidegate new`: a handler's crate to begin with, outside of any workspace, that builds, passes its test and runs.
//!
//! The crate is there whole or not at all. Its files are those of `handlers/template` (module `template`); where the SDK
//! comes from is decided in module `sdk`.

mod sdk;
mod template;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{Exit, Failure, console};
use crate::names::ThingName;
use sdk::Sdk;

/// Longest name: of a Thing, a handler and a crate at once.
const NAME_CHARS_MAX: usize = 63;
/// Names that cargo or the compiler give to something else.
const TAKEN: [&str; 9] =
    ["alloc", "build", "core", "deps", "examples", "proc-macro", "std", "test", "tidegate-handler"];
/// Words of Rust: a library cannot be called so.
const KEYWORDS: [&str; 50] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "yield",
];

#[derive(Debug, Args)]
pub(super) struct New {
    /// The name of the handler, its crate and its Thing: a-z, 0-9 and `-`, such as `soil-sensor`.
    name: String,
    /// The folder to make it in [default: NAME, here].
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// The SDK (`handlers/sdk` of a checkout of Tidegate, or the checkout) [default: of the checkout around, else of the
    /// one that this program was built from, else by git].
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

pub(super) fn new(arguments: &New) -> Result<(), Failure> {
    check_name(&arguments.name)?;
    let folder = arguments.path.clone().unwrap_or_else(|| PathBuf::from(&arguments.name));
    let place = place_of(&folder)?;
    let sdk = sdk::find(arguments.sdk.as_deref(), &place)?;
    make(&folder, &arguments.name, &sdk)?;
    console::print(what_next(&arguments.name, &folder, &sdk))
}

/// A name that a Thing, a handler's file and a crate can all have.
fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let wrong = if !begins || !name.chars().all(allowed) || name.ends_with('-') || name.len() > NAME_CHARS_MAX {
        format!(
            "`{name}` is no name of a handler: a letter, then a-z, 0-9 and `-`, {NAME_CHARS_MAX} characters at most"
        )
    } else if let Err(error) = ThingName::declared(name) {
        error.to_string()
    } else if KEYWORDS.contains(&name) || TAKEN.contains(&name) {
        format!("`{name}` cannot be the name of a crate: Rust uses that word itself")
    } else {
        return Ok(());
    };
    let failure = Failure::new(Exit::Usage, wrong);
    Err(match near(name) {
        Some(_) if name.contains('/') => failure.with_hint("name the folder by --path, as in `--path a/b my-sensor`"),
        Some(near) => failure.with_hint(format!("`{near}` would do")),
        None => failure.with_hint("`my-sensor` would do"),
    })
}

/// The allowed name that is most like `name`.
fn near(name: &str) -> Option<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let begun = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let near: String = begun.chars().take(NAME_CHARS_MAX - "my-".len()).collect();
    let near = if near == name { format!("my-{near}") } else { near.trim_end_matches('-').to_owned() };
    check_name(&near).is_ok().then_some(near)
}

/// The folder in which the new one lies; the new one must not be there, or be empty.
fn place_of(folder: &Path) -> Result<PathBuf, Failure> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        let what = format!("{} is there already, and not an empty folder", folder.display());
        return Err(Failure::new(Exit::Usage, what)
            .with_hint("choose another name, another place by --path, or move what is there away"));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).and_then(|()| parent.canonicalize()).map_err(|error| {
        Failure::caused(Exit::Failed, format!("cannot make {}", parent.display()), &error)
            .with_hint("choose another place by --path FOLDER")
    })
}

/// Writes the crate beside its place and moves it there.
fn make(folder: &Path, name: &str, sdk: &Sdk) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| {
        Failure::caused(Exit::Failed, format!("cannot write {}", folder.display()), error)
            .with_hint("is the folder yours, and is there room? --path FOLDER chooses another")
    };
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = tempfile::Builder::new().prefix(".tidegate-new-").tempdir_in(parent);
    let unfinished = unfinished.map_err(|error| failed(&error))?;
    let written = template::files(name, sdk).into_iter().try_for_each(|(path, text)| {
        let path = unfinished.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)
    });
    let moved = written.and_then(|()| {
        // The folder of a temporary file is its owner's alone; this one is an ordinary folder.
        fs::set_permissions(unfinished.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        fs::rename(unfinished.path(), folder)
    });
    moved.map_err(|error| failed(&error))?;
    // It lies elsewhere now: there is nothing left to remove.
    let _elsewhere = unfinished.keep();
    Ok(())
}

fn what_next(name: &str, folder: &Path, sdk: &Sdk) -> String {
    let row = |command: String, what: &str| (command, what.to_owned());
    let shown = folder.display();
    let files = [
        row(format!("{name}.tm.json"), "what the Thing is: properties, actions, wanted devices"),
        row("src/lib.rs".to_owned(), "what it does, and a test"),
        row(format!("things.d/{name}.toml"), "how it is deployed: grants and settings"),
        row("tidegate.toml".to_owned(), "a gateway to try it on"),
    ];
    let steps = [
        row(format!("cd {shown}"), ""),
        row("cargo test".to_owned(), "# its logic, on this machine"),
        row("tidegate build".to_owned(), "# makes the component and says what it wants"),
        row("tidegate serve --config tidegate.toml".to_owned(), "# a gateway with it; then, in another terminal:"),
        row(format!("tidegate dev {name}"), "# rebuilds and replaces it at each save, and shows its log"),
    ];
    let indented = |rows: &[(String, String)]| {
        let lines: Vec<String> = console::table(rows).lines().map(|line| format!("  {}", line.trim_end())).collect();
        lines.join("\n")
    };
    format!(
        "made {shown}, with the SDK {sdk}

{}

Next:

{}",
        indented(&files),
        indented(&steps)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_a_thing_and_of_a_crate_at_once() {
        for name in ["a", "soil-sensor", "x2", &"a".repeat(63)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let rows = [
            ("", "`my-sensor` would do"),
            ("Soil_Sensor", "`soil-sensor` would do"),
            ("2nd", "`nd` would do"),
            ("-a", "`a` would do"),
            ("a-", "`a` would do"),
            ("été", "`t` would do"),
            ("loop", "`my-loop` would do"),
            ("test", "`my-test` would do"),
            ("gateway", "`my-gateway` would do"),
            ("a/b", "--path"),
            ("..", "`my-sensor` would do"),
        ];
        for (name, hint) in rows {
            let failure = check_name(name).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.hint.as_deref().is_some_and(|said| said.contains(hint)), "{name}: {:?}", failure.hint);
        }
        assert!(check_name(&"a".repeat(64)).is_err());
    }

    #[test]
    fn what_is_there_is_left_alone_and_an_empty_folder_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let (taken, empty) = (place.path().join("taken"), place.path().join("empty"));
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("mine"), "mine").unwrap();
        fs::create_dir(&empty).unwrap();
        assert_eq!(place_of(&taken).unwrap_err().exit, Exit::Usage);
        assert_eq!(place_of(&taken.join("mine")).unwrap_err().exit, Exit::Usage);
        let sdk = sdk::find(Some(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()), place.path()).unwrap();
        for folder in [empty, place.path().join("new/below")] {
            place_of(&folder).unwrap();
            make(&folder, "lamp", &sdk).unwrap();
            assert!(folder.join("src/lib.rs").is_file() && folder.join(".gitignore").is_file());
        }
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}
