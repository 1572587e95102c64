//! Keys that the gateway holds for this Thing: they survive a trap, a replacement and a power cut.
//!
//! What one call writes is committed together before its answer leaves; what `run` writes, within a second.

use crate::Fault;
use crate::bindings::tidegate::thing::state;

/// The bytes under a key.
#[cfg_attr(not(target_arch = "wasm32"), expect(unused_variables, reason = "there is no state natively"))]
#[must_use]
pub fn get(key: &str) -> Option<Vec<u8>> {
    #[cfg(not(target_arch = "wasm32"))]
    return None;
    #[cfg(target_arch = "wasm32")]
    state::get(key)
}

/// Puts bytes under a key.
///
/// # Errors
/// [`Fault::Failed`] when the Thing's room is full.
#[cfg_attr(not(target_arch = "wasm32"), expect(unused_variables, reason = "there is no state natively"))]
pub fn set(key: &str, bytes: &[u8]) -> Result<(), Fault> {
    #[cfg(not(target_arch = "wasm32"))]
    return Ok(());
    #[cfg(target_arch = "wasm32")]
    state::set(key, bytes)
}

/// Removes a key, if it is there. Not to be called natively.
pub fn delete(key: &str) {
    state::delete(key);
}

/// Every key, in order. Not to be called natively.
#[must_use]
pub fn keys() -> Vec<String> {
    state::keys()
}
