//! The board as its Thing sees it: sets, presses, faults, changes.

use super::*;

fn line(number: u32, active_low: bool) -> GpioGrant {
    let direction = if number == 22 { "input" } else { "output" };
    let text = format!("chip = 'board:gpio'\nline = {number}\ndirection = '{direction}'\nactive-low = {active_low}");
    toml::from_str(&text).unwrap()
}

#[test]
fn values_are_checked_and_told() {
    let board = Board::new();
    let changed = board.changed();
    board.set("bme280", "temperature", -12.5).unwrap();
    assert!((board.snapshot().bme280.temperature + 12.5).abs() < f64::EPSILON);
    assert!(changed.has_changed().unwrap());
    for (part, quantity, value) in [("bme280", "temperature", 85.1), ("bme280", "humidity", f64::NAN)] {
        assert!(matches!(board.set(part, quantity, value), Err(BoardError::OutOfRange { .. })));
    }
    assert!(matches!(board.set("relay", "on", 1.0), Err(BoardError::UnknownQuantity { .. })));
    assert!(matches!(board.set("fan", "speed", 1.0), Err(BoardError::UnknownPart { .. })));
    assert!(matches!(board.fail("relay", PartFault::Garbage), Err(BoardError::UnknownFault { .. })));
    assert!(matches!(board.press("led", 10), Err(BoardError::NotPressable { .. })));
    assert!(matches!(board.press("button", 60_001), Err(BoardError::OutOfRange { .. })));
}

#[tokio::test]
async fn a_press_ends_by_itself_and_is_told_twice() {
    let board = Board::new();
    let mut changed = board.changed();
    board.press("button", 300).unwrap();
    assert!(board.snapshot().button.pressed);
    let released = changed.wait_for(|_| !board.snapshot().button.pressed);
    tokio::time::timeout(Duration::from_secs(10), released).await.unwrap().unwrap();
    assert_eq!(*board.changed().borrow(), 2);
}

#[tokio::test]
async fn a_longer_press_outlives_a_shorter_one() {
    let board = Board::new();
    board.press("button", 20).unwrap();
    board.press("button", 60_000).unwrap();
    let mut changed = board.changed();
    let released = changed.wait_for(|_| !board.snapshot().button.pressed);
    assert!(tokio::time::timeout(Duration::from_millis(150), released).await.is_err(), "released too early");
    board.set("button", "pressed", 0.0).unwrap();
    assert!(!board.snapshot().button.pressed);
}

#[test]
fn wiring_is_the_grants_affair() {
    let board = Board::new();
    assert_eq!(board.read_line(&line(22, true)).unwrap(), Level::Low, "not pressed, electrically high");
    board.set("button", "pressed", 1.0).unwrap();
    assert_eq!(board.read_line(&line(22, true)).unwrap(), Level::High);
    assert_eq!(board.read_line(&line(22, false)).unwrap(), Level::Low);
    board.write_line(&line(17, true), Level::High).unwrap();
    assert!(!board.snapshot().relay.on, "an active-low relay board is switched by a low line");
    board.write_line(&line(17, false), Level::High).unwrap();
    assert!(board.snapshot().relay.on);
    assert!(board.write_line(&line(22, false), Level::High).is_err());
    assert!(matches!(board.read_line(&line(4, false)), Err(DeviceError::NoDevice { .. })));
}

#[test]
fn a_released_line_falls_back() {
    let board = Board::new();
    board.write_line(&line(17, false), Level::High).unwrap();
    board.release_line(&line(17, false));
    assert!(!board.snapshot().relay.on);
}

#[test]
fn parts_describe_themselves() {
    let parts = Board::new().parts();
    assert_eq!(parts.iter().map(|part| part.name).collect::<Vec<_>>(), ["bme280", "relay", "led", "button"]);
    assert!(parts.iter().all(|part| part.faults.contains(&PartFault::StuckBus)));
}
