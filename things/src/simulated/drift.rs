//! Drifts: a quantity of the air that moves by itself, in a straight line and in steps of a tenth of a second.
//!
//! Invariant: a quantity has one drift at most; the next one, or a `set`, ends it. It never leaves what the part can
//! sense, and lasts an hour at most: its thread ends with it.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::parts::Part;
use super::{Board, BoardError};
use crate::locks::lock;

/// The longest drift.
const DURATION_MAX: Duration = Duration::from_secs(3_600);
/// From one value to the next.
const STEP: Duration = Duration::from_millis(100);

/// Where a drift goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drift {
    /// To this value, which is reached at its end.
    To(f64),
    /// By so much in each second, as far as the part can sense.
    PerSecond(f64),
}

/// The number of the drift that moves each quantity now.
#[derive(Debug, Default)]
pub(super) struct Drifts {
    moving: BTreeMap<&'static str, u64>,
    last: u64,
}

impl Drifts {
    /// Nothing moves this quantity any more.
    pub(super) fn end(&mut self, quantity: &str) {
        self.moving.remove(quantity);
    }

    fn begin(&mut self, quantity: &'static str) -> u64 {
        self.last += 1;
        self.moving.insert(quantity, self.last);
        self.last
    }

    fn is(&self, quantity: &str, number: u64) -> bool {
        self.moving.get(quantity) == Some(&number)
    }
}

/// A straight line in time.
#[derive(Debug, Clone, Copy)]
struct Course {
    from: f64,
    to: f64,
    duration: Duration,
}

impl Course {
    fn at(&self, elapsed: Duration) -> f64 {
        let share = (elapsed.as_secs_f64() / self.duration.as_secs_f64()).min(1.0);
        if share < 1.0 { self.from + (self.to - self.from) * share } else { self.to }
    }
}

impl Board {
    /// Lets a quantity of the `bme280` move for a while, from 0.1 s to an hour; a drift replaces the one before.
    ///
    /// # Errors
    /// `UnknownPart`, `UnknownQuantity`, `NotContinuous`, `OutOfRange`.
    pub fn drift(&self, part: &str, quantity: &str, drift: Drift, duration_ms: u64) -> Result<(), BoardError> {
        let part = Part::named(part)?;
        let known = part.quantity(quantity)?;
        if part != Part::Bme280 {
            return Err(BoardError::NotContinuous { part: part.name(), quantity: known.name });
        }
        let duration = Duration::from_millis(duration_ms);
        if !(STEP..=DURATION_MAX).contains(&duration) {
            let what = format!("a drift of {duration_ms} ms: between 100 and 3600000");
            return Err(BoardError::OutOfRange { what });
        }
        let mut state = lock(&self.0.state);
        let from = state.bme280.sensed(known.name);
        let to = match drift {
            Drift::To(value) => value,
            Drift::PerSecond(rate) => (from + rate * duration.as_secs_f64()).clamp(known.minimum, known.maximum),
        };
        part.check(quantity, to)?;
        let duration = match drift {
            // Where the range ends the drift ends, at its own pace.
            Drift::PerSecond(rate) if rate != 0.0 => Duration::from_secs_f64(((to - from) / rate).abs()).max(STEP),
            Drift::PerSecond(_) | Drift::To(_) => duration,
        };
        let number = state.drifts.begin(known.name);
        self.tell(state);
        let (board, course, began) = (self.clone(), Course { from, to, duration }, Instant::now());
        super::spawn("board drift", move || board.follow(known.name, number, course, began))
    }

    /// Moves the quantity along its course, until another hand takes it.
    fn follow(&self, quantity: &'static str, number: u64, course: Course, began: Instant) {
        let mut next = began + STEP;
        let mut state = lock(&self.0.state);
        while state.drifts.is(quantity, number) {
            let now = Instant::now();
            if now < next {
                let waited = self.0.changed.wait_timeout(state, next - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            next = now + STEP;
            let elapsed = now.duration_since(began);
            state.bme280.set(quantity, course.at(elapsed));
            if elapsed >= course.duration {
                state.drifts.end(quantity);
            }
            self.tell(state);
            state = lock(&self.0.state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_a_straight_line_that_ends() {
        let course = Course { from: 20.0, to: 30.0, duration: Duration::from_secs(4) };
        let at = |ms| course.at(Duration::from_millis(ms));
        assert_eq!([at(0), at(1_000), at(3_000), at(4_000), at(9_000)], [20.0, 22.5, 27.5, 30.0, 30.0]);
    }

    #[test]
    fn a_drift_is_checked_before_it_begins() {
        let board = Board::new();
        let out_of_range = |drift, ms| {
            let refused = board.drift("bme280", "temperature", drift, ms);
            assert!(matches!(refused, Err(BoardError::OutOfRange { .. })), "{drift:?} {ms}: {refused:?}");
        };
        out_of_range(Drift::To(85.1), 1_000);
        out_of_range(Drift::To(f64::NAN), 1_000);
        out_of_range(Drift::PerSecond(f64::NAN), 1_000);
        out_of_range(Drift::To(30.0), 99);
        out_of_range(Drift::To(30.0), 3_600_001);
        let switch = board.drift("button", "pressed", Drift::To(1.0), 1_000);
        assert!(matches!(switch, Err(BoardError::NotContinuous { .. })));
        assert!(matches!(board.drift("led", "light", Drift::To(1.0), 1_000), Err(BoardError::UnknownQuantity { .. })));
    }

    #[tokio::test]
    async fn a_drift_reaches_its_end_and_a_set_ends_it_before() {
        let board = Board::new();
        let mut changed = board.changed();
        board.drift("bme280", "temperature", Drift::PerSecond(1e6), 60_000).unwrap();
        board.drift("bme280", "humidity", Drift::To(90.0), 60_000).unwrap();
        let reached = changed.wait_for(|_| board.snapshot().bme280.temperature >= 85.0);
        tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap().unwrap();
        board.set("bme280", "humidity", 10.0).unwrap();
        assert!(lock(&board.0.state).drifts.moving.is_empty());
        assert!((board.snapshot().bme280.humidity - 10.0).abs() < f64::EPSILON);
    }
}
