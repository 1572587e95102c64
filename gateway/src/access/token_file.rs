//! The file of tokens: a line for each, `sha256:HASH TIME`, where TIME is when it was made.
//!
//! It is believed only when nobody else can have written or read it: a file of ours or of root's, with mode 0600 or less.
//! Written beside its place and moved there, by one at a time, so that a reader sees all of one version.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::token::{Hash, TOKENS_MAX, Token, TokenId, TokenSet};
use crate::utc::Rfc3339;

/// Largest file that is read, in bytes.
const BYTES_MAX: u64 = 16 << 10;
const HEAD: &str = "# Tokens of Tidegate, as hashes. `tidegate token` lists, makes and revokes them.\n";

/// What is wrong with a file of tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It is there and cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Others than its owner may read or write it.
    #[error("can be read or written by others (mode {mode:04o})")]
    TooOpen {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("belongs to the user {owner}, who is neither root nor the one who runs this ({user})")]
    Foreign {
        /// Whose it is.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// It is a folder, a device, a pipe.
    #[error("is no file")]
    NoFile,
    /// It is not what this program writes.
    #[error("line {line} is no `sha256:HASH TIME`")]
    Malformed {
        /// From 1.
        line: usize,
    },
    /// It has too many lines.
    #[error("has more than {TOKENS_MAX} tokens, or {BYTES_MAX} bytes")]
    TooLarge,
    /// It cannot be written.
    #[error("cannot be written: {0}")]
    Unwritable(#[source] io::Error),
}

impl TokenFileError {
    /// Whether it is only that who runs this may not look.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Unreadable(error) | Self::Unwritable(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "run this as root, or as the user who runs the gateway".to_owned()
            }
            Self::Unreadable(_) | Self::NoFile => format!("look at what {path} is"),
            Self::Unwritable(_) => "is there room on the disk, and is it mounted for writing?".to_owned(),
            Self::TooOpen { .. } => {
                format!("`chmod 600 {path}`; it has hashes only, but whoever can write it can let themselves in")
            }
            Self::Foreign { .. } => format!("`chown` it to the user who runs the gateway, or remove {path}"),
            Self::Malformed { .. } => {
                "only `tidegate token` writes it; remove the line, or the file, and make a new token".to_owned()
            }
            Self::TooLarge => "revoke the tokens that are not used any more: `tidegate token revoke ID`".to_owned(),
        }
    }
}

/// A token as the file knows it.
#[derive(Debug, Clone)]
pub struct Known {
    hash: Hash,
    /// When it was made, as RFC 3339.
    pub made: String,
}

impl Known {
    /// The token's name.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.hash.id()
    }
}

impl fmt::Display for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "sha256:{} {}", self.hash, self.made)
    }
}

/// Which file it was, and in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    file: (u64, u64),
    changed: (i64, i64),
    written: (i64, i64),
    bytes: u64,
}

/// The file at a path, which may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None`: it is not there.
    ///
    /// # Errors
    /// When it is not to be believed.
    pub fn read(&self) -> Result<Option<Vec<Known>>, TokenFileError> {
        // Not to wait for a pipe that somebody put there.
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(&self.path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TokenFileError::Unreadable(error)),
        };
        let found = file.metadata().map_err(TokenFileError::Unreadable)?;
        let user = rustix::process::geteuid().as_raw();
        if !found.is_file() {
            return Err(TokenFileError::NoFile);
        }
        if found.mode() & 0o077 != 0 {
            return Err(TokenFileError::TooOpen { mode: found.mode() & 0o7777 });
        }
        // Root sees to the files of the user who runs the gateway.
        if found.uid() != user && found.uid() != 0 && user != 0 {
            return Err(TokenFileError::Foreign { owner: found.uid(), user });
        }
        let mut text = String::new();
        let read = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(TokenFileError::Unreadable)?;
        if read as u64 > BYTES_MAX {
            return Err(TokenFileError::TooLarge);
        }
        parse(&text).map(Some)
    }

    /// The tokens that are good; `None`: there never were any, as far as can be seen.
    ///
    /// # Errors
    /// When the file is not to be believed.
    pub fn tokens(&self) -> Result<Option<TokenSet>, TokenFileError> {
        let known = self.read()?.filter(|known| !known.is_empty());
        Ok(known.map(|known| TokenSet::of(known.iter().map(|known| known.hash))))
    }

    /// Adds a new token.
    ///
    /// # Errors
    /// When the file is not to be believed, full, or can't be written: nothing has changed then.
    pub fn add(&self, now: SystemTime) -> Result<(Token, TokenId), TokenFileError> {
        let token = Token::mint().map_err(TokenFileError::Unwritable)?;
        let known = Known { hash: token.hash(), made: Rfc3339(now).to_string() };
        let id = known.id();
        self.change(|all| {
            all.push(known);
            if all.len() > TOKENS_MAX { Err(TokenFileError::TooLarge) } else { Ok(()) }
        })?;
        Ok((token, id))
    }

    /// Removes the tokens that `revoked` names: how many there were of them, and how many are left.
    ///
    /// # Errors
    /// When the file is not to be believed, or can't be written: nothing has changed then.
    pub fn revoke(&self, revoked: impl Fn(TokenId) -> bool) -> Result<(usize, usize), TokenFileError> {
        let mut counts = (0, 0);
        self.change(|all| {
            let before = all.len();
            all.retain(|known| !revoked(known.id()));
            counts = (before - all.len(), all.len());
            Ok(())
        })?;
        Ok(counts)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Known>) -> Result<(), TokenFileError>) -> Result<(), TokenFileError> {
        let folder = self.folder();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(TokenFileError::Unwritable)?;
        let folder = File::open(folder).map_err(TokenFileError::Unwritable)?;
        // Until it is closed: two who change it at a time would lose one of the changes.
        folder.lock().map_err(TokenFileError::Unwritable)?;
        let mut all = self.read()?.unwrap_or_default();
        change(&mut all)?;
        self.write(&all, &folder).map_err(TokenFileError::Unwritable)
    }

    fn write(&self, all: &[Known], folder: &File) -> io::Result<()> {
        // With mode 0600.
        let mut file = tempfile::Builder::new().prefix(".token-").tempfile_in(self.folder())?;
        let lines: String = all.iter().map(Known::to_string).collect();
        file.write_all(format!("{HEAD}{lines}").as_bytes())?;
        let (owner, user) = (folder.metadata()?.uid(), rustix::process::geteuid().as_raw());
        if user == 0 && owner != 0 {
            // Made by root for a gateway that runs as the owner of its folder.
            fchown(file.as_file(), Some(owner), None)?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        folder.sync_all()
    }

    pub(super) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Changes with the file; `None`: it is not there, or can't be seen.
    pub(super) fn signature(&self) -> Option<Signature> {
        let found = std::fs::metadata(&self.path).ok()?;
        Some(Signature {
            file: (found.dev(), found.ino()),
            changed: (found.ctime(), found.ctime_nsec()),
            written: (found.mtime(), found.mtime_nsec()),
            bytes: found.len(),
        })
    }
}

fn parse(text: &str) -> Result<Vec<Known>, TokenFileError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let known = lines.map(|(at, line)| known(line).ok_or(TokenFileError::Malformed { line: at + 1 }));
    let known: Vec<Known> = known.collect::<Result<_, _>>()?;
    if known.len() > TOKENS_MAX { Err(TokenFileError::TooLarge) } else { Ok(known) }
}

fn known(line: &str) -> Option<Known> {
    let (hash, made) = line.strip_prefix("sha256:")?.split_once(' ')?;
    let plain = made.bytes().all(|byte| byte.is_ascii_graphic()) && made.len() <= 40;
    Some(Known { hash: Hash::parse(hash)?, made: made.to_owned() }).filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file() -> (tempfile::TempDir, TokenFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("new/token"));
        (folder, file)
    }

    #[test]
    fn tokens_are_made_found_and_revoked() {
        let (_folder, file) = file();
        assert!(file.tokens().unwrap().is_none());
        let (first, id) = file.add(SystemTime::UNIX_EPOCH).unwrap();
        let (second, other) = file.add(SystemTime::now()).unwrap();
        let found = fs::metadata(file.path()).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, 0o600);
        let text = fs::read_to_string(file.path()).unwrap();
        for token in [&first, &second] {
            assert!(!text.contains(&token.reveal()[3..]), "the token itself is not in the file");
            assert!(file.tokens().unwrap().unwrap().find(&token.hash()).is_some());
        }
        assert_eq!(file.read().unwrap().unwrap()[0].made, "1970-01-01T00:00:00.000Z");
        assert_eq!(file.revoke(|token| token == id).unwrap(), (1, 1));
        let left = file.tokens().unwrap().unwrap();
        assert_eq!((left.find(&first.hash()), left.find(&second.hash())), (None, Some(other)));
        assert_eq!(file.revoke(|_| true).unwrap(), (1, 0));
        assert!(file.tokens().unwrap().is_none());
        assert_eq!(fs::read_dir(file.folder()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_others_could_have_touched_is_not_believed() {
        let (_folder, file) = file();
        file.add(SystemTime::now()).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o602, 0o644] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert!(matches!(file.tokens(), Err(TokenFileError::TooOpen { mode: is }) if is == mode));
            assert!(file.add(SystemTime::now()).is_err(), "nor made sound by adding to it");
        }
        fs::set_permissions(file.path(), Permissions::from_mode(0o400)).unwrap();
        assert_eq!(file.tokens().unwrap().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_file_of_tokens_is_refused_with_its_line() {
        let (_folder, file) = file();
        file.add(SystemTime::now()).unwrap();
        let sound = fs::read_to_string(file.path()).unwrap();
        let at = |text: String| {
            fs::write(file.path(), text).unwrap();
            file.tokens()
        };
        for line in ["x", "sha256:", "sha256:00 now", "tg_00", "sha256: x y"] {
            assert!(matches!(at(format!("{sound}{line}\n")), Err(TokenFileError::Malformed { line: 3 })), "{line}");
        }
        let line = sound.lines().last().unwrap();
        assert!(matches!(at(format!("{line}\n").repeat(17)), Err(TokenFileError::TooLarge)));
        assert!(matches!(at("#".repeat(20_000)), Err(TokenFileError::TooLarge)));
        assert!(at(String::new()).unwrap().is_none());
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.tokens(), Err(TokenFileError::NoFile)));
    }

    #[test]
    fn those_who_change_it_at_a_time_lose_nothing() {
        let (_folder, file) = file();
        let file = &file;
        std::thread::scope(|scope| {
            for _ in 0..TOKENS_MAX {
                scope.spawn(|| file.add(SystemTime::now()).unwrap());
            }
        });
        assert_eq!(file.tokens().unwrap().unwrap().len(), TOKENS_MAX);
        assert!(matches!(file.add(SystemTime::now()), Err(TokenFileError::TooLarge)));
    }
}
