//! Which version of a handler serves after a start: the kept one, or the handlers folder's, where that is news.
//!
//! Invariant: a component of the folder is admitted before anything is recorded, so a bad file leaves the kept version
//! serving. What the folder brings is watched like what is pushed.

use std::time::SystemTime;

use handler_host::HandlerComponent;

use super::parts::Parts;
use crate::behavior::handler::version::Version;
use crate::config::Declaration;
use crate::fit::Misfit;
use crate::names::ComponentDigest;
use crate::replacement::VersionTemplate;
use crate::store::{
    Batch, CanaryRecord, Configured, FolderChoice, HandlerVersion, ThingRecord, VersionOrigin, choose_folder,
};
use crate::utc::unix_ms;

/// What a start found in the handlers folder.
pub(super) struct Chosen {
    /// As it is now.
    pub(super) record: ThingRecord,
    /// The folder's component that was refused, and why; no digest when it could not be read.
    pub(super) refused: Option<(Option<ComponentDigest>, String)>,
}

impl From<ThingRecord> for Chosen {
    fn from(record: ThingRecord) -> Self {
        Self { record, refused: None }
    }
}

/// What a component has to fit.
pub(super) struct Fitting<'a> {
    pub(super) template: &'a VersionTemplate,
    /// What the Thing's file says, and what was configured over it.
    pub(super) declaration: &'a Declaration,
    pub(super) configured: Configured,
}

impl Fitting<'_> {
    fn ready(&self, number: u64, component: HandlerComponent) -> Result<Version, String> {
        let refused = self.template.misfits(&component).into_iter().filter(|misfit| misfit.is_refused);
        let refused: Vec<String> = refused.map(|misfit| self.said(&misfit)).collect();
        if !refused.is_empty() {
            return Err(refused.join("; "));
        }
        self.template.version(number, component).map_err(|error| format!("{error}; add it under [grants]"))
    }

    /// Logs what does not fit, and is served all the same.
    pub(super) fn warn(&self, version: &Version) {
        for misfit in self.template.misfits(&version.component).iter().filter(|misfit| !misfit.is_refused) {
            tracing::warn!(thing = %self.declaration.name, "{}", self.said(misfit));
        }
    }

    /// With the place in the file, unless what was configured stands over it.
    fn said(&self, misfit: &Misfit) -> String {
        if misfit.is_in(&self.configured) {
            let sentence = misfit.sentence();
            return format!(
                "as it was configured, {sentence}; give it another value in the Thing's file, which wins then"
            );
        }
        self.declaration.fault_at(&[misfit.table, &misfit.key], &misfit.sentence(), &misfit.hint).on_one_line()
    }
}

/// Looks into the handlers folder.
///
/// # Errors
/// One sentence: there is no version that could serve.
pub(super) async fn choose(parts: &Parts, fitting: &Fitting<'_>, record: ThingRecord) -> Result<Chosen, String> {
    let handler = &fitting.declaration.handler;
    let found =
        parts.repository.find(handler).map_err(|error| format!("the component `{handler}` can't be read: {error}"));
    let found = match found {
        Err(error) if record.current().is_some() => {
            tracing::warn!(thing = %record.name, error, "the kept version serves");
            return Ok(Chosen { record, refused: Some((None, error)) });
        }
        found => found?,
    };
    let digest = found.as_deref().map(ComponentDigest::of);
    match (choose_folder(&record, digest.as_ref()), digest, found) {
        (FolderChoice::Missing, _, _) => {
            let folder = parts.repository.folder().display();
            Err(format!(
                "no handler `{handler}`: there is no {handler}.wasm in {folder}; `tidegate build` makes it of a handler's crate, and --handlers names another folder"
            ))
        }
        (FolderChoice::Install, Some(digest), Some(bytes)) => match admit(parts, fitting, &record, bytes).await {
            Ok(()) => install(parts, record, digest).await.map(Chosen::from),
            Err(error) if record.current().is_some() => {
                tracing::error!(thing = %record.name, handler, error, "the folder's component was refused; the kept version serves");
                Ok(Chosen { record, refused: Some((Some(digest), error)) })
            }
            Err(error) => Err(format!("its handler `{handler}` cannot serve it so: {error}")),
        },
        (FolderChoice::Note, digest, _) => {
            commit(parts, ThingRecord { folder_digest_seen: digest, ..record }, false).await.map(Chosen::from)
        }
        (FolderChoice::Keep | FolderChoice::Install, _, _) => Ok(record.into()),
    }
}

/// A kept version, ready to be started.
///
/// # Errors
/// One sentence: its bytes are gone or damaged, or a grant or a setting does not fit it.
pub(super) async fn load(parts: &Parts, fitting: &Fitting<'_>, kept: &HandlerVersion) -> Result<Version, String> {
    let (engine, components, digest) = (parts.engine.clone(), parts.store.components().clone(), kept.digest);
    let component = blocking(move || {
        let bytes = components.get(&digest).map_err(|error| error.to_string())?;
        engine.load(&bytes).map_err(|error| error.to_string())
    });
    fitting.ready(kept.number, component.await?)
}

/// Compiles the component and keeps its bytes, holds it against the grants and makes its description; nothing refers to it yet.
async fn admit(parts: &Parts, fitting: &Fitting<'_>, record: &ThingRecord, bytes: Vec<u8>) -> Result<(), String> {
    let (engine, components) = (parts.engine.clone(), parts.store.components().clone());
    let component = blocking(move || {
        let component = engine.load(&bytes).map_err(|error| error.to_string())?;
        components.put(&bytes).map_err(|error| error.to_string())?;
        Ok(component)
    });
    let version = fitting.ready(record.version_next, component.await?)?;
    version.describe(1).map(|_| ()).map_err(|error| format!("its Thing Model is not valid: {error}"))
}

async fn install(parts: &Parts, mut record: ThingRecord, digest: ComponentDigest) -> Result<ThingRecord, String> {
    let now = SystemTime::now();
    let watched = record.version_current;
    record.canary = watched.map(|previous| CanaryRecord::begun(&parts.canary, previous, now));
    record.install(digest, VersionOrigin::Folder, unix_ms(now));
    record.folder_digest_seen = Some(digest);
    commit(parts, record, watched.is_some()).await
}

async fn commit(parts: &Parts, record: ThingRecord, keep_state: bool) -> Result<ThingRecord, String> {
    let mut batch = Batch::new();
    if keep_state {
        batch.keep_state_before(&record.name);
    }
    batch.put_record(&record);
    parts.store.commit(batch).await.map_err(|error| error.to_string())?;
    Ok(record)
}

/// Files and compilation keep the processor and the disk busy: not on the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}
