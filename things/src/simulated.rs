//! The simulated Raspberry Pi board: parts at register and line level, for machines without hardware and for tests.
//!
//! Wiring: a BME280 at 0x76 on `board:i2c-1`; on `board:gpio` a relay (line 17), an LED (27) and a button (22, to
//! ground, with a pull-up: pressed is electrically low); on `board:pwm-0` the LED again (channel 0).
//! Invariant: a part behaves as its datasheet says, faults included, and knows nothing of Things. Time comes in with
//! each bus access; only a press of the button, its bouncing and a drift need a thread, for as long as they last.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::{DeviceError, NackSource};
use crate::grant::{GpioGrant, PwmGrant};
use crate::locks::lock;
use crate::operation::{EdgeKind, EdgeSink, I2cOperation, Level};

mod bme280;
mod drift;
mod header;
mod parts;

use bme280::Bme280;
pub use drift::Drift;
use drift::Drifts;
use header::Header;
pub use parts::{BoardError, BoardSnapshot, PartDescription, PartFault, QuantityDescription};
pub use parts::{ButtonState, ClimateState, LedState, RelayState};
use parts::{Faults, Part};

/// The address of the BME280 (SDO to ground, datasheet 6.2).
const BME280_ADDRESS: u8 = 0x76;
/// The longest press of the button.
const PRESS_MAX: Duration = Duration::from_secs(60);
/// After this time the controller of a bus gives up a transfer and recovers the bus by clock pulses (UM10204, 3.1.16),
/// as i2c-dev shows it: `ETIMEDOUT`. Below the limit at which the bus's watchdog would call the thread stuck.
const CONTROLLER_TIMEOUT: Duration = Duration::from_millis(100);

/// The simulated board. Clones share it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Told of every change of a fault and of every press.
    changed: Condvar,
    revision: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    bme280: Bme280,
    header: Header,
    faults: Faults,
    drifts: Drifts,
    /// Number of the latest press: a longer one outlives a shorter one that was there before.
    presses: u64,
    /// Number of the button's latest change of level: the one before has not lasted.
    bounces: u64,
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// A board at 21.5 degC, 45 %RH and 101,325 Pa, everything off.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            bme280: Bme280::new(),
            header: Header::new(),
            faults: Faults::default(),
            drifts: Drifts::default(),
            presses: 0,
            bounces: 0,
        };
        let revision = watch::Sender::new(0);
        Self(Arc::new(Inner { state: Mutex::new(state), changed: Condvar::new(), revision }))
    }

    /// The parts, what can be set on them, and which faults they can have.
    #[must_use]
    pub fn parts(&self) -> Vec<PartDescription> {
        Part::ALL.map(Part::description).to_vec()
    }

    /// Sets what a part senses: `temperature` (degC), `humidity` (%RH), `pressure` (Pa) of the `bme280`, `pressed`
    /// (0 or 1) of the `button`. It ends a drift of that quantity.
    ///
    /// # Errors
    /// `UnknownPart`, `UnknownQuantity`, `OutOfRange`.
    pub fn set(&self, part: &str, quantity: &str, value: f64) -> Result<(), BoardError> {
        let part = Part::named(part)?;
        part.check(quantity, value)?;
        let mut state = lock(&self.0.state);
        match part {
            Part::Bme280 => {
                state.drifts.end(quantity);
                state.bme280.set(quantity, value);
            }
            Part::Button => {
                state.presses += 1;
                self.hold(&mut state, value != 0.0)?;
            }
            Part::Relay | Part::Led => {}
        }
        self.tell(state);
        Ok(())
    }

    /// Gives a part a fault, or heals it with [`PartFault::None`].
    ///
    /// # Errors
    /// `UnknownPart`, `UnknownFault` for one that this part cannot have.
    pub fn fail(&self, part: &str, fault: PartFault) -> Result<(), BoardError> {
        let part = Part::named(part)?;
        if !part.faults().contains(&fault) {
            return Err(BoardError::UnknownFault { part: part.name(), fault });
        }
        let mut state = lock(&self.0.state);
        state.faults.set(part, fault);
        if part == Part::Bme280 {
            state.bme280.convert_slowly(fault == PartFault::SlowConversion, Instant::now());
        }
        self.tell(state);
        Ok(())
    }

    /// Presses a part (the `button`) for a while, at most a minute; a press replaces the one before.
    ///
    /// # Errors
    /// `UnknownPart`, `NotPressable`, `OutOfRange`.
    pub fn press(&self, part: &str, duration_ms: u64) -> Result<(), BoardError> {
        let part = Part::named(part)?;
        if part != Part::Button {
            return Err(BoardError::NotPressable { part: part.name() });
        }
        let duration = Duration::from_millis(duration_ms);
        if duration.is_zero() || duration > PRESS_MAX {
            return Err(BoardError::OutOfRange { what: format!("a press of {duration_ms} ms: between 1 and 60000") });
        }
        let press = self.push_button()?;
        let board = self.clone();
        let release = move || board.release_button(press, Instant::now() + duration);
        spawn("board button", release)
    }

    /// What the parts show now.
    #[must_use]
    pub fn snapshot(&self) -> BoardSnapshot {
        let state = lock(&self.0.state);
        BoardSnapshot {
            bme280: state.bme280.state(state.faults.of(Part::Bme280)),
            relay: RelayState { on: state.header.relay(), fault: state.faults.of(Part::Relay) },
            led: LedState { on: state.header.led(), duty: state.header.duty, fault: state.faults.of(Part::Led) },
            button: ButtonState { pressed: state.header.is_pressed(), fault: state.faults.of(Part::Button) },
        }
    }

    /// A counter that moves with every change of a level, a duty, a quantity or a fault.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    fn push_button(&self) -> Result<u64, BoardError> {
        let mut state = lock(&self.0.state);
        state.presses += 1;
        let press = state.presses;
        self.hold(&mut state, true)?;
        self.tell(state);
        Ok(press)
    }

    /// Moves the button; who watches it with a debounce time hears of it when the level has lasted.
    fn hold(&self, state: &mut State, pressed: bool) -> Result<(), BoardError> {
        if state.header.is_pressed() == pressed {
            return Ok(());
        }
        state.bounces += 1;
        state.header.set_pressed(pressed);
        let (debounce, bounce, board) = (state.header.debounce(), state.bounces, self.clone());
        if debounce.is_zero() {
            return Ok(());
        }
        spawn("board bounce", move || board.settle(bounce, Instant::now() + debounce))
    }

    /// Waits until a level of the button has lasted, or gives way to the next one.
    fn settle(&self, bounce: u64, at: Instant) {
        let mut state = lock(&self.0.state);
        while state.bounces == bounce {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return state.header.settle();
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the end of the press, or for another one that takes its place.
    fn release_button(&self, press: u64, until: Instant) {
        let mut state = lock(&self.0.state);
        while state.presses == press {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if let Err(error) = self.hold(&mut state, false) {
                    tracing::warn!(%error, "the release of the button is not told");
                }
                return self.tell(state);
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Unlocks the state and tells everybody that it has changed.
    fn tell(&self, state: std::sync::MutexGuard<'_, State>) {
        drop(state);
        self.0.changed.notify_all();
        self.0.revision.send_modify(|revision| *revision += 1);
    }

    /// The state, when `part` does not hold its bus; else the controller's time-out, after its time.
    fn access(&self, part: Part) -> Result<std::sync::MutexGuard<'_, State>, DeviceError> {
        let state = lock(&self.0.state);
        let is_stuck = |state: &mut State| state.faults.of(part) == PartFault::StuckBus;
        let waited = self.0.changed.wait_timeout_while(state, CONTROLLER_TIMEOUT, is_stuck);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let limit_ms = u64::try_from(CONTROLLER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            return Err(DeviceError::Timeout { place: part.description().place.to_owned(), limit_ms });
        }
        Ok(state)
    }
}

/// # Errors
/// When nothing of the board is on this line.
pub(crate) fn check_line(line: u32) -> Result<(), String> {
    Part::on_line(line).map(drop).map_err(|_| format!("line = {line}: {}", parts::LINES))
}

/// # Errors
/// When nothing of the board is on this channel.
pub(crate) fn check_channel(channel: u8) -> Result<(), String> {
    Part::on_channel(channel).map(drop).map_err(|_| format!("channel = {channel}: {}", parts::CHANNELS))
}

/// A thread for something that lasts.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), BoardError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| BoardError::OutOfRange { what: format!("no thread for it: {error}") })
}

/// The board as its buses see it.
impl Board {
    pub(crate) fn i2c(
        &self,
        address: u8,
        messages: &[I2cOperation],
        now: Instant,
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        if address != BME280_ADDRESS {
            return Err(DeviceError::Nack(NackSource::Address));
        }
        let mut state = self.access(Part::Bme280)?;
        let fault = state.faults.of(Part::Bme280);
        if fault == PartFault::NoAcknowledge {
            return Err(DeviceError::Nack(NackSource::Address));
        }
        let mut reads = Vec::new();
        for message in messages {
            match message {
                I2cOperation::Write(bytes) => state.bme280.write(bytes, now),
                I2cOperation::Read(count) => reads.push(state.bme280.read(*count, fault, now)),
            }
        }
        Ok(reads)
    }

    pub(crate) fn read_line(&self, grant: &GpioGrant) -> Result<Level, DeviceError> {
        let state = self.access(Part::on_line(grant.line)?)?;
        Ok(state.header.level(grant.line).across(grant.active_low))
    }

    pub(crate) fn write_line(&self, grant: &GpioGrant, level: Level) -> Result<(), DeviceError> {
        let part = Part::on_line(grant.line)?;
        let mut state = self.access(part)?;
        if part == Part::Button {
            return Err(DeviceError::Denied { what: format!("line {} is shorted to ground when pressed", grant.line) });
        }
        state.header.drive(grant.line, level.across(grant.active_low));
        self.tell(state);
        Ok(())
    }

    pub(crate) fn watch_line(&self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        let mut state = self.access(Part::on_line(grant.line)?)?;
        state.header.watch(grant, edges, sink);
        Ok(())
    }

    /// Ends the driving and the watching of a line.
    pub(crate) fn release_line(&self, grant: &GpioGrant) {
        let mut state = lock(&self.0.state);
        state.header.release(grant);
        self.tell(state);
    }

    pub(crate) fn duty(&self, channel: u8) -> Result<u16, DeviceError> {
        Ok(self.access(Part::on_channel(channel)?)?.header.duty)
    }

    pub(crate) fn set_duty(&self, channel: u8, duty: u16) -> Result<(), DeviceError> {
        let mut state = self.access(Part::on_channel(channel)?)?;
        state.header.duty = duty;
        self.tell(state);
        Ok(())
    }

    /// A channel without a fail-safe duty is switched off when its use ends.
    pub(crate) fn release_channel(&self, grant: &PwmGrant) {
        let mut state = lock(&self.0.state);
        if grant.fail_safe.is_none() {
            state.header.duty = 0;
        }
        self.tell(state);
    }
}

#[cfg(test)]
mod tests;
