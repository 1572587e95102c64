//! Climate: temperature, humidity and pressure of a BME280 (Bosch BST-BME280-DS001, 1.6), by its published driver.
//!
//! Every reading is a measurement of its own, forced and waited for. What can be none (another chip, a conversion without
//! an end, a value that the chip cannot sense) is never published: `run` ends with the reason and is run again.

mod doubts;

use bme280_rs::{AsyncBme280, Configuration, DEFAULT_ADDRESS, Oversampling::Oversample1, SensorMode};
use doubts::{expect_bme280, plausible};
use embedded_hal_async::i2c::I2c as _;
use tidegate_handler::{Config, Delay, Fault, Handler, I2c, Origin, Setting, Thing, Value, sleep_ms};

struct Climate {
    address: u8,
    interval: Setting<u32>,
}

impl Handler for Climate {
    fn start(config: &Config, _origin: Origin) -> Result<Self, Fault> {
        let address = config.value("address").cloned().map_or(Ok(DEFAULT_ADDRESS), u8::try_from)?;
        Ok(Self { address, interval: config.setting("samplingInterval", 1_000)? })
    }

    async fn run(&self, thing: &Thing) -> Result<(), Fault> {
        thing.tell_failures("sensorFailed", "sensorRecovered");
        let mut bus = thing.i2c("sensor")?;
        let mut chip = AsyncBme280::new_with_address(thing.i2c("sensor")?, self.address, Delay);
        expect_bme280(chip.chip_id().await?)?;
        chip.init().await?;
        let each_once = Configuration::default()
            .with_temperature_oversampling(Oversample1)
            .with_humidity_oversampling(Oversample1)
            .with_pressure_oversampling(Oversample1);
        chip.set_sampling_configuration(each_once.with_sensor_mode(SensorMode::Forced)).await?;
        loop {
            expect_bme280(chip.chip_id().await?)?;
            chip.take_forced_measurement().await?;
            self.measured(&mut bus).await?;
            let values = plausible(&chip.read_sample().await?)?;
            let interval_ms = self.interval.get();
            for (name, value) in ["temperature", "humidity", "pressure"].into_iter().zip(values) {
                thing.publish(name, value, 3 * u64::from(interval_ms));
            }
            self.interval.changed_or_after_ms(interval_ms).await;
        }
    }

    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        if name == "samplingInterval" {
            self.interval.read()
        } else {
            Err(Fault::unavailable("there is no sample yet"))
        }
    }

    fn write_property(&self, _name: &str, value: Value) -> Result<(), Fault> {
        self.interval.write(value)
    }
}

impl Climate {
    /// Waits for the measurement's end (9.1). The driver does not: it tests bit 2 for `measuring`, which is bit 3 (5.4.4).
    async fn measured(&self, bus: &mut I2c) -> Result<(), Fault> {
        for _ in 0..10 {
            sleep_ms(10).await;
            let mut status = [0];
            bus.write_read(self.address, &[0xF3], &mut status).await?;
            if status[0] & 1 << 3 == 0 {
                return Ok(());
            }
        }
        Err(Fault::unavailable("the chip has been measuring for 100 ms, and needs 9.3 ms at most"))
    }
}

tidegate_handler::export!(Climate);
