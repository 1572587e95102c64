//! Sessions of browsers: opened with a token, named by a secret of their own, which is kept as its hash.
//!
//! In memory alone: a restart ends them. Nothing that lets somebody in lies on the disk, and no card is worn by the time
//! of last use. A session ends with its token.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::token::{Hash, Token, TokenId};

/// A session that is not used for so long ends.
const IDLE: Duration = Duration::from_secs(12 * 3_600);
/// However much it is used.
pub(crate) const ABSOLUTE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Open sessions; one more ends the one that was not used for longest.
const SESSIONS_MAX: usize = 64;

/// Names a session; it is not the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId(Hash);

#[derive(Debug)]
struct Session {
    token: TokenId,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn is_open(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE && now.saturating_duration_since(self.opened) < ABSOLUTE
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_hash: BTreeMap<Hash, Session>,
}

/// A new session.
pub(super) struct Opened {
    pub(super) secret: Token,
    pub(super) ended_another: bool,
}

impl Sessions {
    /// # Errors
    /// When the system has no randomness to give.
    pub(super) fn open(&mut self, token: TokenId, now: Instant) -> std::io::Result<Opened> {
        let secret = Token::mint()?;
        self.by_hash.retain(|_, session| session.is_open(now));
        let oldest = self.by_hash.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash);
        let ended_another = oldest.filter(|_| self.by_hash.len() >= SESSIONS_MAX);
        if let Some(oldest) = ended_another {
            self.by_hash.remove(&oldest);
        }
        self.by_hash.insert(secret.hash(), Session { token, opened: now, used: now });
        Ok(Opened { secret, ended_another: ended_another.is_some() })
    }

    /// The session of this secret and the token that opened it; it is used now.
    pub(super) fn find(&mut self, secret: &Hash, now: Instant) -> Option<(SessionId, TokenId)> {
        let session = self.by_hash.get_mut(secret).filter(|session| session.is_open(now))?;
        session.used = now;
        Some((SessionId(*secret), session.token))
    }

    pub(super) fn is_open(&self, SessionId(hash): SessionId, now: Instant) -> bool {
        self.by_hash.get(&hash).is_some_and(|session| session.is_open(now))
    }

    /// Ends a session; whether there was one.
    pub(super) fn close(&mut self, secret: &Hash) -> bool {
        self.by_hash.remove(secret).is_some()
    }

    /// Ends the sessions of all tokens but these.
    pub(super) fn keep(&mut self, good: impl Fn(TokenId) -> bool) {
        self.by_hash.retain(|_, session| good(session.token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_not_used_and_however_much_it_is() {
        let (mut sessions, mut now) = (Sessions::default(), Instant::now());
        let token = Token::mint().unwrap().hash().id();
        let idle = sessions.open(token, now).unwrap().secret.hash();
        let used = sessions.open(token, now).unwrap().secret.hash();
        let begun = now;
        while now.duration_since(begun) + IDLE / 2 < ABSOLUTE {
            assert!(sessions.find(&used, now).is_some());
            now += IDLE / 4;
        }
        assert!(sessions.find(&idle, now).is_none());
        assert!(sessions.find(&used, begun + ABSOLUTE - Duration::from_secs(1)).is_some());
        assert!(sessions.find(&used, begun + ABSOLUTE).is_none());
        sessions.open(token, begun + ABSOLUTE).unwrap();
        assert_eq!(sessions.by_hash.len(), 1, "what has ended is forgotten");
    }

    #[test]
    fn one_session_too_many_ends_the_one_that_was_not_used_for_longest() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let token = Token::mint().unwrap().hash().id();
        let secrets: Vec<Hash> = (0..u32::try_from(SESSIONS_MAX).unwrap())
            .map(|at| sessions.open(token, now + Duration::from_secs(at.into())).unwrap().secret.hash())
            .collect();
        let later = now + Duration::from_secs(1_000);
        assert!(sessions.find(&secrets[0], later).is_some());
        assert!(sessions.open(token, later).unwrap().ended_another);
        assert_eq!(sessions.by_hash.len(), SESSIONS_MAX);
        assert!(sessions.find(&secrets[0], later).is_some() && sessions.find(&secrets[1], later).is_none());
    }
}
