//! Devices of this machine: the only crate that touches a bus, a pin or a file of sysfs.
//!
//! A deployment's [`Grant`] says which device a label of a Thing may touch; [`Hardware::claim`] turns it into a
//! [`Slot`], through which a handler's host makes its calls. Each bus has one thread (`bus.rs`); a call is a message to
//! it and its answer, so nothing here blocks an async runtime, and no runtime is needed.
//! With a [`Board`] the places `board:..` are a simulated Raspberry Pi, behind the same grants, threads and limits.
//! This crate knows no Thing Description, no handler and no wire format.
#![deny(missing_docs)]

mod bus;
mod error;
mod filter;
mod grant;
mod hardware;
mod limit;
mod locks;
mod operation;
mod simulated;
mod slot;

pub use error::{DeviceError, NackSource};
pub use grant::{
    Bias, Direction, GpioGrant, Grant, GrantKind, I2cGrant, MultiWrite, PwmGrant, Registers, SpiGrant, SysfsGrant,
};
pub use hardware::{ClaimReport, DeviceReport, Hardware, HardwareReport};
pub use hardware::{DeviceSurvey, KindSurvey, LineSurvey, Obstacle, Survey, obstacle, survey};
pub use operation::{Edge, EdgeKind, EdgeSink, I2cOperation, Level, Space, SpiOperation};
pub use simulated::{
    Board, BoardError, BoardSnapshot, ButtonState, ClimateState, Drift, LedState, PartDescription, PartFault,
    QuantityDescription, RelayState,
};
pub use slot::{GpioSlot, I2cSlot, PwmSlot, Slot, SpiSlot, SysfsSlot};
