//! What a start would refuse of the declared Things, found without starting them: handlers that are not there or are none,
//! grants and settings that do not fit them.
//!
//! It follows a start (`startup/version.rs`) by the same rules, and changes nothing that is kept. A store that a running
//! gateway holds is not looked into: what it may have been configured and given is not known then, so nothing is a fault.

use std::{collections::BTreeMap, path::Path};

use handler_host::{HandlerComponent, HandlerEngine};

use crate::{
    cli::{Failure, inspect, serve},
    config::{ConfigFault, Declaration, Tree},
    fit,
    names::ComponentDigest,
    repository::Repository,
    store::{
        Configured, FolderChoice, Glance, HandlerVersion, StoreError, ThingRecord, choose_folder, import_declared,
    },
};

/// What was found.
#[derive(Debug, Default)]
pub(in crate::cli) struct Examined {
    /// The gateway would not start.
    pub(in crate::cli) faults: Vec<ConfigFault>,
    /// It would, but perhaps not as meant.
    pub(in crate::cli) doubts: Vec<ConfigFault>,
    /// The gateway would not start with this store, whatever its Things are.
    pub(in crate::cli) store: Option<ConfigFault>,
}

impl Examined {
    fn fault(fault: ConfigFault) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.faults.extend(other.faults);
        self.doubts.extend(other.doubts);
    }

    /// The same, with everything as a doubt, and why it is no more.
    fn doubted(self, why: &str) -> Self {
        let found = self.faults.into_iter().chain(self.doubts);
        let doubts = found.map(|found| ConfigFault { what: format!("{} ({why})", found.what), ..found }).collect();
        Self { faults: Vec::new(), doubts, store: self.store }
    }
}

/// What a gateway has kept.
enum Kept {
    /// Nothing yet, or nothing that a gateway could read.
    Nothing,
    Store(Glance),
    /// A gateway holds it, or this user may not read it.
    Unseen,
}

/// A component of a Thing, or why there is none.
type Admitted = Result<HandlerComponent, String>;

struct Examination<'a> {
    repository: Repository,
    kept: Kept,
    engine: &'a HandlerEngine,
    /// By digest: many Things may have one handler.
    admitted: BTreeMap<ComponentDigest, Admitted>,
    examined: Examined,
}

/// What a component has to fit.
struct Wanted<'a> {
    declaration: &'a Declaration,
    /// With what was configured over it.
    effective: &'a Declaration,
    configured: &'a Configured,
    /// Its file has no fault that hides a part of it.
    whole: bool,
}

/// Examines the Things of a tree that has these `faults` already. What a faulty file grants and sets is known in part only:
/// that is not held against anything.
///
/// # Errors
/// When this machine cannot compile handlers.
pub(in crate::cli) fn examine(
    tree: &Tree,
    faults: &[ConfigFault],
    handlers: &Path,
    data: &Path,
) -> Result<Examined, Failure> {
    let (kept, refused) = kept(data);
    let examined = Examined { store: refused, ..Examined::default() };
    if tree.declarations.is_empty() {
        return Ok(examined);
    }
    let repository = Repository::new(handlers.to_owned(), tree.config.limits.component_bytes_max);
    let (engine, admitted) = (&inspect::engine()?, BTreeMap::new());
    let mut examination = Examination { repository, kept, engine, admitted, examined };
    for declaration in tree.declarations.values() {
        let whole = !faults.iter().any(|fault| fault.file == declaration.file);
        examination.thing(declaration, whole);
    }
    Ok(examination.examined)
}

/// What is kept, and why a start would refuse it.
fn kept(data: &Path) -> (Kept, Option<ConfigFault>) {
    match Glance::at(data) {
        Ok(None) => (Kept::Nothing, None),
        Ok(Some(store)) => (Kept::Store(store), None),
        Err(error @ (StoreError::Damaged { .. } | StoreError::Newer { .. })) => {
            let fault = ConfigFault::of_file(&data.join("state.redb"), error.reason());
            (Kept::Nothing, Some(fault.with_hint(serve::store_hint(&error))))
        }
        Err(_) => (Kept::Unseen, None),
    }
}

impl Examination<'_> {
    fn thing(&mut self, declaration: &Declaration, whole: bool) {
        let before = match &self.kept {
            Kept::Store(store) => store.record(&declaration.name),
            Kept::Nothing | Kept::Unseen => None,
        };
        let record = import_declared(before.as_ref(), declaration).record;
        if !record.is_served() {
            return;
        }
        let effective = match record.configured.applied_to(declaration) {
            Ok(effective) => effective,
            Err(errors) => {
                let what: Vec<_> =
                    errors.iter().map(|error| format!("{}: {}", error.field, error.description)).collect();
                let what = format!("what was configured no longer applies: {}", what.join("; "));
                let fault = ConfigFault::of_file(&declaration.file, what);
                return self
                    .examined
                    .faults
                    .push(fault.with_hint("give it another value in this file, which wins then"));
            }
        };
        let wanted = Wanted { declaration, effective: &effective, configured: &record.configured, whole };
        let examined = self.versions(&wanted, &record);
        self.examined.add(match self.kept {
            Kept::Unseen => examined.doubted("what was configured or pushed cannot be seen now"),
            Kept::Nothing | Kept::Store(_) => examined,
        });
    }

    /// The folder's component where it is news, and the kept version where that serves.
    fn versions(&mut self, wanted: &Wanted<'_>, record: &ThingRecord) -> Examined {
        let folder = self.folder(wanted, record);
        let kept = record.current().filter(|_| folder.as_ref().is_none_or(|folder| !folder.faults.is_empty()));
        let Some(kept) = kept else { return folder.unwrap_or_default() };
        let mut examined = self.kept_version(wanted, kept);
        let why = format!("version {}, which is kept, serves on", kept.number);
        examined.add(folder.unwrap_or_default().doubted(&why));
        examined
    }

    /// The folder's component; `None` when it is no news.
    fn folder(&mut self, wanted: &Wanted<'_>, record: &ThingRecord) -> Option<Examined> {
        let handler = &wanted.declaration.handler;
        let found = match self.repository.find(handler) {
            Ok(found) => found,
            Err(error) => {
                let hint = "give the gateway's user the right to read it, or build it anew";
                return Some(wanted.fault(&format!("{handler}.wasm can't be read: {error}"), hint));
            }
        };
        let digest = found.as_deref().map(ComponentDigest::of);
        match (choose_folder(record, digest.as_ref()), digest, found) {
            (FolderChoice::Install, Some(digest), Some(bytes)) => {
                Some(self.component(wanted, (digest, &bytes), &format!("{handler}.wasm")))
            }
            (FolderChoice::Missing, ..) => {
                let what = format!("there is no {handler}.wasm in {}", self.repository.folder().display());
                let hint =
                    "`tidegate build` makes it of a handler's crate; --handlers or `handlers-dir` names the folder";
                Some(wanted.fault(&what, hint))
            }
            _ => None,
        }
    }

    /// The version that is kept and would serve.
    fn kept_version(&mut self, wanted: &Wanted<'_>, kept: &HandlerVersion) -> Examined {
        let Kept::Store(store) = &self.kept else { return Examined::default() };
        let what = format!("version {}, which is kept,", kept.number);
        match store.components().get(&kept.digest) {
            Ok(bytes) => self.component(wanted, (kept.digest, &bytes), &what),
            Err(error) => wanted.fault(
                &format!("{what} can't be read: {}", error.reason()),
                "restore the data directory from a backup, or put another component into the handlers folder",
            ),
        }
    }

    /// What does not fit a component, or why it is none.
    fn component(&mut self, wanted: &Wanted<'_>, (digest, bytes): (ComponentDigest, &[u8]), what: &str) -> Examined {
        match self.admitted.entry(digest).or_insert_with(|| admit(self.engine, bytes)) {
            Ok(component) => wanted.fit(component),
            Err(error) => wanted.fault(
                &format!("{what} is refused: {error}"),
                "`tidegate handler inspect FILE` says more; build it anew",
            ),
        }
    }
}

impl Wanted<'_> {
    fn fault(&self, what: &str, hint: &str) -> Examined {
        Examined::fault(self.declaration.fault_at(&["handler"], what, hint))
    }

    fn fit(&self, component: &HandlerComponent) -> Examined {
        let mut examined = Examined::default();
        if !self.whole {
            return examined;
        }
        let Self { effective, configured, .. } = self;
        for misfit in fit::misfits(component, &effective.grants, &effective.settings) {
            let fault = match misfit.is_in(configured) {
                true => ConfigFault::of_file(&effective.file, format!("as it was configured, {}", misfit.sentence()))
                    .with_hint("give it another value in this file, which wins then"),
                false => effective.fault_at(&[misfit.table, &misfit.key], &misfit.sentence(), &misfit.hint),
            };
            match misfit.is_refused {
                true => examined.faults.push(fault),
                false => examined.doubts.push(fault),
            }
        }
        examined
    }
}

fn admit(engine: &HandlerEngine, bytes: &[u8]) -> Admitted {
    inspect::admit(engine, bytes).map_err(|failure| failure.sentence())
}
