//! Devices by grant, as embedded-hal 1.0 and embedded-hal-async 1.0 see them: unmodified driver crates run over them.
//!
//! Every call is one transaction on the gateway's bus thread, bounded by the grant. Every length that comes back is
//! checked, every error keeps its kind.

mod delay;
mod error;
mod gpio;
mod i2c;
mod pwm;
mod spi;
mod sysfs;

pub use delay::Delay;
pub use error::{DeviceError, NoAcknowledgeSource};
pub(crate) use gpio::signal;
pub use gpio::{Edge, Edges, Level, Line};
pub use i2c::I2c;
pub use pwm::Pwm;
pub use spi::Spi;
pub use sysfs::{Space, SysfsFile};
