//! The calibration of a BME280: its registers (datasheet 4.2.2, table 16), its compensation formulas (4.2.3, appendix
//! 8.2 with 32 and 64 bit integers), and their inverse, by which a simulated chip knows what its converter would say.

/// The trimming parameters, named as in the datasheet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calibration {
    pub(super) t: (u16, i16, i16),
    pub(super) p: (u16, [i16; 8]),
    pub(super) h: (u8, i16, u8, i16, i16, i8),
}

/// What the converter says: 20, 20 and 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) temperature: u32,
    pub(super) pressure: u32,
    pub(super) humidity: u16,
}

impl Calibration {
    /// Temperature and pressure as in Bosch's worked example (BST-BMP280-DS001, 3.12: the same formulas); it gives none
    /// for humidity, whose parameters are those of an ordinary chip.
    pub(super) const DATASHEET: Self = Self {
        t: (27504, 26435, -1000),
        p: (36477, [-10685, 3024, 2855, 140, -7, 15500, -14600, 6000]),
        h: (75, 362, 0, 313, 50, 30),
    };

    /// The byte at `register`: 0x88 to 0xA1 and 0xE1 to 0xE7, else 0.
    pub(super) fn register(&self, register: u8) -> u8 {
        let word = |value: u16, register: u8| value.to_le_bytes()[usize::from(register & 1)];
        let signed = |value: i16, register: u8| value.to_le_bytes()[usize::from(register & 1)];
        let (h1, h2, h3, h4, h5, h6) = self.h;
        match register {
            0x88 | 0x89 => word(self.t.0, register),
            0x8A | 0x8B => signed(self.t.1, register),
            0x8C | 0x8D => signed(self.t.2, register),
            0x8E | 0x8F => word(self.p.0, register),
            0x90..=0x9F => signed(self.p.1[usize::from((register - 0x90) / 2)], register),
            0xA1 => h1,
            0xE1 => h2.to_le_bytes()[0],
            0xE2 => h2.to_le_bytes()[1],
            0xE3 => h3,
            // H4 and H5 have 12 bits and share a byte.
            0xE4 => (h4 >> 4).to_le_bytes()[0],
            0xE5 => (h4 & 0x0F).to_le_bytes()[0] | (h5 << 4).to_le_bytes()[0],
            0xE6 => (h5 >> 4).to_le_bytes()[0],
            0xE7 => h6.to_le_bytes()[0],
            _ => 0,
        }
    }

    /// The temperature as `t_fine`: 1/5120 degC.
    pub(super) fn fine_temperature(&self, raw: u32) -> i64 {
        let (t1, t2, t3) = (i64::from(self.t.0), i64::from(self.t.1), i64::from(self.t.2));
        let raw = i64::from(raw);
        let linear = (((raw >> 3) - (t1 << 1)) * t2) >> 11;
        let offset = (raw >> 4) - t1;
        linear + ((((offset * offset) >> 12) * t3) >> 14)
    }

    /// The pressure in 1/256 Pa.
    pub(super) fn pressure(&self, raw: u32, t_fine: i64) -> i64 {
        let [p2, p3, p4, p5, p6, p7, p8, p9] = self.p.1.map(i64::from);
        let t = t_fine - 128_000;
        let offset = t * t * p6 + ((t * p5) << 17) + (p4 << 35);
        let slope = ((t * t * p3) >> 8) + ((t * p2) << 12);
        let slope = (((1_i64 << 47) + slope) * i64::from(self.p.0)) >> 33;
        if slope == 0 {
            return 0;
        }
        let p = ((((1_048_576 - i64::from(raw)) << 31) - offset) * 3125) / slope;
        let square = (p9 * (p >> 13) * (p >> 13)) >> 25;
        ((p + square + ((p8 * p) >> 19)) >> 8) + (p7 << 4)
    }

    /// The relative humidity in 1/1024 %.
    pub(super) fn humidity(&self, raw: u16, t_fine: i64) -> i64 {
        let (h1, h2, h3, h4, h5, h6) = self.h;
        let t = t_fine - 76_800;
        let scaled = ((i64::from(raw) << 14) - (i64::from(h4) << 20) - i64::from(h5) * t + 16_384) >> 15;
        let gain = (((t * i64::from(h6)) >> 10) * (((t * i64::from(h3)) >> 11) + 32_768)) >> 10;
        let gain = ((gain + 2_097_152) * i64::from(h2) + 8_192) >> 14;
        let linear = scaled * gain;
        let square = (((linear >> 15) * (linear >> 15)) >> 7) * i64::from(h1);
        (linear - (square >> 4)).clamp(0, 419_430_400) >> 12
    }

    /// What the converter says in air of this temperature (degC), humidity (%RH) and pressure (Pa).
    pub(super) fn raw(&self, temperature: f64, humidity: f64, pressure: f64) -> Raw {
        let temperature_raw = first_at_least(1 << 20, |raw| scaled(temperature, 5120.0) <= self.fine_temperature(raw));
        let t_fine = self.fine_temperature(temperature_raw);
        // The pressure falls as its raw value rises.
        let pressure_raw = first_at_least(1 << 20, |raw| self.pressure(raw, t_fine) <= scaled(pressure, 256.0));
        let humidity_raw = first_at_least(1 << 16, |raw| {
            scaled(humidity, 1024.0) <= self.humidity(u16::try_from(raw).unwrap_or(u16::MAX), t_fine)
        });
        Raw {
            temperature: temperature_raw,
            pressure: pressure_raw,
            humidity: u16::try_from(humidity_raw).unwrap_or(u16::MAX),
        }
    }
}

/// `value` in steps of 1/`per_unit`, rounded. All values of a BME280 are far below the limits of an i64.
#[expect(clippy::cast_possible_truncation, reason = "checked against the chip's range before it was set")]
fn scaled(value: f64, per_unit: f64) -> i64 {
    (value * per_unit).round() as i64
}

/// The first number below `end` from which on `holds` is true; the last one if it never is.
fn first_at_least(end: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, end - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_of_the_datasheet() {
        let chip = Calibration::DATASHEET;
        let t_fine = chip.fine_temperature(519_888);
        assert_eq!(t_fine, 128_422);
        assert_eq!((t_fine * 5 + 128) >> 8, 2508, "25.08 degC");
        // 100653.27 Pa by the formula in floating point; the one in 64 bit integers rounds to 100653.25.
        assert_eq!(chip.pressure(415_148, t_fine), 25_767_233);
    }

    #[test]
    fn the_inverse_meets_the_formulas() {
        let chip = Calibration::DATASHEET;
        for step in 0..=50 {
            let part = f64::from(step) / 50.0;
            let (t, h, p) = (-40.0 + 125.0 * part, 5.0 + 90.0 * part, 30_000.0 + 80_000.0 * part);
            let raw = chip.raw(t, h, p);
            let t_fine = chip.fine_temperature(raw.temperature);
            assert!((t_fine - scaled(t, 5120.0)).abs() <= 26, "{t} degC: within 0.005");
            assert!((chip.pressure(raw.pressure, t_fine) - scaled(p, 256.0)).abs() <= 256, "{p} Pa: within 1");
            assert!(
                (chip.humidity(raw.humidity, t_fine) - scaled(h, 1024.0)).abs() <= 14,
                "{h} %RH: a converter's step"
            );
        }
    }

    #[test]
    fn twelve_bit_parameters_share_a_byte() {
        let chip = Calibration { h: (75, 362, 0, -301, -50, -30), ..Calibration::DATASHEET };
        let (e4, e5, e6) = (chip.register(0xE4), chip.register(0xE5), chip.register(0xE6));
        let high = |byte: u8| i16::from(i8::from_le_bytes([byte])) << 4;
        assert_eq!(high(e4) | i16::from(e5 & 0x0F), -301);
        assert_eq!(high(e6) | i16::from(e5 >> 4), -50);
        assert_eq!(i8::from_le_bytes([chip.register(0xE7)]), -30);
    }
}
