//! Access: who asks, and whether they may. One decision for HTTP and MQTT alike.
//!
//! Without a token everything is open, and the gateway listens on loopback only. With one every request needs it.
//! Invariants: no token is kept or logged, only its hash; tokens are compared in constant time; what was let in by a token
//! or a session ends with it; a gateway that had a token never becomes open while it runs.

mod follow;
mod guesses;
mod sessions;
mod token;
mod token_file;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

pub(crate) use follow::follow;
pub(crate) use sessions::{ABSOLUTE as SESSION_AT_MOST, SessionId};
pub use token::{Token, TokenId, TokenSet};
pub use token_file::{Known, TokenFile, TokenFileError};

use crate::interaction::Caller;
use guesses::Guesses;
use sessions::Sessions;
use token::Hash;

/// Who asks, as far as it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Principal {
    /// Nobody has shown anything.
    #[default]
    Anonymous,
    /// Who showed a token, or has a session that was opened with it.
    Admin { token: TokenId, session: Option<SessionId> },
    /// Whoever publishes through the configured broker.
    Broker,
}

impl Principal {
    /// What a handler hears of it.
    pub(crate) fn caller(self) -> Caller {
        match self {
            Self::Anonymous | Self::Broker => Caller::Anonymous,
            Self::Admin { .. } => Caller::User("admin".to_owned()),
        }
    }
}

/// What is to be done to a Thing or one of its affordances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// To see that it is there: descriptions, models, listings, what a resource offers.
    Describe,
    /// To read properties.
    Read,
    /// To write properties.
    Write,
    /// To follow properties and events.
    Observe,
    /// To invoke an action.
    Invoke,
    /// To see how invocations stand.
    Query,
    /// To end an invocation.
    Cancel,
}

/// Whether it may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    /// Who asks has to show who it is.
    SignIn,
    /// Whoever it is: not this.
    Refuse,
}

/// Why a token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It is none of ours.
    Wrong,
    /// The same, and too many of that kind came from there: come again after this time.
    TooMany(Duration),
}

/// How a gateway stands.
#[derive(Debug)]
enum Standing {
    /// There never was a token.
    Open,
    /// These are good; when the last one is gone, nothing is.
    Tokens(TokenSet),
}

/// See the module.
#[derive(Debug)]
pub struct Access {
    standing: ArcSwap<Standing>,
    sessions: Mutex<Sessions>,
    guesses: Mutex<Guesses>,
    /// Whether who publishes through the broker may command, although a token is needed.
    broker_commands: bool,
    protected: watch::Sender<bool>,
    /// Changes when a token or a session may have ended.
    ended: watch::Sender<u64>,
}

impl Access {
    /// With these tokens; `None`: open.
    pub(crate) fn new(tokens: Option<TokenSet>, broker_commands: bool) -> Self {
        let protected = tokens.is_some();
        let standing = tokens.map_or(Standing::Open, Standing::Tokens);
        Self {
            standing: ArcSwap::from_pointee(standing),
            sessions: Mutex::default(),
            guesses: Mutex::default(),
            broker_commands,
            protected: watch::Sender::new(protected),
            ended: watch::Sender::new(0),
        }
    }

    /// Open: everybody may everything.
    #[cfg(test)]
    pub(crate) fn open() -> Self {
        Self::new(None, true)
    }

    /// Whether a token is needed.
    pub(crate) fn is_protected(&self) -> bool {
        matches!(**self.standing.load(), Standing::Tokens(_))
    }

    /// Whether these are the tokens that are good now.
    fn is_same(&self, tokens: &TokenSet) -> bool {
        matches!(&**self.standing.load(), Standing::Tokens(known) if known == tokens)
    }

    /// The same as [`Access::is_protected`], to be followed.
    pub(crate) fn protection(&self) -> watch::Receiver<bool> {
        self.protected.subscribe()
    }

    /// These tokens count from now on. What others had let in ends.
    pub(crate) fn change(&self, tokens: TokenSet) {
        self.sessions().keep(|token| tokens.has(token));
        self.standing.store(Arc::new(Standing::Tokens(tokens)));
        self.protected.send_if_modified(|protected| !std::mem::replace(protected, true));
        self.ended.send_modify(|count| *count += 1);
    }

    /// The one decision: whether `principal` may do `operation`, to the Thing `thing` (`lamp`, `lamp/handler`; `None`: to
    /// the gateway as a whole) and there to one `affordance`.
    ///
    /// Today a token is for everything, so that the last two do not matter; roles will look at them.
    pub(crate) fn decide(
        &self,
        principal: Principal,
        operation: Operation,
        thing: Option<&str>,
        affordance: Option<&str>,
    ) -> Decision {
        if !self.is_protected() {
            return Decision::Allow;
        }
        let decision = match (principal, operation) {
            (Principal::Anonymous, _) => Decision::SignIn,
            (Principal::Admin { .. }, _) if self.stands(principal) => Decision::Allow,
            (Principal::Admin { .. }, _) => Decision::SignIn,
            (Principal::Broker, Operation::Write | Operation::Invoke | Operation::Cancel) if !self.broker_commands => {
                Decision::Refuse
            }
            (Principal::Broker, _) => Decision::Allow,
        };
        if decision != Decision::Allow {
            tracing::debug!(?principal, ?operation, thing, affordance, ?decision, "not allowed");
        }
        decision
    }

    /// Whether what made `principal` who it is still holds.
    pub(crate) fn stands(&self, principal: Principal) -> bool {
        match (&**self.standing.load(), principal) {
            (Standing::Open, _) | (_, Principal::Broker) => true,
            (Standing::Tokens(_), Principal::Anonymous) => false,
            (Standing::Tokens(tokens), Principal::Admin { token, session }) => {
                tokens.has(token) && session.is_none_or(|session| self.sessions().is_open(session, Instant::now()))
            }
        }
    }

    /// Follows whether `principal` still stands.
    pub(crate) fn stay(self: &Arc<Self>, principal: Principal) -> Stay {
        Stay { access: Arc::clone(self), principal, ended: self.ended.subscribe() }
    }

    /// Who shows `token`, from the address `peer`. A right one is always taken: 256 bits are not found by trying, so
    /// nobody is locked out by the guesses of others, not even from the same address.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) fn admit(&self, token: &[u8], peer: IpAddr) -> Result<Principal, NotTaken> {
        match &**self.standing.load() {
            Standing::Open => Ok(Principal::Anonymous),
            Standing::Tokens(tokens) => match tokens.find(&Hash::of(token)) {
                Some(token) => Ok(Principal::Admin { token, session: None }),
                None => Err(self.wrong(peer)),
            },
        }
    }

    /// Something that cannot be right came from `peer`.
    pub(crate) fn wrong(&self, peer: IpAddr) -> NotTaken {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, wait) = guesses.count(peer, Instant::now());
        drop(guesses);
        // Anybody can guess as often as they like; the log is told ever more rarely.
        if total.is_power_of_two() {
            tracing::warn!(%peer, total, "wrong credentials were shown");
        }
        wait.map_or(NotTaken::Wrong, NotTaken::TooMany)
    }

    /// Opens a session for who showed `token`; what comes back is the secret that names it.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn sign_in(&self, token: TokenId) -> std::io::Result<Token> {
        let opened = self.sessions().open(token, Instant::now())?;
        if opened.ended_another {
            self.ended.send_modify(|count| *count += 1);
        }
        Ok(opened.secret)
    }

    /// Who has the session that `secret` names.
    pub(crate) fn session(&self, secret: &[u8]) -> Option<Principal> {
        let (session, token) = self.sessions().find(&Hash::of(secret), Instant::now())?;
        Some(Principal::Admin { token, session: Some(session) }).filter(|principal| self.stands(*principal))
    }

    /// Ends the session that `secret` names, if there is one.
    pub(crate) fn sign_out(&self, secret: &[u8]) {
        if self.sessions().close(&Hash::of(secret)) {
            self.ended.send_modify(|count| *count += 1);
        }
    }

    /// With one token, which comes with it.
    #[cfg(test)]
    pub(crate) fn with_a_token() -> (Self, Token) {
        let token = Token::mint().unwrap();
        (Self::new(Some(TokenSet::of([token.hash()])), false), token)
    }

    /// How many streams there are.
    #[cfg(test)]
    pub(crate) fn stay_count(&self) -> usize {
        self.ended.receiver_count()
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that goes on while who opened it may.
#[derive(Debug)]
pub(crate) struct Stay {
    access: Arc<Access>,
    principal: Principal,
    ended: watch::Receiver<u64>,
}

impl Stay {
    /// Whether it goes on.
    pub(crate) fn stands(&self) -> bool {
        self.access.stands(self.principal)
    }

    /// Ready when it does not. What ends by time alone is seen at the next call.
    pub(crate) async fn ended(&mut self) {
        while self.stands() {
            if self.ended.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
