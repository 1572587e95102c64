//! The keys that the host holds for a Thing: what the running call changed can be taken back.
//!
//! The map is the handler's view; the gateway makes each change durable from the call's effects. Sizes are bounded.

use std::collections::BTreeMap;

use crate::limits::Limits;
use crate::value::Fault;

/// All keys of one Thing and an undo list of the running call.
#[derive(Debug, Default)]
pub(crate) struct HeldState {
    keys: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    undo: Vec<(String, Option<Vec<u8>>)>,
}

impl HeldState {
    pub(crate) fn new(keys: BTreeMap<String, Vec<u8>>) -> Self {
        let bytes = keys.iter().map(|(key, value)| key.len() + value.len()).sum();
        Self { keys, bytes, undo: Vec::new() }
    }

    pub(crate) fn keys(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.keys
    }

    /// Sets a key, or says which limit forbids it.
    pub(crate) fn set(&mut self, key: &str, value: &[u8], limits: &Limits) -> Result<(), Fault> {
        if key.is_empty() || key.len() > limits.state_key_bytes_max {
            return Err(Fault::Invalid(format!("a key has 1 to {} bytes", limits.state_key_bytes_max)));
        }
        let before = self.keys.get(key).map(|old| key.len() + old.len());
        if before.is_none() && self.keys.len() >= limits.state_keys_max {
            return Err(Fault::Failed(format!("more than {} keys", limits.state_keys_max)));
        }
        let bytes = self.bytes - before.unwrap_or(0) + key.len() + value.len();
        if bytes > limits.state_bytes_max {
            return Err(Fault::Failed(format!("more than {} bytes of state", limits.state_bytes_max)));
        }
        let old = self.keys.insert(key.to_owned(), value.to_owned());
        self.undo.push((key.to_owned(), old));
        self.bytes = bytes;
        Ok(())
    }

    /// Deletes a key; was it there?
    pub(crate) fn delete(&mut self, key: &str) -> bool {
        let Some(old) = self.keys.remove(key) else { return false };
        self.bytes -= key.len() + old.len();
        self.undo.push((key.to_owned(), Some(old)));
        true
    }

    /// The call ended by itself: its changes stay.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The call trapped: the keys as they were before it.
    pub(crate) fn roll_back(mut self) -> BTreeMap<String, Vec<u8>> {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.keys.insert(key, value),
                None => self.keys.remove(&key),
            };
        }
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pairs: &[(&str, &[u8])]) -> HeldState {
        HeldState::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect())
    }

    #[test]
    fn rolled_back_it_is_as_before_the_call() {
        let mut state = held(&[("a", b"1"), ("b", b"2")]);
        let limits = Limits::default();
        state.set("a", b"x", &limits).unwrap();
        state.set("a", b"y", &limits).unwrap();
        state.set("c", b"z", &limits).unwrap();
        assert!(state.delete("b") && state.delete("c") && !state.delete("c"));
        assert_eq!(state.roll_back(), held(&[("a", b"1"), ("b", b"2")]).keys);
    }

    #[test]
    fn keys_and_bytes_are_bounded() {
        let limits = Limits { state_keys_max: 2, state_key_bytes_max: 4, state_bytes_max: 10, ..Limits::default() };
        let mut state = held(&[("a", b"123")]);
        assert!(state.set("", b"", &limits).is_err() && state.set("abcde", b"", &limits).is_err());
        assert!(state.set("a", b"123456789", &limits).is_ok(), "the old value is not counted twice");
        assert!(state.set("b", b"", &limits).is_err(), "11 bytes");
        assert!(state.delete("a") && state.set("b", b"", &limits).is_ok());
        assert!(state.set("c", b"", &limits).is_ok() && state.set("d", b"", &limits).is_err(), "a third key");
    }
}
