//! Laboratory: one guest that shows, times and provokes everything a handler can do; for tests and benches only.
//!
//! Every want is optional. The setting `misbehave` = `WHERE:HOW` (`start:loop`, `read:trap`, `number:trap`, `wake:allocate`, `later:trap`) makes it
//! misbehave before it is asked to; a copy of the component with other bytes in `BUILT_IN` is a version that does so.

mod climate;
mod misbehave;
mod statistics;

use bme280_rs::AsyncBme280;
pub use climate::{measuring, sample_json};
use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use embedded_hal::spi::SpiDevice;
use misbehave::misbehave;
pub use statistics::{INTEGERS, statistics, statistics_json};
use tidegate_handler::{
    Action, Config, Delay, Edges, Fault, Handler, I2c, Origin, Setting, Thing, Value, clock, log, sleep_ms, state,
};

/// `laboratory-wrong:` and, up to the first dot, a `WHERE:HOW` that this version does without being told.
#[used]
static BUILT_IN: [u8; 40] = *b"laboratory-wrong:.......................";

fn built_in() -> String {
    let bytes = std::hint::black_box(&BUILT_IN);
    let wrong = bytes.split(|byte| *byte == b'.').next().unwrap_or_default();
    String::from_utf8_lossy(wrong.strip_prefix(b"laboratory-wrong:").unwrap_or_default()).into_owned()
}

struct Laboratory {
    thing: Thing,
    origin: Origin,
    counter: Setting<i64>,
    echo: RefCell<Value>,
    edges: Cell<u32>,
    reads: Cell<u32>,
    /// Once its chip measures.
    sensor: RefCell<Option<AsyncBme280<I2c, Delay>>>,
    misbehave: String,
}

impl Handler for Laboratory {
    fn start(config: &Config, origin: Origin) -> Result<Self, Fault> {
        let misbehave = config.value("misbehave").cloned().map(String::try_from).transpose()?.unwrap_or_else(built_in);
        let laboratory = Self {
            thing: config.thing(),
            origin,
            counter: config.setting("counter", 0)?,
            echo: RefCell::new(Value::Null),
            edges: Cell::new(0),
            reads: Cell::new(0),
            sensor: RefCell::new(None),
            misbehave,
        };
        laboratory.misbehave_at("start:")?;
        Ok(laboratory)
    }

    async fn run(&self, thing: &Thing) -> Result<(), Fault> {
        self.misbehave_at("wake:")?;
        if self.misbehave.starts_with("later:") {
            sleep_ms(20).await;
            self.misbehave_at("later:")?;
        }
        match (thing.is_granted("sensor"), thing.is_granted("button")) {
            (true, _) => self.sample(thing).await,
            (false, true) => self.count_edges(thing.gpio("button")?.edges()?, thing).await,
            (false, false) => Ok(()),
        }
    }

    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        if !self.misbehave.is_empty() {
            self.misbehave_at("read:")?;
            if let Some((_, how)) = self.misbehave.split_once(':').filter(|(place, _)| *place == name) {
                misbehave(&self.thing, how)?;
            }
        }
        match name {
            "noop" => Ok(Value::Null),
            "number" => Ok(Value::Number(self.next_number())),
            "object" => Ok(self.object()),
            "statistics" => Ok(Value::Json(statistics_json(&INTEGERS))),
            "sensor" => self.sample_now().map(Value::Json),
            "counter" => self.counter.read(),
            "echo" => Ok(self.echo.borrow().clone()),
            "origin" => Ok(origin(self.origin).into()),
            "edges" => Ok(self.edges.get().into()),
            "keys" => Value::json(&state::keys()),
            _ => self.read_device(name),
        }
    }

    fn write_property(&self, name: &str, value: Value) -> Result<(), Fault> {
        match name {
            "counter" => self.counter.write(value),
            "echo" => {
                self.echo.replace(value);
                Ok(())
            }
            "line" => Ok(self.thing.gpio("line")?.write(value.try_into()?)?),
            "duty" => Ok(self.thing.pwm("motor")?.set_duty(value.try_into()?)?),
            "file" => Ok(self.thing.sysfs("file")?.write(String::try_from(value)?.as_bytes())?),
            _ => Err(Fault::ReadOnly),
        }
    }

    async fn invoke_action(&self, name: &str, input: Value, action: &Action) -> Result<Value, Fault> {
        match name {
            "add" => add(&input),
            "count" => count(&input, action).await,
            "say" => {
                log::info(&String::try_from(input)?);
                Ok(Value::Null)
            }
            "misbehave" => {
                let how = String::try_from(input.member("how"))?;
                if how == "wrong-output" {
                    Ok("no object".into())
                } else {
                    misbehave(&self.thing, &how).map(Value::from)
                }
            }
            _ => Err(Fault::NotFound),
        }
    }
}

impl Laboratory {
    fn misbehave_at(&self, place: &str) -> Result<(), Fault> {
        self.misbehave.strip_prefix(place).map_or(Ok(()), |how| misbehave(&self.thing, how))
    }

    /// A number that differs at each read, so that nobody can answer it from a store.
    fn next_number(&self) -> f64 {
        self.reads.set(self.reads.get().wrapping_add(1));
        20.0 + f64::from(self.reads.get() % 100) / 8.0
    }

    fn object(&self) -> Value {
        let temperature = self.next_number();
        Value::Json(format!(r#"{{"temperature":{temperature},"humidity":50.5,"count":{}}}"#, self.reads.get()))
    }

    fn read_device(&self, name: &str) -> Result<Value, Fault> {
        match name {
            "line" => Ok(self.thing.gpio("line")?.read()?.into()),
            "duty" => Ok(self.thing.pwm("motor")?.duty()?.into()),
            "file" => Ok(self.thing.sysfs("file")?.read_text()?.into()),
            "space" => Ok(self.thing.sysfs("file")?.space()?.free.into()),
            "loopback" => {
                let mut bytes = [1, 2, 3, 4];
                self.thing.spi("loopback")?.transfer_in_place(&mut bytes)?;
                Value::json(&bytes)
            }
            _ => Err(Fault::unavailable("there is no sample yet")),
        }
    }

    /// The published driver crate, unmodified.
    async fn sample(&self, thing: &Thing) -> Result<(), Fault> {
        let sensor = measuring(thing.i2c("sensor")?, Delay).await?;
        self.sensor.replace(Some(sensor));
        loop {
            sleep_ms(100).await;
            thing.publish("sensor", Value::Json(self.sample_now()?), 300);
        }
    }

    /// A transaction answers at once, so the driver's future does too.
    fn sample_now(&self) -> Result<String, Fault> {
        let mut sensor = self.sensor.borrow_mut();
        let sensor = sensor.as_mut().ok_or_else(|| Fault::unavailable("the sensor does not measure yet"))?;
        match pin!(sample_json(sensor)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(sample) => Ok(sample?),
            Poll::Pending => Err(Fault::failed("the driver waits for something else than its bus")),
        }
    }

    async fn count_edges(&self, mut edges: Edges, thing: &Thing) -> Result<(), Fault> {
        loop {
            edges.next().await;
            self.edges.set(self.edges.get() + 1);
            thing.publish("edges", self.edges.get(), 0);
        }
    }
}

fn add(input: &Value) -> Result<Value, Fault> {
    let (a, b): (i64, i64) = (input.member("a").try_into()?, input.member("b").try_into()?);
    a.checked_add(b).map(Value::from).ok_or_else(|| Fault::invalid("the sum is out of range"))
}

/// Counts to `n`, one step each `delay` milliseconds, without drift.
async fn count(input: &Value, action: &Action) -> Result<Value, Fault> {
    let (n, delay_ms): (u32, u32) = (input.member("n").try_into()?, input.member("delay").try_into()?);
    let begin_us = clock::now_us();
    for step in 1..=n {
        clock::sleep_until_us(begin_us + u64::from(step) * u64::from(delay_ms) * 1_000).await;
        action.progress(step);
    }
    Ok(n.into())
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Fresh => "fresh",
        Origin::Swapped => "swapped",
        Origin::Migrated => "migrated",
        Origin::Recovered => "recovered",
    }
}

tidegate_handler::export!(Laboratory);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_checked() {
        assert_eq!(add(&Value::Json(r#"{"a":2,"b":40}"#.into())), Ok(Value::Integer(42)));
        assert!(add(&Value::Json(format!(r#"{{"a":{},"b":1}}"#, i64::MAX))).is_err());
        assert!(add(&Value::Null).is_err());
    }
}
