//! `things`: other Things, by grant. No gateway routes between its Things yet, so each call says so.

use crate::bindings::tidegate::thing::things::Host;
use crate::sandbox::Sandbox;
use crate::value::{Fault, Reading, Value};

impl Sandbox {
    fn other_thing<T>(&mut self) -> wasmtime::Result<Result<T, Fault>> {
        let open = self.count_host_call() && !self.is_closed();
        Ok(Err(if open { Fault::Unavailable("this gateway does not link Things yet".into()) } else { Fault::Busy }))
    }
}

impl Host for Sandbox {
    fn read(&mut self, _slot: u32, _property: String) -> wasmtime::Result<Result<Reading, Fault>> {
        self.other_thing()
    }

    fn write(&mut self, _slot: u32, _property: String, _value: Value) -> wasmtime::Result<Result<(), Fault>> {
        self.other_thing()
    }

    fn invoke(&mut self, _: u32, _: String, _: Option<Value>) -> wasmtime::Result<Result<Option<Value>, Fault>> {
        self.other_thing()
    }

    fn subscribe(&mut self, _slot: u32, _event: String) -> wasmtime::Result<Result<(), Fault>> {
        self.other_thing()
    }
}
