//! Every limit of this crate in one place: a document from outside can cost no more than these.
//!
//! Depths are chosen so that whoever walks a document or a schema may recurse on a thread with 2 MiB of stack.

/// Bytes and nesting that [`parse_json`](crate::parse_json) accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Longest document, in bytes.
    pub bytes_max: usize,
    /// Deepest nesting of arrays and objects: 0 admits a bare scalar, 1 admits `[1]`. Above 127 the JSON parser's own
    /// limit comes first.
    pub depth_max: usize,
}

impl JsonLimits {
    /// 1 MiB and 64 levels.
    pub const DEFAULT: Self = Self { bytes_max: 1024 * 1024, depth_max: 64 };
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Deepest nesting of a `DataSchema` that compiles, and of a value that is checked against one.
pub const VALUE_DEPTH_MAX: usize = 64;

/// Most errors that one check reports.
pub const FIELD_ERRORS_MAX: usize = 32;

/// Longest description of one error, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 240;

/// Most members and elements of a value whose errors are listed: the library under [`Validator`](crate::Validator)
/// collects all of them before the first is seen, some 350 bytes each, again for every branch of a `oneOf`.
pub(crate) const EXPLAINED_NODES_MAX: usize = 1_000;

/// The same for a whole Thing Description or Thing Model.
pub(crate) const EXPLAINED_DOCUMENT_NODES_MAX: usize = 5_000;

/// Deepest nesting of typed members in a Thing Description, as deep as a document can be.
pub(crate) const MEMBER_DEPTH_MAX: usize = JsonLimits::DEFAULT.depth_max;

/// Most members and elements of one `DataSchema` that compiles.
pub(crate) const SCHEMA_NODES_MAX: usize = 20_000;

/// Memory of one compiled `pattern`, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Longest chain of `tm:extends` and `tm:ref`, each step a model or a definition behind the one before.
pub(crate) const MODEL_CHAIN_MAX: usize = 16;

/// Most members, elements and bytes of strings that the instantiation of one Thing Model may copy: a model of a few
/// hundred bytes can name itself a million times through `tm:ref` or a placeholder.
pub(crate) const MODEL_COST_MAX: usize = 4 * 1024 * 1024;
