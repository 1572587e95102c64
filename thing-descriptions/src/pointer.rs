//! Where in a document the parser stands: a chain on the stack that becomes a JSON Pointer only when something is wrong.
//!
//! Nothing is allocated on the way down. Pointers follow RFC 6901.

use crate::TdError;
use crate::limits::MEMBER_DEPTH_MAX;

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Element(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    pub(crate) fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    pub(crate) fn element(&'a self, index: usize) -> Self {
        Self::Element(self, index)
    }

    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, name) => join(&parent.pointer(), name),
            Self::Element(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }

    pub(crate) fn missing(&self, what: impl Into<String>) -> TdError {
        TdError::Missing { pointer: self.pointer(), what: what.into() }
    }

    pub(crate) fn wrong(&self, reason: impl Into<String>) -> TdError {
        TdError::Schema { pointer: self.pointer(), reason: reason.into() }
    }

    /// Refuses nesting that could exhaust the stack of whoever walks the result.
    pub(crate) fn check_depth(&self) -> Result<(), TdError> {
        if self.depth() > MEMBER_DEPTH_MAX { Err(Self::Root.wrong("nested too deeply")) } else { Ok(()) }
    }

    /// Levels below the root.
    pub(crate) fn depth(&self) -> usize {
        let mut depth = 0;
        let mut at = self;
        while let Self::Member(parent, _) | Self::Element(parent, _) = at {
            depth += 1;
            at = parent;
        }
        depth
    }
}

/// `parent` with one more token, escaped as RFC 6901 section 3 wants it.
pub(crate) fn join(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped() {
        let root = At::Root;
        let properties = root.member("properties");
        assert_eq!(properties.member("a/b~c").element(3).pointer(), "/properties/a~1b~0c/3");
        assert_eq!(root.pointer(), "");
    }
}
