//! The header of a Raspberry Pi through rppal: registers mapped from `/dev/gpiomem`, edges by the kernel.

use std::collections::HashMap;
use std::time::Duration;

use rppal::gpio::{Error, Gpio, InputPin, Level as PiLevel, OutputPin, Pin, Trigger};

use super::{HINT, first_level, moment};
use crate::error::DeviceError;
use crate::grant::{Bias, Direction, GpioGrant, PI};
use crate::operation::{Edge, EdgeKind, EdgeSink, Level};

/// The lines of the header, opened at first use.
#[derive(Default)]
pub(crate) struct PiLines {
    gpio: Option<Gpio>,
    pins: HashMap<u32, Open>,
}

enum Open {
    Input(InputPin),
    Output(OutputPin),
}

impl PiLines {
    pub(super) fn is_open(&self, line: u32) -> bool {
        self.pins.contains_key(&line)
    }

    pub(super) fn read(&mut self, grant: &GpioGrant) -> Result<Level, DeviceError> {
        let high = match self.open(grant, first_level(grant))? {
            Open::Input(pin) => pin.is_high(),
            Open::Output(pin) => pin.is_set_high(),
        };
        Ok(Level::from(high).across(grant.active_low))
    }

    pub(super) fn write(&mut self, grant: &GpioGrant, level: Level) -> Result<(), DeviceError> {
        match self.open(grant, level)? {
            Open::Output(pin) => pin.write(electrical(grant, level)),
            Open::Input(_) => return Err(DeviceError::Denied { what: format!("{} is an input", place(grant)) }),
        }
        Ok(())
    }

    pub(super) fn watch(&mut self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        let Open::Input(pin) = self.open(grant, Level::Low)? else {
            return Err(DeviceError::Denied { what: format!("{} is an output", place(grant)) });
        };
        let debounce = (grant.debounce_ms > 0).then(|| Duration::from_millis(u64::from(grant.debounce_ms)));
        let active_low = grant.active_low;
        let on_event = move |event: rppal::gpio::Event| {
            let level = Level::from(event.trigger == Trigger::RisingEdge).across(active_low);
            sink(Edge { level, at: moment(event.timestamp) });
        };
        pin.set_async_interrupt(trigger(edges, active_low), debounce, on_event).map_err(|error| failed(grant, error))
    }

    /// Gives the pin back: an output without a fail-safe level becomes what it was before.
    pub(super) fn release(&mut self, grant: &GpioGrant) {
        if let Some(Open::Output(mut pin)) = self.pins.remove(&grant.line) {
            pin.set_reset_on_drop(grant.fail_safe.is_none());
        }
    }

    fn open(&mut self, grant: &GpioGrant, level: Level) -> Result<&mut Open, DeviceError> {
        if !self.pins.contains_key(&grant.line) {
            let gpio = match &self.gpio {
                Some(gpio) => gpio,
                None => self.gpio.insert(Gpio::new().map_err(|error| failed(grant, error))?),
            };
            let number = u8::try_from(grant.line).map_err(|_| no_line(grant))?;
            let pin = gpio.get(number).map_err(|error| failed(grant, error))?;
            let open = match grant.direction {
                Direction::Input => Open::Input(input(pin, grant.bias)),
                Direction::Output => Open::Output(output(pin, grant, level)),
            };
            self.pins.insert(grant.line, open);
        }
        self.pins.get_mut(&grant.line).ok_or_else(|| no_line(grant))
    }
}

/// rppal always sets a bias; none is what the kernel's own default is.
fn input(pin: Pin, bias: Option<Bias>) -> InputPin {
    match bias {
        Some(Bias::PullUp) => pin.into_input_pullup(),
        Some(Bias::PullDown) => pin.into_input_pulldown(),
        Some(Bias::Disabled) | None => pin.into_input(),
    }
}

/// The level is set before the direction, so that the line never shows another one.
fn output(pin: Pin, grant: &GpioGrant, level: Level) -> OutputPin {
    match electrical(grant, level) {
        PiLevel::High => pin.into_output_high(),
        PiLevel::Low => pin.into_output_low(),
    }
}

fn electrical(grant: &GpioGrant, level: Level) -> PiLevel {
    PiLevel::from(level.across(grant.active_low) == Level::High)
}

/// The electrical edge behind a logical one.
fn trigger(edges: EdgeKind, active_low: bool) -> Trigger {
    match (edges, active_low) {
        (EdgeKind::Both, _) => Trigger::Both,
        (EdgeKind::Rising, false) | (EdgeKind::Falling, true) => Trigger::RisingEdge,
        (EdgeKind::Rising, true) | (EdgeKind::Falling, false) => Trigger::FallingEdge,
    }
}

fn place(grant: &GpioGrant) -> String {
    format!("{PI} line {}", grant.line)
}

fn no_line(grant: &GpioGrant) -> DeviceError {
    DeviceError::NoDevice { place: place(grant), why: "this model has no such line".to_owned() }
}

fn failed(grant: &GpioGrant, error: Error) -> DeviceError {
    let place = place(grant);
    match error {
        Error::UnknownModel => DeviceError::NoDevice {
            place,
            why: "this machine is no Raspberry Pi that is known; use chip = \"/dev/gpiochipN\"".to_owned(),
        },
        Error::PinNotAvailable(_) => no_line(grant),
        Error::PinUsed(_) => DeviceError::Denied { what: format!("{place} is in use in this process") },
        Error::PermissionDenied(path) => {
            DeviceError::Denied { what: format!("{place}: no permission for {path}; {HINT}") }
        }
        Error::Io(source) => DeviceError::from_io(&place, source, HINT),
        Error::ThreadPanic => {
            DeviceError::Bus { place, source: std::io::Error::other("the thread that watches this line has ended") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_edge_has_an_electrical_side() {
        assert_eq!(trigger(EdgeKind::Rising, true), Trigger::FallingEdge);
        assert_eq!(trigger(EdgeKind::Falling, true), Trigger::RisingEdge);
        assert_eq!(trigger(EdgeKind::Rising, false), Trigger::RisingEdge);
        assert_eq!(trigger(EdgeKind::Both, true), Trigger::Both);
    }

    #[test]
    fn every_error_of_rppal_has_its_meaning() {
        let grant: GpioGrant = toml::from_str("chip = 'pi'\nline = 4\ndirection = 'output'").unwrap();
        assert!(matches!(failed(&grant, Error::UnknownModel), DeviceError::NoDevice { .. }));
        assert!(matches!(failed(&grant, Error::PinNotAvailable(99)), DeviceError::NoDevice { .. }));
        let denied = failed(&grant, Error::PermissionDenied("/dev/gpiomem".to_owned())).to_string();
        assert!(denied.contains("/dev/gpiomem") && denied.contains("group gpio"), "{denied}");
        let io = failed(&grant, Error::Io(std::io::Error::from_raw_os_error(5)));
        assert!(matches!(io, DeviceError::Bus { source, .. } if source.raw_os_error() == Some(5)));
    }
}
