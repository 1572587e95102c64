//! Tokens: secrets of 256 bits, known to the gateway by their SHA-256 hash alone.
//!
//! A plain hash is enough, because nobody can try 2^256 secrets; a password that a person chose would need a slow one.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// What every token begins with, so that people and scanners for secrets know one when they see it.
const PREFIX: &str = "tg_";
/// Tokens that are good at a time: the one in use, the one that follows it, and a few for programs.
pub(super) const TOKENS_MAX: usize = 16;

/// A secret. It is never printed but by who made it.
pub struct Token(String);

impl Token {
    /// A new one, from the system's random source.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn mint() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(format!("{PREFIX}{}", Hex(&bytes))))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// The SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// From 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 64 || !text.bytes().all(lower_hex) {
            return None;
        }
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    pub(super) fn id(&self) -> TokenId {
        let [a, b, c, d, ..] = self.0;
        TokenId([a, b, c, d])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(formatter)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// By which name people speak of a token: the first eight digits of its hash, which tell nothing of the token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenId([u8; 4]);

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenId({self})")
    }
}

/// The tokens that are good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSet {
    hashes: Vec<Hash>,
}

impl TokenSet {
    pub(super) fn of(hashes: impl IntoIterator<Item = Hash>) -> Self {
        Self { hashes: hashes.into_iter().take(TOKENS_MAX).collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(super) fn has(&self, id: TokenId) -> bool {
        self.hashes.iter().any(|hash| hash.id() == id)
    }

    /// The token of this hash. Takes as long whether it is there, and wherever it stands.
    pub(super) fn find(&self, hash: &Hash) -> Option<TokenId> {
        self.hashes.iter().fold(None, |found, known| {
            let same = bool::from(known.0.ct_eq(&hash.0));
            if same { Some(known.id()) } else { found }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_alone_and_never_printed() {
        let (token, other) = (Token::mint().unwrap(), Token::mint().unwrap());
        assert_eq!(token.reveal().len(), PREFIX.len() + 64);
        let set = TokenSet::of([other.hash(), token.hash()]);
        assert_eq!(set.find(&Hash::of(token.reveal().as_bytes())), Some(token.hash().id()));
        assert_eq!(set.find(&Hash::of(&token.reveal().as_bytes()[..66])), None);
        assert_eq!(set.find(&Hash::of(b"")), None);
        let secret = &token.reveal()[PREFIX.len()..];
        assert!(!format!("{token:?} {set:?}").contains(secret));
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        for wrong in ["", "ab", &"g".repeat(64), &"A".repeat(64), &"ä".repeat(32), &hash.to_string()[1..]] {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
        }
    }
}
