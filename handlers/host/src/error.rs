//! Why a handler could not be loaded, started or answered.
//!
//! A closed set: the gateway turns each variant into one status. A trap's text names the export and the frames, for the
//! handler's author; it carries nothing of the host's memory.

use wasmtime::{Trap, WasmBacktrace};

use crate::plain;
use crate::value::{Fault, sentence};

/// See the variants; the text of each is one public sentence.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The bytes are no handler.
    #[error("this is no handler component: {reason}")]
    BadComponent {
        /// What is wrong with them.
        reason: String,
    },
    /// A function of the contract is not there.
    #[error("the component does not export {name}")]
    MissingExport {
        /// `INTERFACE` or `INTERFACE#FUNCTION`.
        name: String,
    },
    /// The handler wants what the Thing was not granted.
    #[error("the handler wants {capability}, which this Thing was not granted")]
    Denied {
        /// The import or the label.
        capability: String,
    },
    /// The instance stopped by a trap and is lost.
    #[error("the handler trapped in {export}: {reason}")]
    Trap {
        /// The export that was called.
        export: &'static str,
        /// WebAssembly's name of the trap, or the host's reason.
        reason: String,
        /// The innermost frames, at most 8.
        frames: Vec<String>,
    },
    /// The call did not end within its budget; the instance is lost.
    #[error("the handler did not answer within {budget_ms} ms")]
    Deadline {
        /// The budget of the call.
        budget_ms: u32,
    },
    /// The handler gave up at its memory limit; the instance is lost.
    #[error("the handler needs more than its {memory_bytes_max} bytes of memory")]
    MemoryLimit {
        /// The limit.
        memory_bytes_max: usize,
    },
    /// The handler has used its processor time of this minute; the call was not begun.
    #[error("the handler has used its processor time; next call in {retry_ms} ms")]
    CpuBudget {
        /// When the minute is over.
        retry_ms: u32,
    },
    /// The pool is full, and no memory outside it is to be had.
    #[error("there is no memory for one more handler")]
    Overloaded,
    /// A snapshot has another version than the handler restores.
    #[error("the snapshot has state version {have}, the handler wants {want}")]
    StateVersion {
        /// Of the snapshot.
        have: u32,
        /// Of the handler.
        want: u32,
    },
    /// The handler's own answer.
    #[error("{}", sentence(.0))]
    Fault(Fault),
    /// The host itself failed: no memory, no thread, no room in the cache folder.
    #[error("the handler host failed: {what}")]
    Host {
        /// What failed and why.
        what: String,
    },
}

impl HandlerError {
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::BadComponent { reason: plain::sentence(reason) }
    }

    pub(crate) fn host(what: &str, cause: impl std::fmt::Display) -> Self {
        Self::Host { what: format!("{what}: {cause}") }
    }
}

/// The deadline of a call has passed, or the call was cancelled; ends the call as a trap.
#[derive(Debug, thiserror::Error)]
#[error("deadline passed")]
pub(crate) struct DeadlinePassed;

/// What a call's end by trap means.
pub(crate) fn of_trap(error: &wasmtime::Error, export: &'static str) -> HandlerError {
    let reason = plain::sentence(match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    });
    HandlerError::Trap { export, reason, frames: frames(error) }
}

/// The innermost frames: a function's name where the component kept it, and its offset in the module.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frame = |frame: &wasmtime::FrameInfo| {
        let function = frame
            .func_name()
            .map_or_else(|| format!("function {}", frame.func_index()), |name| plain::name(name).into_owned());
        match frame.module_offset() {
            Some(offset) => format!("{function} at 0x{offset:x}"),
            None => function,
        }
    };
    backtrace.frames().iter().take(8).map(frame).collect()
}
