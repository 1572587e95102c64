//! What the author of a Tidegate handler writes against.
//!
//! A handler answers for one Thing of a W3C Web of Things gateway: a struct that implements [`Handler`], exported once
//! by [`export!`], and a Thing Model that says which properties, actions and events there are and which devices are
//! wanted. The build makes it a sandboxed component of some 50 KB; it can touch what its deployment granted, by label.
//!
//! ```
//! use tidegate_handler::{Config, Fault, Handler, Line, Origin, Value};
//!
//! struct Lamp {
//!     line: Line,
//! }
//!
//! impl Handler for Lamp {
//!     fn start(config: &Config, _origin: Origin) -> Result<Self, Fault> {
//!         Ok(Self { line: config.gpio("lamp")? })
//!     }
//!
//!     fn read_property(&self, _name: &str) -> Result<Value, Fault> {
//!         Ok(self.line.read()?.into())
//!     }
//!
//!     fn write_property(&self, _name: &str, value: Value) -> Result<(), Fault> {
//!         Ok(self.line.write(value.try_into()?)?)
//!     }
//! }
//!
//! tidegate_handler::export!(Lamp);
//! # fn main() {}
//! ```
//!
//! Drivers written for embedded-hal 1.0 or embedded-hal-async 1.0 run unmodified over [`I2c`], [`Spi`], [`Line`],
//! [`Pwm`] and [`Delay`]; prefer the async ones, whose delays leave the Thing answering. Everything compiles natively
//! too, so that a handler's own logic is tested by plain `cargo test`; only the imports are not there.

#![warn(missing_docs)]

mod action;
#[doc(hidden)]
#[expect(
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "generated"
)]
pub mod bindings;
pub mod clock;
mod config;
mod consumed;
mod devices;
mod executor;
mod fault;
mod handler;
mod json;
pub mod log;
mod notify;
mod queue;
mod run;
#[doc(hidden)]
pub mod runtime;
mod setting;
pub mod state;
mod thing;
mod timers;
mod value;

pub use action::{Action, Caller, Uuid};
pub use clock::sleep_ms;
pub use config::{Config, Origin};
pub use consumed::{ConsumedThing, Events, ThingEvent};
pub use devices::{Delay, DeviceError, Edge, Edges, I2c, Level, Line, NoAcknowledgeSource, Pwm, Space, Spi, SysfsFile};
pub use fault::Fault;
pub use handler::Handler;
pub use setting::{Durable, Setting};
pub use thing::{Quality, Reading, Thing};
pub use value::{Binary, Value};

/// Exports a type that implements [`Handler`] as the component's behaviour: once per crate.
#[macro_export]
macro_rules! export {
    ($handler:ty) => {
        const _: () = {
            type Component = $crate::runtime::Component<$handler>;
            const _: fn() = <Component as $crate::bindings::exports::tidegate::thing::handler::Guest>::stop;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}
