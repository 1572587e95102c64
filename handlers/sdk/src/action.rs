//! One invocation of an action, as its handler sees it.

use crate::Value;
use crate::bindings::tidegate::thing::{emit, types};
pub use types::{Caller, Uuid};

/// Who invoked, under which id, and the way to tell how far it is.
#[derive(Debug)]
pub struct Action {
    call: types::Call,
}

impl Action {
    pub(crate) const fn new(call: types::Call) -> Self {
        Self { call }
    }

    /// The id that the action keeps for life, also on another node.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.call.id
    }

    /// Who invoked it.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.call.caller
    }

    /// The value of a URI variable of the action's affordance.
    #[must_use]
    pub fn uri_variable(&self, name: &str) -> Option<&str> {
        self.call.uri_variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str())
    }

    /// Tells how far the action is; consumers see it in its `ActionStatus`.
    pub fn progress(&self, progress: impl Into<Value>) {
        emit::progress(self.call.id, &progress.into());
    }
}
