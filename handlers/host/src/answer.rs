//! What comes back from a call: the instance, if it is still one, the handler's answer, and what it did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::effect::Effect;
use crate::error::HandlerError;
use crate::instance::HandlerInstance;

/// The end of one call. It carries the instance, so that no second call can begin before the first one has ended.
#[derive(Debug)]
pub struct Answer<T> {
    /// The instance, for the next call; `None` when a trap, the deadline or the memory limit ended it.
    pub instance: Option<HandlerInstance>,
    /// The handler's answer or fault, or how the host ended the call.
    pub result: Result<T, HandlerError>,
    /// What the handler did, in order. State changes of a call that ended its instance are not among them.
    pub effects: Vec<Effect>,
    /// The host-held state as it was before the call that ended the instance, for the next one.
    pub salvaged: Option<BTreeMap<String, Vec<u8>>>,
    /// How the call went.
    pub report: CallReport,
}

/// How a call went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Wall time from its beginning to its end.
    pub elapsed: Duration,
    /// Did it go on on a low-priority thread?
    pub moved_to_background: bool,
    /// How many host functions it called.
    pub host_calls: u32,
}
