//! A BME280 at register level (Bosch BST-BME280-DS001, revision 1.6), on its I2C side (6.2).
//!
//! Simulated: identity, soft reset with the reload of the calibration, sleep, forced and normal mode with their timing
//! (9.1), the `measuring` bit, skipped measurements, writes of (register, value) pairs, burst reads. Not simulated: the
//! IIR filter (its setting is kept; the air in here has no noise) and SPI.

use std::time::{Duration, Instant};

use super::parts::{ClimateState, PartFault};

mod calibration;

use calibration::Calibration;

const ID: u8 = 0xD0;
const RESET: u8 = 0xE0;
const CTRL_HUM: u8 = 0xF2;
const STATUS: u8 = 0xF3;
const CTRL_MEAS: u8 = 0xF4;
const CONFIG: u8 = 0xF5;
const MEASUREMENTS: std::ops::RangeInclusive<u8> = 0xF7..=0xFE;

/// The chip's identity (5.4.1), and that of a BMP280, which somebody may have soldered in its place.
const CHIP_ID: u8 = 0x60;
const WRONG_CHIP_ID: u8 = 0x58;
/// The word that resets the chip (5.4.2).
const RESET_WORD: u8 = 0xB6;
/// How long the reload of the calibration takes: the start-up time (1.1, table 1).
const STARTUP: Duration = Duration::from_millis(2);
/// How long a measurement takes when the chip converts slowly.
const SLOW: Duration = Duration::from_secs(5);
/// What a measurement that was skipped or never made reads (5.4.7 to 5.4.9).
const NO_SAMPLE: [u8; 8] = [0x80, 0x00, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00];

/// The air around the chip.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Air {
    /// degC.
    temperature: f64,
    /// %RH.
    humidity: f64,
    /// Pa.
    pressure: f64,
}

/// What the chip is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Sleep,
    /// One measurement, which ends then.
    Forced {
        ends: Instant,
    },
    /// Measurements in a row; the next one that ends, ends then.
    Normal {
        ends: Instant,
    },
}

/// The chip.
#[derive(Debug)]
pub(super) struct Bme280 {
    air: Air,
    calibration: Calibration,
    pointer: u8,
    mode: Mode,
    /// As written; takes effect with the next write of `ctrl_meas` (5.4.3).
    ctrl_hum: u8,
    ctrl_hum_active: u8,
    ctrl_meas: u8,
    config: u8,
    /// Registers 0xF7 to 0xFE.
    measurements: [u8; 8],
    reloaded: Option<Instant>,
    slow: bool,
    noise: u32,
}

impl Bme280 {
    pub(super) fn new() -> Self {
        Self {
            air: Air { temperature: 21.5, humidity: 45.0, pressure: 101_325.0 },
            calibration: Calibration::DATASHEET,
            pointer: 0,
            mode: Mode::Sleep,
            ctrl_hum: 0,
            ctrl_hum_active: 0,
            ctrl_meas: 0,
            config: 0,
            measurements: NO_SAMPLE,
            reloaded: None,
            slow: false,
            noise: 0x1234_5678,
        }
    }

    pub(super) fn state(&self, fault: PartFault) -> ClimateState {
        let Air { temperature, humidity, pressure } = self.air;
        ClimateState { temperature, humidity, pressure, fault }
    }

    /// Changes the air; the value has been checked against the chip's range.
    pub(super) fn set(&mut self, quantity: &str, value: f64) {
        match quantity {
            "temperature" => self.air.temperature = value,
            "humidity" => self.air.humidity = value,
            "pressure" => self.air.pressure = value,
            _ => {}
        }
    }

    /// What the chip is told to sense now.
    pub(super) fn sensed(&self, quantity: &str) -> f64 {
        match quantity {
            "temperature" => self.air.temperature,
            "humidity" => self.air.humidity,
            _ => self.air.pressure,
        }
    }

    /// From now on measurements take long, or no longer; one that is under way ends no later than a new one would.
    pub(super) fn convert_slowly(&mut self, slow: bool, now: Instant) {
        self.advance(now);
        if std::mem::replace(&mut self.slow, slow) == slow {
            return;
        }
        let latest = now + self.measurement_time();
        if let Mode::Forced { ends } | Mode::Normal { ends } = &mut self.mode {
            *ends = if slow { latest } else { latest.min(*ends) };
        }
    }

    /// One write (6.2.1): the register pointer, then values and further registers in turn.
    pub(super) fn write(&mut self, bytes: &[u8], now: Instant) {
        self.advance(now);
        for pair in bytes.chunks(2) {
            self.pointer = pair[0];
            if let [register, value] = *pair {
                self.write_register(register, value, now);
            }
        }
    }

    /// One read (6.2.2): from the pointer upwards.
    pub(super) fn read(&mut self, count: u32, fault: PartFault, now: Instant) -> Vec<u8> {
        self.advance(now);
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.push(match fault {
                PartFault::Garbage => self.next_noise(),
                PartFault::WrongChipId if self.pointer == ID => WRONG_CHIP_ID,
                _ => self.register(self.pointer, now),
            });
            self.pointer = self.pointer.wrapping_add(1);
        }
        bytes
    }

    fn write_register(&mut self, register: u8, value: u8, now: Instant) {
        match register {
            RESET if value == RESET_WORD => {
                let (air, noise, pointer, slow) = (self.air, self.noise, self.pointer, self.slow);
                *self = Self { air, noise, pointer, slow, reloaded: Some(now + STARTUP), ..Self::new() };
            }
            CTRL_HUM => self.ctrl_hum = value & 0x07,
            // In normal mode a write of `config` may be ignored (5.4.6): this chip does, so that a driver is found out.
            CONFIG if !matches!(self.mode, Mode::Normal { .. }) => self.config = value & 0xFD,
            CTRL_MEAS => {
                self.ctrl_meas = value;
                self.ctrl_hum_active = self.ctrl_hum;
                let ends = now + self.measurement_time();
                self.mode = match value & 0x03 {
                    0 => Mode::Sleep,
                    3 => Mode::Normal { ends },
                    _ => Mode::Forced { ends },
                };
            }
            _ => {}
        }
    }

    fn register(&self, register: u8, now: Instant) -> u8 {
        match register {
            ID => CHIP_ID,
            CTRL_HUM => self.ctrl_hum,
            STATUS => self.status(now),
            CTRL_MEAS => self.ctrl_meas,
            CONFIG => self.config,
            register if MEASUREMENTS.contains(&register) => self.measurements[usize::from(register - 0xF7)],
            // While the calibration is being reloaded its registers are not there yet.
            _ if self.is_reloading(now) => 0,
            register => self.calibration.register(register),
        }
    }

    /// Bit 3: a measurement runs; bit 0: the calibration is being reloaded (5.4.4).
    fn status(&self, now: Instant) -> u8 {
        let measuring = match self.mode {
            Mode::Sleep => false,
            Mode::Forced { ends } => now < ends,
            Mode::Normal { ends } => now < ends && now + self.measurement_time() >= ends,
        };
        u8::from(measuring) << 3 | u8::from(self.is_reloading(now))
    }

    fn is_reloading(&self, now: Instant) -> bool {
        self.reloaded.is_some_and(|at| now < at)
    }

    /// Ends the measurements whose time is over. The air is taken as it is now: nobody has seen it in between.
    fn advance(&mut self, now: Instant) {
        match self.mode {
            Mode::Forced { ends } if now >= ends => {
                self.sample();
                self.mode = Mode::Sleep;
                self.ctrl_meas &= !0x03;
            }
            Mode::Normal { ends } if now >= ends => {
                self.sample();
                let cycle = self.measurement_time() + self.standby();
                let late = now.duration_since(ends).as_nanos() % cycle.as_nanos().max(1);
                let late = Duration::from_nanos(u64::try_from(late).unwrap_or(0));
                self.mode = Mode::Normal { ends: now + cycle - late };
            }
            Mode::Sleep | Mode::Forced { .. } | Mode::Normal { .. } => {}
        }
    }

    fn sample(&mut self) {
        let Air { temperature, humidity, pressure } = self.air;
        let raw = self.calibration.raw(temperature, humidity, pressure);
        self.measurements = NO_SAMPLE;
        // Without a temperature the others cannot be compensated, but the chip measures them all the same.
        if oversampling(self.ctrl_meas >> 2) > 0 {
            self.measurements[0..3].copy_from_slice(&twenty_bits(raw.pressure));
        }
        if oversampling(self.ctrl_meas >> 5) > 0 {
            self.measurements[3..6].copy_from_slice(&twenty_bits(raw.temperature));
        }
        if oversampling(self.ctrl_hum_active) > 0 {
            self.measurements[6..8].copy_from_slice(&raw.humidity.to_be_bytes());
        }
    }

    /// The typical time of one measurement (9.1).
    fn measurement_time(&self) -> Duration {
        if self.slow {
            return SLOW;
        }
        let half_ms = |bits: u8| match oversampling(bits) {
            0 => 0,
            times => 4 * times + 1,
        };
        let temperature = 4 * oversampling(self.ctrl_meas >> 5);
        let times = 2 + temperature + half_ms(self.ctrl_meas >> 2) + half_ms(self.ctrl_hum_active);
        Duration::from_micros(500) * times
    }

    /// The pause between measurements in normal mode (5.4.6, table 27).
    fn standby(&self) -> Duration {
        const HALF_MS: [u32; 8] = [1, 125, 250, 500, 1000, 2000, 20, 40];
        Duration::from_micros(500) * HALF_MS[usize::from(self.config >> 5)]
    }

    fn next_noise(&mut self) -> u8 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 17;
        self.noise ^= self.noise << 5;
        self.noise.to_le_bytes()[0]
    }
}

/// How often a value is measured: skipped, 1, 2, 4, 8, 16 times (5.4.3, 5.4.5).
fn oversampling(bits: u8) -> u32 {
    match bits & 0x07 {
        0 => 0,
        power => 1 << (power - 1).min(4),
    }
}

/// A raw value of 20 bits as msb, lsb, xlsb (5.4.7).
fn twenty_bits(raw: u32) -> [u8; 3] {
    let [_, msb, lsb, xlsb] = (raw << 4).to_be_bytes();
    [msb, lsb, xlsb]
}

#[cfg(test)]
mod tests;
