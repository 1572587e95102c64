//! My thing: samples a number from a file of the system that it was granted.
//!
//! What it is and what it wants stands in my-thing.tm.json; names there and here are the same.

use tidegate_handler::{Action, Config, Fault, Handler, Origin, Setting, SysfsFile, Thing, Value, log, sleep_ms};

/// Between two samples of the action `average`.
const AVERAGE_STEP_MS: u64 = 100;

struct MyThing {
    source: SysfsFile,
    interval: Setting<u32>,
}

impl Handler for MyThing {
    fn start(config: &Config, _origin: Origin) -> Result<Self, Fault> {
        let source = config.sysfs("source")?;
        let interval = config.setting("samplingInterval", 1_000)?;
        Ok(Self { source, interval })
    }

    /// Lives as long as the Thing. Every `.await` lets it answer; an error is logged, and `run` is tried again.
    async fn run(&self, thing: &Thing) -> Result<(), Fault> {
        log::info("sampling begins");
        loop {
            let interval_ms = self.interval.get();
            // Good for three intervals: until then the gateway answers reads by itself.
            thing.publish("value", self.sample()?, 3 * u64::from(interval_ms));
            self.interval.changed_or_after_ms(interval_ms).await;
        }
    }

    /// Asked when no published reading is good.
    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        match name {
            "samplingInterval" => self.interval.read(),
            _ => Err(Fault::unavailable("there is no sample yet")),
        }
    }

    fn write_property(&self, name: &str, value: Value) -> Result<(), Fault> {
        match name {
            "samplingInterval" => self.interval.write(value),
            _ => Err(Fault::ReadOnly),
        }
    }

    /// The action `average`: the mean of some samples; its progress is how many there are.
    async fn invoke_action(&self, name: &str, input: Value, action: &Action) -> Result<Value, Fault> {
        if name != "average" {
            return Err(Fault::NotFound);
        }
        let count: u32 = input.member("samples").try_into()?;
        let mut sum = 0.0;
        for taken in 1..=count {
            sum += self.sample()?;
            action.progress(taken);
            sleep_ms(AVERAGE_STEP_MS).await;
        }
        Ok((sum / f64::from(count)).into())
    }
}

impl MyThing {
    fn sample(&self) -> Result<f64, Fault> {
        let text = self.source.read_text()?;
        first_number(&text).ok_or_else(|| Fault::unavailable("the file does not begin with a number"))
    }
}

/// The number that the text begins with, if it is a finite one.
fn first_number(text: &str) -> Option<f64> {
    let number: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    number.is_finite().then_some(number)
}

tidegate_handler::export!(MyThing);

#[cfg(test)]
mod tests {
    use super::first_number;

    #[test]
    fn the_first_word_is_the_number() {
        assert_eq!(first_number("0.52 0.58 0.59 1/80 11206\n"), Some(0.52));
        assert_eq!(first_number("41250\n"), Some(41_250.0));
        for no_number in ["", "load 0.5", "NaN", "inf"] {
            assert_eq!(first_number(no_number), None, "{no_number}");
        }
    }
}
