//! What can be wrong with a Thing Description, a Thing Model or a value.
//!
//! Every error names its place by JSON Pointer (RFC 6901), so that a program can show it at the right field.

use serde::Serialize;

/// Why a document is no Thing Description, Thing Model or `DataSchema`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TdError {
    /// The bytes are no JSON document, or one beyond the limits.
    #[error("{reason}{}", place(pointer))]
    Syntax {
        /// JSON Pointer to the innermost place that is known; "" is the whole document.
        pointer: String,
        /// What is wrong, with line and column where the parser knows them.
        reason: String,
    },
    /// A mandatory member, a placeholder's value or a model that was pointed to is absent.
    #[error("{what} is missing{}", place(pointer))]
    Missing {
        /// JSON Pointer to the place where it should be.
        pointer: String,
        /// What is absent.
        what: String,
    },
    /// A member is there, but not as the specification wants it.
    #[error("{reason}{}", place(pointer))]
    Schema {
        /// JSON Pointer to the member.
        pointer: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl TdError {
    /// JSON Pointer to the place; "" is the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        match self {
            Self::Syntax { pointer, .. } | Self::Missing { pointer, .. } | Self::Schema { pointer, .. } => pointer,
        }
    }
}

/// One thing that is wrong with a value or a document: an entry of `validationErrors` in a problem body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON Pointer into the value; "" is the whole value.
    pub field: String,
    /// What is wrong there, in a sentence of bounded length that does not repeat the value.
    pub description: String,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" (at {pointer})") }
}
