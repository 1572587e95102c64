//! What a start would refuse of the declared Things, found without starting them: handlers that are not there or are none,
//! grants and settings that do not fit them.
//!
//! It follows a start (`startup/version.rs`) by the same rules, and changes nothing that is kept. A store that a running
//! gateway holds is not looked into: what may be in there is a doubt then, and no fault.

use std::{collections::BTreeMap, path::Path};

use handler_host::{HandlerComponent, HandlerEngine};

use crate::{
    cli::{Failure, inspect},
    config::{ConfigFault, Declaration, Tree},
    fit,
    names::ComponentDigest,
    repository::Repository,
    store::{Configured, FolderChoice, Store, StoreError, ThingRecord, choose_folder, import_declared},
};

/// What was found.
#[derive(Debug, Default)]
pub(in crate::cli) struct Examined {
    /// The gateway would not start.
    pub(in crate::cli) faults: Vec<ConfigFault>,
    /// It would, but perhaps not as meant.
    pub(in crate::cli) doubts: Vec<ConfigFault>,
}

/// What a gateway has kept.
enum Kept {
    /// Nothing yet, or nothing that can be read by anybody.
    Nothing,
    Store(Store),
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
    if tree.declarations.is_empty() {
        return Ok(Examined::default());
    }
    let mut examination = Examination {
        repository: Repository::new(handlers.to_owned(), tree.config.limits.component_bytes_max),
        kept: kept(data),
        engine: &inspect::engine()?,
        admitted: BTreeMap::new(),
        examined: Examined::default(),
    };
    for declaration in tree.declarations.values() {
        let whole = !faults.iter().any(|fault| fault.file == declaration.file);
        examination.thing(declaration, whole);
    }
    Ok(examination.examined)
}

/// Opening makes files where there are none: only what a gateway has made before is looked into.
fn kept(data: &Path) -> Kept {
    match ["state.redb", "lock"].map(|file| data.join(file).try_exists()) {
        [Ok(true), Ok(true)] => match Store::open(data) {
            Ok(store) => Kept::Store(store),
            Err(StoreError::Damaged { .. }) => Kept::Nothing,
            Err(_) => Kept::Unseen,
        },
        [Err(_), _] | [_, Err(_)] => Kept::Unseen,
        _ => Kept::Nothing,
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
                return self.examined.faults.push(fault.with_hint("say it anew in this file, which wins then"));
            }
        };
        match self.component(declaration, &record) {
            Some(Ok(component)) if whole => self.fit(&effective, &record.configured, &component),
            Some(Err(fault)) if record.current().is_some() => self.examined.doubts.push(fault),
            Some(Err(fault)) => self.examined.faults.push(fault),
            Some(Ok(_)) | None => {}
        }
    }

    /// The component that would serve; `None` when that cannot be known.
    fn component(
        &mut self,
        declaration: &Declaration,
        record: &ThingRecord,
    ) -> Option<Result<HandlerComponent, ConfigFault>> {
        let handler = &declaration.handler;
        let fault = |what: &str, hint: &str| declaration.fault_at(&["handler"], what, hint);
        let found = match self.repository.find(handler) {
            Ok(found) => found,
            Err(error) => {
                let hint = "give the gateway's user the right to read it, or build it anew";
                return Some(Err(fault(&format!("{handler}.wasm can't be read: {error}"), hint)));
            }
        };
        let digest = found.as_deref().map(ComponentDigest::of);
        let (bytes, digest) = match (choose_folder(record, digest.as_ref()), digest, found) {
            (FolderChoice::Install, Some(digest), Some(bytes)) => (bytes, digest),
            (FolderChoice::Missing, ..) => {
                let what = format!("there is no {handler}.wasm in {}", self.repository.folder().display());
                if matches!(self.kept, Kept::Unseen) {
                    let hint = "the store cannot be looked into now: has the gateway a version that was pushed?";
                    self.examined.doubts.push(fault(&what, hint));
                    return None;
                }
                let hint =
                    "`tidegate build` makes it of a handler's crate; --handlers or `handlers-dir` names the folder";
                return Some(Err(fault(&what, hint)));
            }
            _ => {
                let Kept::Store(store) = &self.kept else { return None };
                let digest = record.current()?.digest;
                (store.components().get(&digest).ok()?, digest)
            }
        };
        let admitted = self.admitted.entry(digest).or_insert_with(|| admit(self.engine, &bytes));
        Some(admitted.clone().map_err(|error| {
            fault(
                &format!("{handler}.wasm is refused: {error}"),
                "`tidegate handler inspect FILE` says more; build it anew",
            )
        }))
    }

    fn fit(&mut self, declaration: &Declaration, configured: &Configured, component: &HandlerComponent) {
        for misfit in fit::misfits(component, &declaration.grants, &declaration.settings) {
            let fault = match misfit.is_in(configured) {
                true => ConfigFault::of_file(&declaration.file, format!("as it was configured, {}", misfit.sentence()))
                    .with_hint("say it anew in this file, which wins then"),
                false => declaration.fault_at(&[misfit.table, &misfit.key], &misfit.sentence(), &misfit.hint),
            };
            match misfit.is_refused {
                true => self.examined.faults.push(fault),
                false => self.examined.doubts.push(fault),
            }
        }
    }
}

fn admit(engine: &HandlerEngine, bytes: &[u8]) -> Admitted {
    inspect::admit(engine, bytes).map_err(|failure| failure.sentence())
}
