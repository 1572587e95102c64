//! From files to a [`Tree`]: reads `tidegate.toml` and `things.d/*.toml`, with limits on their size and number.
//!
//! [`parse_tree`] is the whole of it without the file system; [`load`] only fetches the texts. Every fault of every file
//! is in the one error.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use things::Grant;
use toml::de::DeTable;

use super::{
    Budgets, Config, ConfigFault, ConfigFaults, Declaration, declaration,
    fault::FaultLog,
    gateway_file::{self, Protected},
    section::Section,
};
use crate::names::{ThingName, sha256_hex};

/// Largest configuration file, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 10;
/// Declarations in `things.d`.
pub const THING_FILES_MAX: usize = 1_000;

/// A whole configuration: the gateway's own and every declared Thing, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// `tidegate.toml`.
    pub config: Config,
    /// `things.d/*.toml`.
    pub declarations: BTreeMap<ThingName, Declaration>,
}

/// Reads `file` and the folder `things.d` beside it (which may be missing). `protected` says whether there is a token for
/// a gateway of this configuration, or why that cannot be said.
pub fn load(file: &Path, protected: impl Fn(&Config) -> Result<bool, ConfigFault>) -> Result<Tree, ConfigFaults> {
    let (tree, faults) = load_all(file, protected);
    ConfigFaults::check(faults)?;
    Ok(tree)
}

/// The same, with what can be read in spite of the faults.
pub fn load_all(file: &Path, protected: impl Fn(&Config) -> Result<bool, ConfigFault>) -> (Tree, Vec<ConfigFault>) {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut faults = Vec::new();
    let of_tokens = RefCell::new(None);
    // A file of tokens that is not to be believed is a fault of its own, and no reason for another.
    let protected = |config: &Config| protected(config).map_err(|fault| of_tokens.replace(Some(fault))).unwrap_or(true);
    let gateway = read_text(file).map_err(|fault| faults.push(fault)).unwrap_or_default();
    let things = match list_things(&folder.join("things.d")) {
        Ok(files) => files,
        Err(fault) => {
            faults.push(fault);
            Vec::new()
        }
    };
    let things: Vec<(PathBuf, String)> = things
        .into_iter()
        .filter_map(|path| read_text(&path).map_err(|fault| faults.push(fault)).ok().map(|text| (path, text)))
        .collect();
    let tree = parse_into(&mut faults, (file, &gateway), &things, &protected);
    faults.extend(of_tokens.into_inner());
    (tree, faults)
}

/// The same from texts, for a gateway without a token: its file and each declaration, with the paths that messages name.
pub fn parse_tree(gateway: (&Path, &str), things: &[(PathBuf, String)]) -> Result<Tree, ConfigFaults> {
    let mut faults = Vec::new();
    let tree = parse_into(&mut faults, gateway, things, &|_| false);
    ConfigFaults::check(faults)?;
    Ok(tree)
}

/// One declaration by itself: the text that a Thing's record keeps.
pub fn parse_declaration(path: &Path, text: &str, budgets: Budgets) -> Result<Declaration, ConfigFaults> {
    let mut faults = Vec::new();
    let declaration = read_declaration(&mut faults, path, text, budgets);
    match (declaration, ConfigFaults::check(faults)) {
        (Some(declaration), Ok(())) => Ok(declaration),
        (_, Err(faults)) => Err(faults),
        (None, Ok(())) => Err(ConfigFault::of_file(path, "declares no Thing").into()),
    }
}

fn parse_into(
    faults: &mut Vec<ConfigFault>,
    gateway: (&Path, &str),
    things: &[(PathBuf, String)],
    protected: Protected<'_>,
) -> Tree {
    let (file, text) = gateway;
    let folder = file.parent().unwrap_or(Path::new(""));
    let config = read_table(faults, file, text, |top| gateway_file::read(top, folder, protected));
    let mut declarations = BTreeMap::new();
    let mut taken: BTreeMap<ThingName, &Path> = BTreeMap::new();
    let mut holders: BTreeMap<String, Vec<Holder<'_>>> = BTreeMap::new();
    for (path, text) in things {
        let Some(declaration) = read_declaration(faults, path, text, config.budgets) else { continue };
        if let Some(first) = taken.insert(declaration.name.clone(), path) {
            let what = format!("the name `{}` is taken by {}", declaration.name, first.display());
            faults.push(ConfigFault::of_file(path, what).with_hint("give one of the two another `name`"));
        }
        if !config.board_simulated && declaration.grants.values().any(Grant::is_simulated) {
            let what = "a grant names a `board:` bus, but there is no simulated board";
            faults.push(ConfigFault::of_file(path, what).with_hint("set `simulated = true` under `[board]`"));
        }
        for (label, grant) in &declaration.grants {
            let held = holders.entry(grant.place()).or_default();
            if let Some(first) = held.iter().find(|first| !(first.shared && grant.is_shared())) {
                faults.push(clash((path, text), label, &grant.place(), first));
            }
            held.push(Holder { file: path, label: label.clone(), shared: grant.is_shared() });
        }
        declarations.insert(declaration.name.clone(), declaration);
    }
    Tree { config, declarations }
}

/// A grant that names a device.
struct Holder<'a> {
    file: &'a Path,
    label: String,
    shared: bool,
}

/// Two grants that cannot both have their device; told at the second one.
fn clash((path, text): (&Path, &str), label: &str, place: &str, first: &Holder<'_>) -> ConfigFault {
    let what = format!("`grants.{label}`: {place} is held by `grants.{}` of {}", first.label, first.file.display());
    at_key(
        (path, text),
        &["grants", label],
        &what,
        "a device has one holder, unless all its grants say `shared = true`",
    )
}

/// A fault at the key that `keys` lead to, as far as they are there.
fn at_key((path, text): (&Path, &str), keys: &[&str], what: &str, hint: &str) -> ConfigFault {
    let (table, _) = DeTable::parse_recoverable(text);
    let (mut span, mut table) = (0..0, Some(table.get_ref()));
    for key in keys {
        let Some((found, value)) = table.and_then(|table| table.get_key_value(*key)) else { break };
        span = found.span();
        table = value.get_ref().as_table();
    }
    FaultLog::new(path, text).at(&span, what, hint)
}

impl Declaration {
    /// A fault of this declaration, which shows only when its handler is known: at the key that `keys` lead to, or at the
    /// nearest table around it.
    pub fn fault_at(&self, keys: &[&str], what: &str, hint: &str) -> ConfigFault {
        at_key((&self.file, &self.source), keys, what, hint)
    }
}

fn read_declaration(faults: &mut Vec<ConfigFault>, path: &Path, text: &str, budgets: Budgets) -> Option<Declaration> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let declaration = read_table(faults, path, text, |top| declaration::read(top, stem, budgets))?;
    let (file, source) = (path.to_owned(), text.to_owned());
    Some(Declaration { file, hash: sha256_hex(text.as_bytes()), source, ..declaration })
}

/// Parses `text` and lets `read` take its top table; syntax errors are faults like the others.
fn read_table<T>(
    faults: &mut Vec<ConfigFault>,
    file: &Path,
    text: &str,
    read: impl FnOnce(&Section<'_, '_>) -> T,
) -> T {
    let log = FaultLog::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        log.fault(&error.span().unwrap_or(0..0), error.message(), "");
    }
    let broken = !errors.is_empty();
    let top = Section::new(&log, table.span(), "", table.get_ref());
    let value = read(&top);
    top.finish();
    let mut found = log.into_faults();
    if broken {
        // A recovered table has holes where the syntax broke: what else is missed there is noise.
        found.truncate(errors.len());
    }
    faults.append(&mut found);
    value
}

fn read_text(path: &Path) -> Result<String, ConfigFault> {
    let unreadable = |error: std::io::Error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => {
                "name the gateway's file; an empty one will do, and `tidegate new` makes one beside a handler"
            }
            _ => "it must be a file that the gateway's user may read",
        };
        ConfigFault::of_file(path, format!("cannot be read: {error}")).with_hint(hint)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigFault::of_file(path, format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ConfigFault::of_file(path, format!("is no UTF-8 text (from byte {at} on)"))
    })
}

/// The `*.toml` files of `folder`, sorted; hidden ones (an editor's drafts) are left out.
fn list_things(folder: &Path) -> Result<Vec<PathBuf>, ConfigFault> {
    let unreadable = |error: std::io::Error| ConfigFault::of_file(folder, format!("cannot be listed: {error}"));
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > THING_FILES_MAX {
            return Err(ConfigFault::of_file(folder, format!("has more than {THING_FILES_MAX} declarations")));
        }
    }
    files.sort();
    Ok(files)
}
