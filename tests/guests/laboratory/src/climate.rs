//! One sample of a BME280 by its published driver, over any bus: the work that a bench times, natively and as Wasm.

use bme280_rs::{AsyncBme280, Configuration, Oversampling, SensorMode};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};

/// The driver with its chip measuring all the time.
///
/// # Errors
/// Those of the bus.
pub async fn measuring<B: I2c, D: DelayNs>(bus: B, delay: D) -> Result<AsyncBme280<B, D>, B::Error> {
    let mut sensor = AsyncBme280::new(bus, delay);
    sensor.init().await?;
    let all = Configuration::default()
        .with_temperature_oversampling(Oversampling::Oversample1)
        .with_pressure_oversampling(Oversampling::Oversample1)
        .with_humidity_oversampling(Oversampling::Oversample1)
        .with_sensor_mode(SensorMode::Normal);
    sensor.set_sampling_configuration(all).await?;
    Ok(sensor)
}

/// Temperature, humidity and pressure in one burst, as a JSON array; null for what was not measured.
///
/// # Errors
/// Those of the bus.
pub async fn sample_json<B: I2c, D: DelayNs>(sensor: &mut AsyncBme280<B, D>) -> Result<String, B::Error> {
    let sample = sensor.read_sample().await?;
    let text = |value: Option<f32>| value.map_or_else(|| "null".to_owned(), |value| format!("{value:.2}"));
    Ok(format!("[{},{},{}]", text(sample.temperature), text(sample.humidity), text(sample.pressure)))
}
