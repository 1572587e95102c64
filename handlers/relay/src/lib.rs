//! Relay: one output line, switched, or switched on for a while.
//!
//! It starts switched off, and a pulse leaves it switched off however it ends. A replacement leaves it as it is; its
//! level while no handler runs is the grant's `fail_safe`.

use tidegate_handler::{Action, Config, Fault, Handler, Line, Origin, Thing, Value, clock, log, sleep_ms};

struct Relay {
    coil: Line,
    origin: Origin,
}

impl Handler for Relay {
    fn start(config: &Config, origin: Origin) -> Result<Self, Fault> {
        Ok(Self { coil: config.gpio("coil")?, origin })
    }

    async fn run(&self, _thing: &Thing) -> Result<(), Fault> {
        match self.origin {
            Origin::Fresh | Origin::Recovered => Ok(self.coil.write(false)?),
            Origin::Swapped | Origin::Migrated => Ok(()),
        }
    }

    fn read_property(&self, _name: &str) -> Result<Value, Fault> {
        Ok(self.coil.read()?.into())
    }

    fn write_property(&self, _name: &str, value: Value) -> Result<(), Fault> {
        Ok(self.coil.write(value.try_into()?)?)
    }

    async fn invoke_action(&self, _name: &str, input: Value, action: &Action) -> Result<Value, Fault> {
        let duration_ms: u32 = input.member("duration").try_into()?;
        let end_us = clock::now_us() + u64::from(duration_ms) * 1_000;
        let _off = SwitchOff(&self.coil);
        self.coil.write(true)?;
        loop {
            let left_ms = end_us.saturating_sub(clock::now_us()).div_ceil(1_000);
            if left_ms == 0 {
                return Ok(Value::Json(format!(r#"{{"duration":{duration_ms}}}"#)));
            }
            action.progress(left_ms);
            sleep_ms(left_ms.min(100)).await;
        }
    }
}

/// Switches off when the pulse ends, fails or is cancelled.
struct SwitchOff<'a>(&'a Line);

impl Drop for SwitchOff<'_> {
    fn drop(&mut self) {
        if self.0.write(false).is_err() {
            log::error("the relay could not be switched off after its pulse");
        }
    }
}

tidegate_handler::export!(Relay);
