//! The published driver crate bme280-rs, unmodified, on the simulated chip: over the public API, with a register filter.

use std::time::Duration;

use bme280_rs::{AsyncBme280, Configuration, Oversampling, SensorMode};
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use things::{Board, DeviceError, Grant, Hardware, I2cOperation, I2cSlot, NackSource, PartFault, Slot};

/// embedded-hal-async over a slot.
struct Adapter(I2cSlot);

#[derive(Debug)]
struct Failed(DeviceError);

impl Error for Failed {
    fn kind(&self) -> ErrorKind {
        match &self.0 {
            DeviceError::Nack(NackSource::Address) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            _ => ErrorKind::Other,
        }
    }
}

impl ErrorType for Adapter {
    type Error = Failed;
}

impl I2c for Adapter {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Failed> {
        let ops = operations.iter().map(|operation| match operation {
            Operation::Read(buffer) => I2cOperation::Read(u32::try_from(buffer.len()).expect("a short buffer")),
            Operation::Write(bytes) => I2cOperation::Write(bytes.to_vec()),
        });
        let reads = self.0.transaction(u16::from(address), ops.collect()).await.map_err(Failed)?;
        let buffers = operations.iter_mut().filter_map(|operation| match operation {
            Operation::Read(buffer) => Some(buffer),
            Operation::Write(_) => None,
        });
        for (buffer, bytes) in buffers.zip(reads) {
            buffer.copy_from_slice(&bytes);
        }
        Ok(())
    }
}

/// Real time, as the chip's.
struct Delay;

impl DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        tokio::time::sleep(Duration::from_nanos(u64::from(ns))).await;
    }
}

fn sensor(board: &Board, filter: &str) -> AsyncBme280<Adapter, Delay> {
    let text = format!("kind = 'i2c'\nbus = 'board:i2c-1'\naddress = 0x76\n{filter}");
    let grant: Grant = toml::from_str(&text).expect("the grant parses");
    let slot = Hardware::new(Some(board.clone())).claim("greenhouse", "sensor", &grant).expect("nobody holds it");
    let Slot::I2c(slot) = slot else { panic!("an I2C grant") };
    AsyncBme280::new(Adapter(slot), Delay)
}

fn every_quantity(mode: SensorMode) -> Configuration {
    Configuration::default()
        .with_temperature_oversampling(Oversampling::Oversample1)
        .with_pressure_oversampling(Oversampling::Oversample1)
        .with_humidity_oversampling(Oversampling::Oversample1)
        .with_sensor_mode(mode)
}

const FILTER: &str = "write-registers = [0xF2, 0xF4, 0xF5, 0xE0]";

#[tokio::test]
async fn what_is_set_on_the_board_is_what_the_driver_reads() {
    let board = Board::new();
    let mut sensor = sensor(&board, FILTER);
    assert_eq!(sensor.chip_id().await.unwrap(), 0x60);
    sensor.init().await.unwrap();
    sensor.set_sampling_configuration(every_quantity(SensorMode::Forced)).await.unwrap();
    for (temperature, humidity, pressure) in
        [(21.5_f32, 45.0_f32, 101_325.0_f32), (-40.0, 0.0, 30_000.0), (85.0, 100.0, 110_000.0), (0.0, 50.0, 95_000.0)]
    {
        board.set("bme280", "temperature", temperature.into()).unwrap();
        board.set("bme280", "humidity", humidity.into()).unwrap();
        board.set("bme280", "pressure", pressure.into()).unwrap();
        sensor.take_forced_measurement().await.unwrap();
        // The driver (0.4.1) looks for `measuring` in bit 2 of the status; it is bit 3 (datasheet 5.4.4). So it does
        // not wait, and reads the sample before it is there: 9.3 ms at most (9.1).
        Delay.delay_ms(20).await;
        let sample = sensor.read_sample().await.unwrap();
        assert!((sample.temperature.unwrap() - temperature).abs() <= 0.011, "{sample:?}");
        assert!((sample.humidity.unwrap() - humidity).abs() <= 0.02, "{sample:?}");
        assert!((sample.pressure.unwrap() - pressure).abs() <= 1.0, "{sample:?}");
    }
}

#[tokio::test]
async fn normal_mode_needs_no_prompting() {
    let board = Board::new();
    let mut sensor = sensor(&board, FILTER);
    sensor.init().await.unwrap();
    assert_eq!(sensor.read_sample().await.unwrap().temperature, None, "after a reset nothing is measured");
    sensor.set_sampling_configuration(every_quantity(SensorMode::Normal)).await.unwrap();
    Delay.delay_ms(20).await;
    board.set("bme280", "temperature", 37.25).unwrap();
    Delay.delay_ms(20).await;
    let temperature = sensor.read_temperature().await.unwrap().unwrap();
    assert!((temperature - 37.25).abs() <= 0.011, "{temperature}");
}

#[tokio::test]
async fn a_grant_for_reading_stops_the_drivers_reset() {
    let board = Board::new();
    let mut sensor = sensor(&board, "write-registers = []");
    assert_eq!(sensor.chip_id().await.unwrap(), 0x60);
    let error = sensor.init().await.unwrap_err().0;
    assert!(matches!(&error, DeviceError::Denied { what } if what.contains("0xe0")), "{error}");
}

#[tokio::test]
async fn an_unplugged_chip_does_not_acknowledge() {
    let board = Board::new();
    let mut sensor = sensor(&board, FILTER);
    board.fail("bme280", PartFault::NoAcknowledge).unwrap();
    let error = sensor.init().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
    board.fail("bme280", PartFault::WrongChipId).unwrap();
    assert_eq!(sensor.chip_id().await.unwrap(), 0x58);
}
