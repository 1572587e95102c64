//! Runs the handlers of Things: WebAssembly components behind the contract `tidegate:thing`.
//!
//! This is the only crate that knows WebAssembly. A handler gets what its Thing was granted and nothing else, ends at its
//! budget, stays within its memory, and cannot hold up another Thing for longer than a few milliseconds. Nothing here decides
//! when a handler is called, what its answers mean, or where its state is kept: that is the gateway's.

mod address_space;
mod admission;
mod answer;
mod background;
mod bindings;
mod cache;
mod call;
mod capabilities;
mod clock;
mod compilers;
mod component;
mod control;
mod digest;
mod effect;
mod engine;
mod error;
mod extent;
mod heap;
mod imports;
mod instance;
mod limits;
mod memory;
mod model;
mod plain;
mod sandbox;
mod start;
mod state;
mod ticker;
mod value;

pub use address_space::AddressSpace;
pub use answer::{Answer, CallReport};
pub use capabilities::{Capabilities, Want};
pub use clock::ThingClock;
pub use component::HandlerComponent;
pub use digest::{ComponentDigest, DigestError};
pub use effect::{DroppedKind, Effect, LogLevel};
pub use engine::{EngineConfig, HandlerEngine};
pub use error::HandlerError;
pub use heap::give_back_memory;
pub use instance::{Canceller, HandlerInstance};
pub use limits::Limits;
pub use start::InstanceSetup;
pub use value::{
    Binary, Call, Caller, Config, DeviceError, Edge, Fault, Level, NoAcknowledgeSource, Origin, Outcome, Quality,
    Reading, Signal, ThingEvent, Value, WantKind, bytes_of,
};
