//! `emit`: events, readings, progress and results, as effects of the call that emitted them.

use crate::bindings::tidegate::thing::emit::Host;
use crate::bindings::tidegate::thing::types::Uuid;
use crate::effect::{DroppedKind, Effect};
use crate::plain;
use crate::sandbox::Sandbox;
use crate::value::{Fault, Reading, Value};

impl Sandbox {
    fn emit(&mut self, kind: DroppedKind, effect: Effect) {
        if self.count_host_call() {
            self.effects.emit(effect, &self.limits);
        } else {
            self.effects.count_dropped(kind);
        }
    }
}

impl Host for Sandbox {
    fn event(&mut self, name: String, data: Value) -> wasmtime::Result<()> {
        self.emit(DroppedKind::Event, Effect::Event { name, data });
        Ok(())
    }

    fn reading(&mut self, name: String, reading: Reading, valid_for_ms: u64) -> wasmtime::Result<()> {
        self.emit(DroppedKind::Reading, Effect::Reading { name, reading, valid_for_ms });
        Ok(())
    }

    fn progress(&mut self, action: Uuid, progress: Value) -> wasmtime::Result<()> {
        self.emit(DroppedKind::Progress, Effect::Progress { action: action.into(), value: progress });
        Ok(())
    }

    fn done(&mut self, action: Uuid, outcome: Result<Option<Value>, Fault>) -> wasmtime::Result<()> {
        self.emit(DroppedKind::Done, Effect::Done { action: action.into(), result: outcome.map_err(plain::fault) });
        Ok(())
    }
}
