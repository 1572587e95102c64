//! What a handler can reach, one interface a file; each is linked only for a component that imports it.
//!
//! Whether the Thing was granted what the component imports is checked before it is instantiated; each call checks its own
//! slot again. All calls are counted and bounded.

mod clock;
mod device;
mod emit;
mod gpio;
mod i2c;
mod log;
mod pwm;
mod spi;
mod state;
mod sysfs;
mod things;

use wasmtime::component::{HasSelf, Linker};

use crate::admission::interface;
use crate::bindings::tidegate::thing;
use crate::sandbox::Sandbox;

/// Links the interfaces of these full names, and the interface of types.
pub(crate) fn link(linker: &mut Linker<Sandbox>, imports: &[String]) -> wasmtime::Result<()> {
    type Own = HasSelf<Sandbox>;
    thing::types::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?;
    for import in imports.iter().filter_map(|import| interface(import)) {
        match import {
            "log" => thing::log::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "clock" => thing::clock::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "state" => thing::state::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "emit" => thing::emit::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "things" => thing::things::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "i2c" => thing::i2c::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "spi" => thing::spi::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "gpio" => thing::gpio::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "pwm" => thing::pwm::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            "sysfs" => thing::sysfs::add_to_linker::<_, Own>(linker, |sandbox| sandbox)?,
            _ => {}
        }
    }
    Ok(())
}
