//! What comes into the handlers folder while the gateway runs: a push that nobody waits for.
//!
//! One component after the other, one Thing after the other. What a Thing has seen before is no news (the rule of a
//! start, `store::choose_folder`). What is refused is said in the log and on the handler's Thing; it is recorded as seen
//! when it can only be refused again, so that a restart, which rehearses nothing, does not install it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Approval, Replaced, Replacement};
use crate::behavior::handler::request::Request;
use crate::interaction::InteractionError;
use crate::names::ComponentDigest;
use crate::repository::Arrival;
use crate::store::{FolderChoice, VersionOrigin, choose_folder};

/// How often a switch is tried that another one got ahead of.
const TRIES: u32 = 3;

/// The Things that use a handler, by its name.
pub(crate) type Users = BTreeMap<String, Vec<Arc<Replacement>>>;

/// Takes what arrives, until nothing can arrive any more.
pub(crate) async fn take_arrivals(mut arrivals: mpsc::Receiver<Arrival>, users: Users) {
    while let Some(Arrival { handler, component }) = arrivals.recv().await {
        let users = users.get(&handler).map(Vec::as_slice).unwrap_or_default();
        match component {
            Ok((bytes, digest)) => {
                for replacement in users {
                    offer(Arc::clone(replacement), bytes.clone(), digest).await;
                }
            }
            Err(error) => {
                let reason = format!("the component can't be read: {error}");
                users.iter().for_each(|replacement| replacement.refused(None, &reason));
            }
        }
    }
}

/// In a task of its own: a gateway that stops must not leave half a switch behind.
async fn offer(replacement: Arc<Replacement>, bytes: Bytes, digest: ComponentDigest) {
    let taking = tokio::spawn(async move { replacement.take_from_folder(bytes, digest).await });
    if let Err(error) = taking.await {
        tracing::error!(%error, "a replacement from the handlers folder ended badly");
    }
}

impl Replacement {
    async fn take_from_folder(&self, bytes: Bytes, digest: ComponentDigest) {
        let _turn = self.turn.lock().await;
        match self.install_news(bytes, digest).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                tracing::info!(thing = %self.thing(), digest = digest.short(), "the handlers folder's component is no news");
            }
            Err(error) => {
                if is_for_good(&error)
                    && let Err(error) = self.note(digest).await
                {
                    tracing::warn!(thing = %self.thing(), %error, "what was refused could not be recorded as seen");
                }
                self.refused(Some(digest), &error.to_string());
            }
        }
    }

    /// `None` when the Thing has seen it before or runs it already.
    async fn install_news(&self, bytes: Bytes, digest: ComponentDigest) -> Result<Option<Replaced>, InteractionError> {
        let mut tried = 0;
        loop {
            let record = self.known_record()?;
            match choose_folder(&record, Some(&digest)) {
                FolderChoice::Keep | FolderChoice::Missing => return Ok(None),
                FolderChoice::Note => return self.note(digest).await.map(|()| None),
                FolderChoice::Install => {}
            }
            tried += 1;
            let installed = self.install(bytes.clone(), &Approval::default(), VersionOrigin::Folder).await;
            // Rolled back meanwhile, say: on the version that serves now it is tried again.
            let overtaken = matches!(installed, Err(InteractionError::Conflict { .. }))
                && self.known_record().is_ok_and(|now| {
                    now.version_current != record.version_current && now.folder_digest_seen != Some(digest)
                });
            if !overtaken || tried == TRIES {
                return installed.map(Some);
            }
        }
    }

    /// Records the folder's component as seen. By way of the task: the record is in its hands.
    async fn note(&self, digest: ComponentDigest) -> Result<(), InteractionError> {
        self.behavior.tell(|reply| Request::NoteFolder { digest, reply }).await
    }

    /// Says so in the log and on the handler's Thing.
    fn refused(&self, digest: Option<ComponentDigest>, reason: &str) {
        let (thing, short) = (self.thing(), digest.map(|digest| digest.short().to_owned()));
        tracing::warn!(%thing, digest = short, reason, "the handlers folder's component was refused; the present version serves on");
        self.shows_refused(digest, reason);
    }

    /// Says so on the handler's Thing.
    pub(crate) fn shows_refused(&self, digest: Option<ComponentDigest>, reason: &str) {
        let digest = digest.map(|digest| digest.to_string());
        let refusal = self.status.refused(digest, reason);
        let emitted = serde_json::to_string(&refusal).map_err(|error| error.to_string()).and_then(|data| {
            let emitted = self.control.emit("refused", handler_host::Value::Json(data));
            emitted.map_err(|error| error.to_string())
        });
        if let Err(error) = emitted {
            tracing::error!(thing = %self.thing(), error, "the event `refused` was refused");
        }
    }
}

/// The same bytes would be refused again. A missing grant may be given, a setting changed, a full disk emptied: those are
/// tried again.
fn is_for_good(error: &InteractionError) -> bool {
    match error {
        InteractionError::InvalidInput { errors, .. } => {
            !errors.iter().any(|error| error.field.starts_with("/settings/"))
        }
        InteractionError::Conflict { .. } => true,
        _ => false,
    }
}
