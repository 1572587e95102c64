//! The data directory: made private (0700), held by one gateway at a time.
//!
//! The lock is an advisory one on the file `lock`, which the kernel drops with the process: a kill leaves nothing to
//! clean up. The file's text names the holder, for the message only.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::StoreError;

/// Creates `folder` (0700) when it is missing.
pub(super) fn create(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("create", folder, source);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut permissions = folder.metadata().map_err(failed)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        std::fs::set_permissions(folder, permissions).map_err(failed)?;
    }
    Ok(())
}

/// Takes the lock of `folder`; it is held until the file is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let failed = |source| StoreError::io("lock", &path, source);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A holder that cannot be read is only a poorer message.
            if file.take(64).read_to_string(&mut holder).is_err() {
                holder.clear();
            }
            return Err(StoreError::InUse { holder: holder.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // On a full disk the lock still counts; only the holder's name is missing.
    if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id())) {
        tracing::debug!(%error, "the lock file does not name its holder");
    }
    Ok(file)
}
