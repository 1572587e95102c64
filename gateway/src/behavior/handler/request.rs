//! The messages of a Thing's task: plain data, one closed set, each with its own reply.
//!
//! Replacing a handler is a message between two reads; so will be moving it to another node.

use std::sync::Arc;

use handler_host::{Outcome, Value};
use things::Slot;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::version::Version;
use crate::exposed_thing::Description;
use crate::exposed_thing::outlet::Answer;
use crate::interaction::{Context, InteractionError};
use crate::names::ComponentDigest;
use crate::store::ThingRecord;

/// Where the answer goes. A caller that has gone away drops its end; that is no error.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, InteractionError>>;

/// One message to a Thing's task.
#[derive(Debug)]
pub(crate) enum Request {
    /// Read a property that has no good reading.
    Read { name: Arc<str>, context: Context, reply: Reply<Answer> },
    /// Write properties, in order, as one commit.
    Write { values: Vec<(Arc<str>, Value)>, context: Context, reply: Reply<()> },
    /// Begin an action.
    Invoke { name: Arc<str>, input: Option<Value>, context: Context, reply: Reply<Outcome> },
    /// End an action before it is done.
    Cancel { id: Uuid, reply: Reply<()> },
    /// A switch is about to be committed: from now on no canary begins or ends. Answers the record on which the switch must
    /// be based.
    BeginSwitch { to: Switching, reply: Reply<ThingRecord> },
    /// The switch was not committed.
    AbortSwitch { reply: Reply<()> },
    /// Go over to another version, which the store has as the current one already.
    CutOver { next: Box<Next>, reply: Reply<CutOver> },
    /// The handlers folder holds this component, and that is no news any more.
    NoteFolder { digest: ComponentDigest, reply: Reply<()> },
    /// The handler's last words, then none.
    Stop { reply: Reply<()> },
}

/// To what a Thing is about to go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switching {
    /// Another version: state changes are kept for its rollback too.
    Version,
    /// Other grants and settings of the version that serves; a canary that is under way begins anew.
    Configuration,
}

/// The version that is to serve next.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) version: Version,
    /// The record as it was committed.
    pub(crate) record: ThingRecord,
    /// What the Thing offers from then on, where that is something else.
    pub(crate) description: Option<Description>,
    /// With another configuration.
    pub(crate) configured: Option<Reconfigured>,
}

/// What is no longer as it was when the configuration is another.
#[derive(Debug)]
pub(crate) struct Reconfigured {
    /// The Thing's devices from then on.
    pub(crate) slots: Vec<Slot>,
    /// The version to which a canary goes back, with the same configuration.
    pub(crate) previous: Option<Version>,
}

/// What the cut-over took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutOver {
    /// How long the Thing took no message.
    pub(crate) pause: std::time::Duration,
}
