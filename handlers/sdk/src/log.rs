//! Lines in the Thing's log. Natively they are dropped.

pub use crate::bindings::tidegate::thing::log::Level;

/// Writes one line; the gateway adds the Thing and the time. Lines beyond the Thing's log rate are counted, not kept.
#[cfg_attr(not(target_arch = "wasm32"), expect(unused_variables, reason = "there is no log natively"))]
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::tidegate::thing::log::write(level, message);
}

/// For whoever debugs the handler.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What happened, in a word.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something is not as it should be; the Thing goes on.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something that a person has to see to.
pub fn error(message: &str) {
    write(Level::Error, message);
}
