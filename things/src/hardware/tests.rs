//! Claims, slots and the board together, through the public API alone.

use std::time::Duration;

use super::*;
use crate::operation::{EdgeKind, I2cOperation, Level, SpiOperation};
use crate::simulated::PartFault;

const SENSOR: &str = "kind = 'i2c'\nbus = 'board:i2c-1'\naddress = 0x76\n";
const RELAY: &str = "kind = 'gpio'\nchip = 'board:gpio'\nline = 17\ndirection = 'output'\n";
const BUTTON: &str = "kind = 'gpio'\nchip = 'board:gpio'\nline = 22\ndirection = 'input'\nactive-low = true\n";
const LED: &str = "kind = 'pwm'\nchip = 'board:pwm-0'\nchannel = 0\nfrequency-hz = 1000\n";
const LONG: Duration = Duration::from_secs(20);

fn grant(text: &str) -> Grant {
    toml::from_str(text).expect(text)
}

fn hardware() -> (Hardware, Board) {
    let board = Board::new();
    (Hardware::new(Some(board.clone())), board)
}

fn claim(hardware: &Hardware, text: &str) -> Slot {
    hardware.claim("test", "device", &grant(text)).unwrap()
}

fn i2c(hardware: &Hardware, text: &str) -> I2cSlot {
    let Slot::I2c(slot) = claim(hardware, text) else { panic!("an I2C grant") };
    slot
}

fn gpio(hardware: &Hardware, text: &str) -> GpioSlot {
    let Slot::Gpio(slot) = claim(hardware, text) else { panic!("a GPIO grant") };
    slot
}

/// Waits for a snapshot of the board on which `holds` is true.
async fn wait(board: &Board, holds: impl Fn(crate::BoardSnapshot) -> bool) {
    let mut changed = board.changed();
    let reached = changed.wait_for(|_| holds(board.snapshot()));
    tokio::time::timeout(LONG, reached).await.expect("the board never got there").unwrap();
}

#[test]
fn a_device_has_one_holder() {
    let (hardware, _board) = hardware();
    let first = hardware.claim("greenhouse", "sensor", &grant(SENSOR)).unwrap();
    let error = hardware.claim("cellar", "climate", &grant(SENSOR)).unwrap_err();
    assert!(matches!(&error, DeviceError::Held { thing, label, .. } if thing == "greenhouse" && label == "sensor"));
    assert_eq!(error.to_string(), "board:i2c-1 address 0x76 is held by sensor of the Thing greenhouse");
    let other = SENSOR.replace("0x76", "0x77");
    let other = hardware.claim("cellar", "climate", &grant(&other)).unwrap();
    let clone = first.clone();
    drop(first);
    assert!(hardware.claim("cellar", "again", &grant(SENSOR)).is_err(), "a clone holds it still");
    drop((clone, other));
    hardware.claim("cellar", "again", &grant(SENSOR)).unwrap();
}

#[test]
fn shared_grants_meet_and_others_do_not() {
    let (hardware, _board) = hardware();
    let shared = format!("{SENSOR}shared = true");
    let _first = claim(&hardware, &shared);
    let _second = claim(&hardware, &shared);
    assert!(matches!(hardware.claim("x", "y", &grant(SENSOR)), Err(DeviceError::Held { .. })));
    let file = "kind = 'sysfs'\npath = '/proc/meminfo'";
    let _files = (claim(&hardware, file), claim(&hardware, file));
    assert_eq!(hardware.report().claims.len(), 4);
}

#[test]
fn what_the_board_has_not_is_no_device() {
    let (with, _board) = hardware();
    let without = Hardware::new(None);
    assert!(matches!(without.claim("x", "y", &grant(SENSOR)), Err(DeviceError::NoDevice { .. })));
    for text in [SENSOR.replace("i2c-1", "i2c-9"), "kind = 'spi'\nbus = 'board:spi-0'".to_owned()] {
        assert!(matches!(with.claim("x", "y", &grant(&text)), Err(DeviceError::OutOfRange { .. })), "{text}");
    }
    assert!(with.report().claims.is_empty(), "a failed claim holds nothing");
    let bad = SENSOR.replace("0x76", "0x01");
    assert!(matches!(with.claim("x", "y", &grant(&bad)), Err(DeviceError::OutOfRange { .. })));
}

#[tokio::test]
async fn a_transaction_stays_within_its_grant() {
    let (hardware, _board) = hardware();
    let slot = i2c(&hardware, &format!("{SENSOR}write-registers = [0xF2, 0xF4]\nbytes-max = 16"));
    let (read, write) = (I2cOperation::Read, I2cOperation::Write);
    let id = slot.transaction(0x76, vec![write(vec![0xD0]), read(1)]).await.unwrap();
    assert_eq!(id, [[0x60]]);
    let split = slot.transaction(0x76, vec![write(vec![0xF7]), read(1), read(2), write(vec![0xD0]), read(1)]).await;
    assert_eq!(split.unwrap(), [vec![0x80], vec![0, 0], vec![0x60]]);
    for (address, ops) in [
        (0x77, vec![read(1)]),
        (0x76, vec![write(vec![0xE0, 0xB6])]),
        (0x76, vec![write(vec![0xF4, 0x27, 0xE0, 0xB6])]),
        (0x76, vec![write(vec![0xF4, 0x27]), write(vec![0xE0, 0xB6])]),
    ] {
        let result = slot.transaction(address, ops.clone()).await;
        assert!(matches!(result, Err(DeviceError::Denied { .. })), "{address:#x} {ops:?}: {result:?}");
    }
    for ops in [vec![], vec![read(0)], vec![read(17)], vec![read(u32::MAX), read(u32::MAX)], vec![read(1); 257]] {
        let result = slot.transaction(0x76, ops).await;
        assert!(matches!(result, Err(DeviceError::OutOfRange { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn the_rate_of_a_grant_holds() {
    let (hardware, _board) = hardware();
    let slot = i2c(&hardware, &format!("{SENSOR}hz-max = 5"));
    let mut passed = 0;
    for _ in 0..8 {
        match slot.transaction(0x76, vec![I2cOperation::Read(1)]).await {
            Ok(_) => passed += 1,
            Err(DeviceError::RateExceeded { hz_max: 5 }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!((5..8).contains(&passed), "{passed}");
    assert_eq!(hardware.report().claims[0].transactions, passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_a_chip_reach_the_caller() {
    let (hardware, board) = hardware();
    let slot = i2c(&hardware, SENSOR);
    let id = || slot.transaction(0x76, vec![I2cOperation::Write(vec![0xD0]), I2cOperation::Read(1)]);
    board.fail("bme280", PartFault::NoAcknowledge).unwrap();
    assert!(matches!(id().await, Err(DeviceError::Nack(_))));
    board.fail("bme280", PartFault::WrongChipId).unwrap();
    assert_eq!(id().await.unwrap(), [[0x58]]);
    board.fail("bme280", PartFault::StuckBus).unwrap();
    let neighbour = i2c(&hardware, &SENSOR.replace("0x76", "0x77"));
    for _ in 0..2 {
        let start = Instant::now();
        let (stuck, other) = tokio::join!(id(), neighbour.transaction(0x77, vec![I2cOperation::Read(1)]));
        assert!(matches!(stuck, Err(DeviceError::Timeout { limit_ms: 100, .. })), "{stuck:?}");
        assert!(matches!(other, Err(DeviceError::Nack(_))), "others have their turn: {other:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    board.fail("bme280", PartFault::None).unwrap();
    assert_eq!(id().await.unwrap(), [[0x60]]);
}

#[tokio::test]
async fn a_stuck_line_is_told_in_time_and_its_neighbours_go_on() {
    let (hardware, board) = hardware();
    let (relay, button) = (gpio(&hardware, RELAY), gpio(&hardware, BUTTON));
    board.fail("relay", PartFault::StuckBus).unwrap();
    assert!(matches!(relay.write(Level::High).await, Err(DeviceError::Timeout { .. })));
    assert_eq!(button.read().await.unwrap(), Level::Low);
    board.fail("relay", PartFault::None).unwrap();
    relay.write(Level::High).await.unwrap();
}

#[tokio::test]
async fn an_output_is_driven_and_goes_to_its_fail_safe_level() {
    let (hardware, board) = hardware();
    let text = format!("{RELAY}fail-safe = false");
    let slot = claim(&hardware, &text);
    let Slot::Gpio(relay) = &slot else { panic!("a GPIO grant") };
    assert!(slot.is_simulated());
    relay.write(Level::High).await.unwrap();
    assert!(board.snapshot().relay.on);
    assert_eq!(relay.read().await.unwrap(), Level::High);
    slot.fail_safe().await.unwrap();
    assert!(!board.snapshot().relay.on);
    relay.write(Level::High).await.unwrap();
    let sink: crate::EdgeSink = Arc::new(|_| {});
    assert!(matches!(relay.watch(EdgeKind::Both, sink).await, Err(DeviceError::Denied { .. })));
    drop(slot);
    wait(&board, |snapshot| !snapshot.relay.on).await;
    gpio(&hardware, &text);
}

#[tokio::test]
async fn the_next_holder_comes_after_the_release_of_the_last() {
    let (hardware, board) = hardware();
    let text = format!("{RELAY}fail-safe = false");
    for _ in 0..200 {
        gpio(&hardware, &text).write(Level::High).await.unwrap();
        let next = gpio(&hardware, &text);
        next.write(Level::High).await.unwrap();
        assert_eq!(next.read().await.unwrap(), Level::High);
        assert!(board.snapshot().relay.on, "an old release has switched off what the next holder switched on");
    }
}

#[tokio::test]
async fn an_active_low_fail_safe_is_logical() {
    let (hardware, board) = hardware();
    let relay = claim(&hardware, &format!("{RELAY}active-low = true\nfail-safe = false"));
    relay.fail_safe().await.unwrap();
    assert!(board.snapshot().relay.on, "off, on a relay board that is switched by a low line");
}

#[tokio::test]
async fn edges_of_the_button_arrive_in_order() {
    let (hardware, board) = hardware();
    let button = gpio(&hardware, BUTTON);
    let (sender, mut edges) = tokio::sync::mpsc::channel(8);
    let sink: crate::EdgeSink = Arc::new(move |edge| {
        sender.try_send(edge.level).unwrap();
    });
    button.watch(EdgeKind::Both, sink).await.unwrap();
    assert_eq!(button.read().await.unwrap(), Level::Low);
    assert!(matches!(button.write(Level::High).await, Err(DeviceError::Denied { .. })));
    board.press("button", 20).unwrap();
    for level in [Level::High, Level::Low] {
        assert_eq!(tokio::time::timeout(LONG, edges.recv()).await.unwrap(), Some(level));
    }
    drop(button);
    assert_eq!(tokio::time::timeout(LONG, edges.recv()).await.unwrap(), None, "a dropped slot watches no more");
}

#[tokio::test]
async fn a_press_that_is_shorter_than_the_debounce_time_does_not_count() {
    let (hardware, board) = hardware();
    let button = gpio(&hardware, &format!("{BUTTON}debounce-ms = 100"));
    let (sender, mut edges) = tokio::sync::mpsc::channel(8);
    let sink: crate::EdgeSink = Arc::new(move |edge| {
        sender.try_send(edge.level).unwrap();
    });
    button.watch(EdgeKind::Both, sink).await.unwrap();
    for pressed in [1.0, 0.0, 1.0, 0.0, 1.0] {
        board.set("button", "pressed", pressed).unwrap();
    }
    assert!(edges.try_recv().is_err(), "it bounces");
    assert_eq!(tokio::time::timeout(LONG, edges.recv()).await.unwrap(), Some(Level::High), "the last one lasts");
    board.set("button", "pressed", 0.0).unwrap();
    assert_eq!(tokio::time::timeout(LONG, edges.recv()).await.unwrap(), Some(Level::Low));
    assert!(edges.try_recv().is_err());
}

#[tokio::test]
async fn the_led_dims() {
    let (hardware, board) = hardware();
    let slot = claim(&hardware, &format!("{LED}fail-safe = 0"));
    let Slot::Pwm(led) = &slot else { panic!("a PWM grant") };
    led.set_duty(32_768).await.unwrap();
    assert_eq!((led.duty().await.unwrap(), board.snapshot().led.duty), (32_768, 32_768));
    slot.fail_safe().await.unwrap();
    assert_eq!(led.duty().await.unwrap(), 0);
    led.set_duty(u16::MAX).await.unwrap();
    drop(slot);
    wait(&board, |snapshot| snapshot.led.duty == 0).await;
}

#[tokio::test]
async fn granted_files() {
    let hardware = Hardware::new(None);
    let Slot::Sysfs(memory) = claim(&hardware, "kind = 'sysfs'\npath = '/proc/meminfo'") else { panic!("sysfs") };
    assert!(memory.read().await.unwrap().starts_with(b"MemTotal"));
    assert!(matches!(memory.write(b"1").await, Err(DeviceError::Denied { .. })));
    let Slot::Sysfs(disk) = claim(&hardware, "kind = 'sysfs'\npath = '/'") else { panic!("sysfs") };
    assert!(disk.space().await.unwrap().total > 0);
    assert!(matches!(disk.read().await, Err(DeviceError::Denied { .. })));
}

/// This machine has none of these; on one that has, the test says nothing.
#[tokio::test]
async fn real_devices_that_are_not_there_are_no_device() {
    let hardware = Hardware::new(None);
    let no_device = |error: DeviceError, place: &str| {
        assert!(matches!(&error, DeviceError::NoDevice { .. }) && error.to_string().contains(place), "{error}");
    };
    let chip = i2c(&hardware, "kind = 'i2c'\nbus = '/dev/i2c-251'\naddress = 0x76");
    no_device(chip.transaction(0x76, vec![I2cOperation::Read(1)]).await.unwrap_err(), "/dev/i2c-251");
    let Slot::Spi(chip) = claim(&hardware, "kind = 'spi'\nbus = '/dev/spidev9.9'") else { panic!("spi") };
    no_device(chip.transaction(vec![SpiOperation::Read(1)]).await.unwrap_err(), "/dev/spidev9.9");
    let line = "kind = 'gpio'\nline = 1\ndirection = 'output'\n";
    let output = gpio(&hardware, &format!("{line}chip = '/dev/gpiochip251'"));
    no_device(output.write(Level::High).await.unwrap_err(), "/dev/gpiochip251");
    let pwm = "kind = 'pwm'\nchannel = 0\nfrequency-hz = 1000\n";
    let Slot::Pwm(channel) = claim(&hardware, &format!("{pwm}chip = '/sys/class/pwm/pwmchip251'")) else { panic!() };
    no_device(channel.set_duty(1).await.unwrap_err(), "pwmchip251");
    if hardware.report().is_raspberry_pi {
        return;
    }
    let output = gpio(&hardware, &format!("{line}chip = 'pi'"));
    no_device(output.write(Level::High).await.unwrap_err(), "pi");
    let Slot::Pwm(channel) = claim(&hardware, &format!("{pwm}chip = 'pi'")) else { panic!() };
    no_device(channel.duty().await.unwrap_err(), "pi");
}

#[test]
fn the_report_names_the_holder() {
    let (hardware, _board) = hardware();
    let _slot = hardware.claim("greenhouse", "sensor", &grant(SENSOR)).unwrap();
    let report = hardware.report();
    assert_eq!(report.claims[0].place, "board:i2c-1 address 0x76");
    assert_eq!((report.claims[0].thing.as_str(), report.claims[0].label.as_str()), ("greenhouse", "sensor"));
}
