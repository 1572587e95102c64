//! What is to be doubted: the identity of the chip, and values that no such chip can sense.

use bme280_rs::{CHIP_ID, Sample};
use tidegate_handler::Fault;

/// The chip is what it should be.
pub(crate) fn expect_bme280(id: u8) -> Result<(), Fault> {
    let other = || Fault::unavailable(format!("the chip says that it is {id:#04x}; a BME280 says {CHIP_ID:#04x}"));
    (id == CHIP_ID).then_some(()).ok_or_else(other)
}

/// Temperature, humidity and pressure in hundredths, if within the chip's range (1.1 to 1.3) with its tolerance.
pub(crate) fn plausible(sample: &Sample) -> Result<[f64; 3], Fault> {
    let (Some(t), Some(h), Some(p)) = (sample.temperature, sample.humidity, sample.pressure) else {
        return Err(Fault::unavailable("the chip has measured nothing: it was reset"));
    };
    if (-41.0..=86.0).contains(&t) && (0.0..=100.0).contains(&h) && (29_900.0..=110_100.0).contains(&p) {
        return Ok([t, h, p].map(|value| (f64::from(value) * 100.0).round() / 100.0));
    }
    Err(Fault::unavailable(format!("no BME280 can sense {t:.2} degC, {h:.2} %RH, {p:.0} Pa")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(temperature: f32, humidity: f32, pressure: f32) -> Result<[f64; 3], Fault> {
        plausible(&Sample { temperature: Some(temperature), humidity: Some(humidity), pressure: Some(pressure) })
    }

    #[test]
    fn what_the_chip_can_sense_is_taken_in_hundredths_and_nothing_else() {
        assert_eq!(checked(21.51, 45.004, 101_325.99), Ok([21.51, 45.0, 101_325.99]));
        assert!(checked(-40.01, 0.0, 30_000.0).is_ok() && checked(85.01, 100.0, 110_000.0).is_ok(), "its very limits");
        for (t, h, p) in [
            (f32::NAN, 45.0, 101_325.0),
            (180.0, 45.0, 101_325.0),
            (21.5, f32::NAN, 101_325.0),
            (21.5, 45.0, 0.0),
            (21.5, 45.0, f32::INFINITY),
        ] {
            assert!(matches!(checked(t, h, p), Err(Fault::Unavailable(why)) if why.contains("degC")), "{t} {h} {p}");
        }
        assert!(plausible(&Sample::default()).is_err(), "reset values");
    }

    #[test]
    fn another_chip_is_named() {
        assert_eq!(expect_bme280(0x60), Ok(()));
        assert!(
            matches!(expect_bme280(0x58), Err(Fault::Unavailable(why)) if why.contains("0x58") && why.contains("0x60"))
        );
    }
}
