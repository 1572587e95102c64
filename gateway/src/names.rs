//! The names that cross every edge of the gateway: a Thing's name and id, an affordance's name, a component's digest.
//!
//! Each is parsed once, at the edge, and is valid from there on; the error says what is allowed. A [`ThingName`] holds
//! no `:` and a [`ThingId`] always does, so that `/things/{x}` can take either without ambiguity.
//! What exists under a name is not known here: that is the store's and the servient's part.

use std::{fmt, str::FromStr};

pub use handler_host::ComponentDigest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Names that the gateway gives to its own Things; no declaration may take them.
pub const RESERVED_THING_NAMES: [&str; 2] = ["gateway", "board"];

/// Why a text is no name. Its message states the rule, not only the breach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a Thing's name.
    #[error("`{0}` is no name of a Thing: 1 to 63 characters of a-z, 0-9 and `-` are allowed")]
    ThingName(String),
    /// A name that the gateway's own Things bear.
    #[error("`{0}` is reserved for a Thing of the gateway itself; reserved names are `gateway` and `board`")]
    Reserved(String),
    /// Not a Thing's id.
    #[error("`{0}` is no id of a Thing: `urn:uuid:` and a UUID in lower case with hyphens is expected")]
    ThingId(String),
    /// Not an affordance's name.
    #[error("`{0}` is no name of an affordance: a letter, then at most 63 letters, digits, `_` and `-` are allowed")]
    AffordanceName(String),
}

/// At most this many characters of a refused text are repeated in the error.
const QUOTED_MAX: usize = 80;

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_MAX).collect()
}

/// Text form, parsing and serde for a newtype over a `String` that keeps its own rule in `accepts`.
macro_rules! text_newtype {
    ($name:ident, $error:ident) => {
        impl $name {
            /// The text, as it stands in paths and files.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if Self::accepts(text) { Ok(Self(text.to_owned())) } else { Err(NameError::$error(quoted(text))) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

/// The name of a Thing on this gateway: path segment, topic segment, file stem. `[a-z0-9-]{1,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThingName(String);

text_newtype!(ThingName, ThingName);

impl ThingName {
    fn accepts(text: &str) -> bool {
        (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }

    /// The name of a Thing that a person declares: as [`str::parse`], and none of [`RESERVED_THING_NAMES`].
    pub fn declared(text: &str) -> Result<Self, NameError> {
        let name: Self = text.parse()?;
        if RESERVED_THING_NAMES.contains(&text) { Err(NameError::Reserved(text.to_owned())) } else { Ok(name) }
    }
}

/// The id of a Thing in its TD: `urn:uuid:` and a UUID, minted once, moving with the Thing (TD 1.1 section 5.3.1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThingId(String);

text_newtype!(ThingId, ThingId);

impl ThingId {
    const PREFIX: &str = "urn:uuid:";

    fn accepts(text: &str) -> bool {
        let Some(rest) = text.strip_prefix(Self::PREFIX) else { return false };
        // Only the canonical spelling: two spellings of one id would be two Things in a map.
        Uuid::try_parse(rest).is_ok_and(|uuid| uuid.hyphenated().to_string() == rest)
    }

    /// A new id, random (UUID version 4).
    pub fn mint() -> Self {
        Self(format!("{}{}", Self::PREFIX, Uuid::new_v4().hyphenated()))
    }
}

/// The name of a property, an action or an event of an own Thing: `[A-Za-z][A-Za-z0-9_-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AffordanceName(String);

text_newtype!(AffordanceName, AffordanceName);

impl AffordanceName {
    fn accepts(text: &str) -> bool {
        text.len() <= 64
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }
}

/// SHA-256 of `bytes` as 64 hexadecimal digits in lower case.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thing_names_follow_the_rule() {
        let longest = "a".repeat(63);
        for good in ["a", "greenhouse-1", "0", "-", longest.as_str()] {
            assert_eq!(good.parse::<ThingName>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in ["", "A", "a_b", "a.b", "ü", "a b", "urn:uuid:x", "../x", too_long.as_str()] {
            let error = bad.parse::<ThingName>().unwrap_err().to_string();
            assert!(error.contains("1 to 63 characters of a-z, 0-9 and `-`"), "{error}");
        }
    }

    #[test]
    fn reserved_names_parse_but_cannot_be_declared() {
        assert!("gateway".parse::<ThingName>().is_ok());
        assert_eq!(ThingName::declared("board"), Err(NameError::Reserved("board".into())));
        assert!(ThingName::declared("boards").is_ok());
    }

    #[test]
    fn ids_are_minted_distinct_and_only_canonical_ones_parse() {
        let id = ThingId::mint();
        assert_eq!(id.as_str().parse::<ThingId>().unwrap(), id);
        assert_ne!(id, ThingId::mint());
        let upper = id.as_str().to_uppercase();
        for bad in ["greenhouse", "urn:uuid:", "urn:uuid:1234", "urn:dev:ops:1", upper.as_str()] {
            assert!(bad.parse::<ThingId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn affordance_names_follow_the_rule() {
        for good in ["on", "loadStatistics", "x-1_2", &"a".repeat(64)] {
            assert!(good.parse::<AffordanceName>().is_ok(), "{good}");
        }
        for bad in ["", "1on", "_on", "a/b", "a.b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<AffordanceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_text_is_cut_in_the_error_and_serde_refuses_what_parse_refuses() {
        let error = "!".repeat(10_000).parse::<ThingName>().unwrap_err().to_string();
        assert!(error.len() < 250);
        assert!(serde_json::from_str::<ThingName>("\"NO\"").is_err());
        assert_eq!(serde_json::to_string(&"a".parse::<ThingName>().unwrap()).unwrap(), "\"a\"");
    }
}
