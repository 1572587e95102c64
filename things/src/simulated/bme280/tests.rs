//! Register transcripts against the datasheet. Time is passed in: nothing waits.

use super::*;

/// A chip and a clock.
struct Bench {
    chip: Bme280,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { chip: Bme280::new(), now: Instant::now() }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.chip.write(bytes, self.now);
    }

    fn read(&mut self, register: u8, count: u32) -> Vec<u8> {
        self.chip.write(&[register], self.now);
        self.chip.read(count, PartFault::None, self.now)
    }

    fn after_ms(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }
}

#[test]
fn the_identity_and_the_state_after_power_on() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(ID, 1), [0x60]);
    assert_eq!(bench.read(CTRL_HUM, 4), [0, 0, 0, 0]);
    assert_eq!(bench.read(0xF7, 8), NO_SAMPLE, "0x80000, 0x80000, 0x8000 (5.4.7 to 5.4.9)");
}

#[test]
fn the_calibration_is_that_of_the_worked_example() {
    let mut bench = Bench::new();
    let low = bench.read(0x88, 26);
    let words: Vec<i16> = low[..24].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    // dig_P1 = 36477 needs 16 bits without a sign.
    assert_eq!(words, [27504, 26435, -1000, 36477_u16.cast_signed(), -10685, 3024, 2855, 140, -7, 15500, -14600, 6000]);
    assert_eq!(low[25], 75, "dig_H1 at 0xA1");
    assert_eq!(bench.read(0xE1, 7), [0x6A, 0x01, 0x00, 0x13, 0x29, 0x03, 0x1E]);
}

#[test]
fn the_worked_example_in_registers() {
    let mut bench = Bench::new();
    bench.chip.set("temperature", 25.0824);
    bench.chip.set("pressure", 100_653.27);
    bench.write(&[CTRL_MEAS, 0x25]);
    bench.after_ms(20);
    let bytes = bench.read(0xF7, 6);
    let raw = |bytes: &[u8]| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 4;
    let (pressure, temperature) = (raw(&bytes[..3]), raw(&bytes[3..]));
    assert!(temperature.abs_diff(519_888) <= 2, "adc_T = {temperature}");
    assert!(pressure.abs_diff(415_148) <= 2, "adc_P = {pressure}");
}

#[test]
fn a_forced_measurement_takes_its_time_and_sleeps_again() {
    let mut bench = Bench::new();
    bench.write(&[CTRL_HUM, 0x01, CTRL_MEAS, 0x25]);
    assert_eq!(bench.read(STATUS, 1), [0x08], "measuring");
    assert_eq!(bench.read(0xF7, 8), NO_SAMPLE, "not yet");
    bench.after_ms(7);
    assert_eq!(bench.read(STATUS, 1), [0x08], "1 + 2 + 2.5 + 2.5 = 8 ms (9.1)");
    bench.after_ms(1);
    assert_eq!(bench.read(STATUS, 1), [0x00]);
    assert_ne!(bench.read(0xF7, 8), NO_SAMPLE);
    assert_eq!(bench.read(CTRL_MEAS, 1), [0x24], "asleep");
    let before = bench.read(0xF7, 8);
    bench.chip.set("temperature", 60.0);
    bench.after_ms(1000);
    assert_eq!(bench.read(0xF7, 8), before, "a sleeping chip measures nothing");
}

#[test]
fn a_slow_conversion_keeps_what_was_there_until_it_ends() {
    let mut bench = Bench::new();
    let forced = [CTRL_HUM, 0x01, CTRL_MEAS, 0x25];
    bench.chip.convert_slowly(true, bench.now);
    bench.write(&forced);
    bench.after_ms(4_999);
    assert_eq!((bench.read(STATUS, 1), bench.read(0xF7, 8)), (vec![0x08], NO_SAMPLE.to_vec()), "reset values");
    bench.after_ms(1);
    let old = bench.read(0xF7, 8);
    assert_eq!(bench.read(STATUS, 1), [0x00]);
    assert_ne!(old, NO_SAMPLE);
    bench.chip.set("temperature", 60.0);
    bench.write(&forced);
    bench.after_ms(100);
    assert_eq!((bench.read(STATUS, 1), bench.read(0xF7, 8)), (vec![0x08], old.clone()), "the old values");
    bench.chip.convert_slowly(false, bench.now);
    bench.after_ms(8);
    assert_eq!(bench.read(STATUS, 1), [0x00], "mended, it ends when a new measurement would");
    assert_ne!(bench.read(0xF7, 8), old);
}

#[test]
fn normal_mode_goes_on_by_itself() {
    let mut bench = Bench::new();
    bench.write(&[CTRL_HUM, 0x01, CONFIG, 0x00, CTRL_MEAS, 0x27]);
    bench.after_ms(8);
    let cold = bench.read(0xF7, 8);
    assert_ne!(cold, NO_SAMPLE);
    bench.chip.set("temperature", 60.0);
    assert_eq!(bench.read(0xF7, 8), cold, "the next measurement has not ended");
    bench.after_ms(9);
    assert_ne!(bench.read(0xF7, 8), cold);
    assert_eq!(bench.read(CTRL_MEAS, 1), [0x27]);
}

#[test]
fn skipped_measurements_read_their_reset_value() {
    let mut bench = Bench::new();
    bench.write(&[CTRL_MEAS, 0x21]);
    bench.after_ms(20);
    let bytes = bench.read(0xF7, 8);
    assert_eq!((&bytes[..3], &bytes[6..]), (&NO_SAMPLE[..3], &NO_SAMPLE[6..]));
    assert_ne!(bytes[3..6], NO_SAMPLE[3..6]);
}

#[test]
fn ctrl_hum_waits_for_ctrl_meas() {
    let mut bench = Bench::new();
    bench.write(&[CTRL_MEAS, 0x27]);
    bench.write(&[CTRL_HUM, 0x01]);
    bench.after_ms(50);
    assert_eq!(bench.read(0xFD, 2), [0x80, 0x00], "5.4.3");
    bench.write(&[CTRL_MEAS, 0x27]);
    bench.after_ms(50);
    assert_ne!(bench.read(0xFD, 2), [0x80, 0x00]);
}

#[test]
fn config_is_written_in_sleep_only() {
    let mut bench = Bench::new();
    bench.write(&[CONFIG, 0xA0, CTRL_MEAS, 0x27]);
    bench.write(&[CONFIG, 0x00]);
    assert_eq!(bench.read(CONFIG, 1), [0xA0]);
    bench.write(&[CTRL_MEAS, 0x00, CONFIG, 0x40]);
    assert_eq!(bench.read(CONFIG, 1), [0x40]);
}

#[test]
fn a_reset_reloads_the_calibration() {
    let mut bench = Bench::new();
    bench.chip.set("temperature", 30.0);
    bench.write(&[CTRL_HUM, 0x01, CTRL_MEAS, 0x27]);
    bench.after_ms(20);
    bench.write(&[RESET, 0x00]);
    assert_eq!(bench.read(CTRL_MEAS, 1), [0x27], "any other word has no effect (5.4.2)");
    bench.write(&[RESET, RESET_WORD]);
    assert_eq!(bench.read(STATUS, 1), [0x01], "im_update");
    assert_eq!(bench.read(0x88, 2), [0, 0]);
    assert_eq!(bench.read(RESET, 1), [0x00]);
    bench.after_ms(2);
    assert_eq!(bench.read(STATUS, 1), [0x00]);
    assert_eq!(bench.read(0x88, 2), 27504_u16.to_le_bytes());
    assert_eq!(bench.read(CTRL_HUM, 3), [0, 0, 0]);
    assert_eq!(bench.read(0xF7, 8), NO_SAMPLE);
}

#[test]
fn faults_show_on_the_bus() {
    let mut bench = Bench::new();
    bench.write(&[ID]);
    assert_eq!(bench.chip.read(1, PartFault::WrongChipId, bench.now), [0x58]);
    bench.write(&[0xF7]);
    let noise = bench.chip.read(16, PartFault::Garbage, bench.now);
    assert_ne!(noise[..8], noise[8..], "no two reads agree");
}
