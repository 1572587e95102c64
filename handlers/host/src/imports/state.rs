//! `state`: keys that the host holds; each change is an effect of the call that made it.

use crate::bindings::tidegate::thing::state::Host;
use crate::sandbox::Sandbox;
use crate::value::Fault;

impl Host for Sandbox {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        self.count_host_call();
        Ok(self.state.keys().get(&key).cloned())
    }

    fn set(&mut self, key: String, bytes: Vec<u8>) -> wasmtime::Result<Result<(), Fault>> {
        if !self.count_host_call() || !self.effects.has_room(key.len() + bytes.len(), &self.limits) {
            return Ok(Err(Fault::Busy));
        }
        let set = self.state.set(&key, &bytes, &self.limits);
        if set.is_ok() {
            self.effects.state(key, Some(bytes));
        }
        Ok(set)
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        // A deletion has no fault to answer with; one beyond the limit of the call ends it.
        if !self.count_host_call() {
            wasmtime::bail!("more than {} host calls in one call", self.limits.host_calls_per_call);
        }
        if self.state.delete(&key) {
            self.effects.state(key, None);
        }
        Ok(())
    }

    fn keys(&mut self) -> wasmtime::Result<Vec<String>> {
        self.count_host_call();
        Ok(self.state.keys().keys().cloned().collect())
    }
}
