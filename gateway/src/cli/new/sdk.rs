//! Where a new handler's SDK comes from: a folder of this machine, or the project's repository at this version's tag.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::cli::{Exit, Failure};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The package's `repository`; empty while it names none.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
const PACKAGE: &str = "tidegate-handler";
/// Largest manifest and lock file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The SDK that a handler depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// The crate's folder, and how it was found.
    Folder { folder: PathBuf, how: &'static str },
    /// The repository at a tag.
    Git { url: String, tag: String },
}

/// The one that was asked for, else the nearest there is, seen from the folder `place`.
///
/// # Errors
/// Where there is none; the hint says what to do.
pub(super) fn find(asked: Option<&Path>, place: &Path) -> Result<Sdk, Failure> {
    if let Some(asked) = asked {
        let folder = sdk_in(asked).ok_or_else(|| {
            let what = format!("there is no SDK of Tidegate at {}: no crate `{PACKAGE}`", asked.display());
            Failure::new(Exit::Usage, what).with_hint("name a checkout of Tidegate, or its folder handlers/sdk")
        })?;
        return of_this_version(folder, "that you named");
    }
    if let Some(folder) = place.ancestors().find_map(sdk_in) {
        return of_this_version(folder, "of the checkout around it");
    }
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(sdk_in);
    if let Some(found) = built_from.and_then(|folder| of_this_version(folder, "that belongs to this program").ok()) {
        return Ok(found);
    }
    if REPOSITORY.is_empty() {
        let what = "the SDK was not found: this program was built from a checkout that is gone or changed";
        return Err(Failure::new(Exit::Usage, what)
            .with_hint(format!("name a checkout of Tidegate {VERSION}: `tidegate new NAME --sdk PATH/TO/tidegate`")));
    }
    Ok(Sdk::of_git(REPOSITORY, &format!("v{VERSION}")))
}

/// The SDK in a checkout, or in a folder that is the SDK itself.
fn sdk_in(folder: &Path) -> Option<PathBuf> {
    let candidates = [folder.to_owned(), folder.join("handlers/sdk")];
    candidates.into_iter().find(|folder| is_sdk(folder)).and_then(|folder| folder.canonicalize().ok())
}

fn is_sdk(folder: &Path) -> bool {
    table(&folder.join("Cargo.toml")).is_some_and(|manifest| text_at(&manifest, &["package", "name"]) == Some(PACKAGE))
}

/// A handler speaks the contract of its SDK, so that has to be of the gateway's version.
fn of_this_version(folder: PathBuf, how: &'static str) -> Result<Sdk, Failure> {
    match version(&folder) {
        Some(other) if other != VERSION => {
            let what = format!("the SDK at {} is of version {other}, this program of {VERSION}", folder.display());
            Err(Failure::new(Exit::Usage, what).with_hint(format!(
                "handler and gateway have to be of one version: name a checkout of {VERSION} by --sdk, or install \
                 tidegate {other} (`cargo install --path gateway` there)"
            )))
        }
        _ => Ok(Sdk::Folder { folder, how }),
    }
}

/// Its version: its own, or that of the workspace two folders up.
fn version(folder: &Path) -> Option<String> {
    let own = table(&folder.join("Cargo.toml"))?;
    if let Some(version) = text_at(&own, &["package", "version"]) {
        return Some(version.to_owned());
    }
    let workspace = table(&folder.parent()?.parent()?.join("Cargo.toml"))?;
    text_at(&workspace, &["workspace", "package", "version"]).map(str::to_owned)
}

fn table(file: &Path) -> Option<toml::Table> {
    bounded_text(file)?.parse().ok()
}

fn text_at<'a>(table: &'a toml::Table, path: &[&str]) -> Option<&'a str> {
    let (last, tables) = path.split_last()?;
    let innermost = tables.iter().try_fold(table, |table, name| table.get(*name)?.as_table())?;
    innermost.get(*last)?.as_str()
}

fn bounded_text(file: &Path) -> Option<String> {
    fs::metadata(file).ok().filter(|found| found.is_file() && found.len() <= FILE_BYTES_MAX)?;
    fs::read_to_string(file).ok()
}

impl Sdk {
    pub(super) fn of_git(url: &str, tag: &str) -> Self {
        Self::Git { url: url.to_owned(), tag: tag.to_owned() }
    }

    /// As a dependency in Cargo.toml.
    pub(super) fn dependency(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::Folder { folder, .. } => format!("{{ path = {} }}", quoted(&folder.to_string_lossy())),
            Self::Git { url, tag } => format!("{{ git = {}, tag = {} }}", quoted(url), quoted(tag)),
        }
    }

    /// Cargo.lock of the workspace in which the SDK lies.
    pub(super) fn lock(&self) -> Option<String> {
        match self {
            Self::Folder { folder, .. } => bounded_text(&folder.parent()?.parent()?.join("Cargo.lock")),
            Self::Git { .. } => None,
        }
    }
}

/// Where it is, and why that one.
impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { folder, how } => write!(f, "at {} ({how})", folder.display()),
            Self::Git { url, tag } => write!(f, "from {url}, tag {tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(version: &str) -> tempfile::TempDir {
        let checkout = tempfile::tempdir().unwrap();
        let sdk = checkout.path().join("handlers/sdk");
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join("Cargo.toml"), "[package]\nname = \"tidegate-handler\"\nversion.workspace = true\n")
            .unwrap();
        let workspace = format!("[workspace.package]\nversion = \"{version}\"\n");
        fs::write(checkout.path().join("Cargo.toml"), workspace).unwrap();
        fs::write(checkout.path().join("Cargo.lock"), "# lock").unwrap();
        checkout
    }

    #[test]
    fn the_one_that_was_named_wins_over_the_checkout_around_and_that_over_the_programs_own() {
        let (named, around, elsewhere) = (checkout(VERSION), checkout(VERSION), tempfile::tempdir().unwrap());
        let inside = around.path().join("handlers/mine");
        fs::create_dir_all(&inside).unwrap();
        let folder = |sdk: Sdk| match sdk {
            Sdk::Folder { folder, .. } => folder,
            Sdk::Git { .. } => PathBuf::new(),
        };
        let sdk_of = |root: &Path| root.join("handlers/sdk").canonicalize().unwrap();
        for asked in [named.path().to_owned(), named.path().join("handlers/sdk")] {
            let found = find(Some(&asked), &inside).unwrap();
            assert_eq!(found.lock().as_deref(), Some("# lock"));
            assert_eq!(folder(found), sdk_of(named.path()));
        }
        assert_eq!(folder(find(None, &inside).unwrap()), sdk_of(around.path()));
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(folder(find(None, elsewhere.path()).unwrap()), sdk_of(own));
    }

    #[test]
    fn no_sdk_and_one_of_another_version_are_refused_with_a_hint() {
        let (other, none) = (checkout("9.9.9"), tempfile::tempdir().unwrap());
        for (folder, what) in [(other.path(), "version 9.9.9"), (none.path(), "no SDK")] {
            let failure = find(Some(folder), none.path()).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.what.contains(what), "{}", failure.what);
            assert!(failure.hint.is_some());
        }
    }

    #[test]
    fn a_folder_with_strange_characters_is_quoted() {
        let sdk = Sdk::Folder { folder: "/a \"b\"\\c".into(), how: "" };
        let manifest: toml::Table = format!("x = {}", sdk.dependency()).parse().unwrap();
        assert_eq!(text_at(&manifest, &["x", "path"]), Some("/a \"b\"\\c"));
    }
}
