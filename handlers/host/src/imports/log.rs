//! `log`: lines of the handler, as effects of the call that wrote them.

use crate::bindings::tidegate::thing::log::{Host, Level};
use crate::effect::DroppedKind;
use crate::sandbox::Sandbox;

impl Host for Sandbox {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        if self.count_host_call() {
            self.effects.log(level.into(), message, self.clock.now_us(), &self.limits);
        } else {
            self.effects.count_dropped(DroppedKind::Log);
        }
        Ok(())
    }
}
