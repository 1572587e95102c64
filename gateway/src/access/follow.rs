//! Follows the file of tokens while a gateway runs, so that a token can be changed without losing the service.
//!
//! A file that is not to be believed changes nothing; one that is gone, or empty, leaves no token that is good. inotify(7)
//! says when to look; what is found by looking is what counts, so a lost event costs [`LOOK_AFTER`].

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::token_file::Signature;
use super::{Access, TokenFile};

/// How often the file is looked at, for what inotify does not tell.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// Follows `file` until `access` is gone; it stands as it was read at the start.
///
/// # Errors
/// When there can be no thread for it.
pub(crate) fn follow(access: &Arc<Access>, file: TokenFile) -> std::io::Result<()> {
    let access = Arc::downgrade(access);
    let ears = listen(&file).inspect_err(|error| {
        tracing::warn!(%error, "the folder of the tokens can't be watched; it is looked at from time to time");
    });
    let run = move || run(&access, &file, ears.ok().as_ref());
    std::thread::Builder::new().name("token-file".to_owned()).spawn(run).map(drop)
}

fn run(access: &Weak<Access>, file: &TokenFile, ears: Option<&OwnedFd>) {
    // Not what was read at the start: it may have changed since.
    let (mut seen, mut said) = (None, None);
    let timeout = Timespec::try_from(LOOK_AFTER).ok();
    while let Some(access) = access.upgrade() {
        look(&access, file, &mut seen, &mut said);
        drop(access);
        let heard = match ears {
            Some(ears) => poll(&mut [PollFd::new(ears, PollFlags::IN)], timeout.as_ref()),
            None => Err(Errno::NOSYS),
        };
        match (heard, ears) {
            (Ok(0) | Err(Errno::INTR), _) => {}
            (Ok(_), Some(ears)) => forget(ears),
            _ => std::thread::park_timeout(LOOK_AFTER),
        }
    }
}

/// That something has happened is all that is wanted.
fn forget(ears: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(ears, &mut buffer);
    while matches!(reader.next(), Ok(_) | Err(Errno::INTR)) {}
}

fn look(access: &Access, file: &TokenFile, seen: &mut Option<Option<Signature>>, said: &mut Option<String>) {
    let signature = file.signature();
    if *seen == Some(signature) {
        return;
    }
    let first = seen.replace(signature).is_none();
    match file.tokens() {
        Ok(tokens) => {
            *said = None;
            let tokens = tokens.unwrap_or_default();
            // Open, and there is no token: nothing has happened.
            if access.is_same(&tokens) || (tokens.is_empty() && !access.is_protected()) {
                return;
            }
            let path = file.path().display();
            match tokens.len() {
                0 => tracing::warn!(%path, "no token is good any more: all requests are refused"),
                count => tracing::info!(%path, count, first, "the tokens have changed; what others had let in ends"),
            }
            access.change(tokens);
        }
        Err(error) => {
            let error = error.to_string();
            if said.as_ref() != Some(&error) {
                tracing::error!(path = %file.path().display(), error, "the file of tokens is left aside; those from before count");
                *said = Some(error);
            }
        }
    }
}

fn listen(file: &TokenFile) -> std::io::Result<OwnedFd> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let events = WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE
        | WatchFlags::ATTRIB
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&inotify, file.folder(), events)?;
    Ok(inotify)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;
    use crate::access::Principal;

    #[tokio::test]
    async fn what_changes_counts_at_once_and_what_is_not_to_be_believed_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("token"));
        let access = Arc::new(Access::new(file.tokens().unwrap(), false));
        follow(&access, file.clone()).unwrap();
        let until = async |wanted: &dyn Fn() -> bool| {
            let mut ended = access.ended.subscribe();
            while !wanted() {
                tokio::time::timeout(Duration::from_secs(20), ended.changed()).await.unwrap().unwrap();
            }
        };
        assert!(access.stands(Principal::Anonymous));
        let (first, id) = file.add(SystemTime::now()).unwrap();
        until(&|| access.is_protected()).await;
        assert!(!access.stands(Principal::Anonymous));
        let peer = [127, 0, 0, 1].into();
        let admin = access.admit(first.reveal().as_bytes(), peer).unwrap();
        let (second, _) = file.add(SystemTime::now()).unwrap();
        until(&|| access.admit(second.reveal().as_bytes(), peer).is_ok()).await;
        assert!(access.stands(admin), "the token from before stays good");
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o644)).unwrap();
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        file.revoke(|token| token == id).unwrap();
        until(&|| !access.stands(admin)).await;
        assert!(access.admit(second.reveal().as_bytes(), peer).is_ok());
        std::fs::remove_file(file.path()).unwrap();
        until(&|| access.admit(second.reveal().as_bytes(), peer).is_err()).await;
        assert!(access.is_protected() && !access.stands(Principal::Anonymous), "it does not become open");
    }

    #[test]
    fn a_file_that_became_too_open_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("token"));
        let (token, _) = file.add(SystemTime::now()).unwrap();
        let access = Access::new(file.tokens().unwrap(), false);
        let (mut seen, mut said) = (None, None);
        std::fs::write(file.path(), "").unwrap();
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o666)).unwrap();
        look(&access, &file, &mut seen, &mut said);
        assert!(said.as_ref().is_some_and(|said| said.contains("0666")));
        assert!(access.admit(token.reveal().as_bytes(), [127, 0, 0, 1].into()).is_ok());
    }
}
