//! The parts of the board in words: names, quantities, faults, snapshots.

use serde::{Deserialize, Serialize};

use crate::error::DeviceError;

/// The lines of the board by BCM number.
pub(super) const RELAY_LINE: u32 = 17;
pub(super) const LED_LINE: u32 = 27;
pub(super) const BUTTON_LINE: u32 = 22;
pub(super) const LINES: &str = "the simulated board has lines 17 (relay), 22 (button) and 27 (LED)";
pub(super) const CHANNELS: &str = "the simulated board has channel 0 (LED)";
/// The PWM channel of the LED.
const LED_CHANNEL: u8 = 0;

/// What can be wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartFault {
    /// Nothing.
    #[default]
    None,
    /// Nobody answers at its address: unplugged.
    NoAcknowledge,
    /// It holds its bus: an access fails with the time-out of the bus's controller, which then recovers the bus.
    StuckBus,
    /// Another chip sits at its address: the id register reads 0x58, which is a BMP280.
    WrongChipId,
    /// Every byte read is noise.
    Garbage,
    /// A measurement takes 5 s: until it ends the data registers read what they read before, or their reset values.
    SlowConversion,
}

/// Why the board cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BoardError {
    /// No part of that name.
    #[error("no part {part:?}: the board has bme280, relay, led and button")]
    UnknownPart {
        /// The name that was asked for.
        part: String,
    },
    /// This part has no such quantity that could be set.
    #[error("nothing called {quantity:?} can be set on {part}")]
    UnknownQuantity {
        /// The part.
        part: &'static str,
        /// The name that was asked for.
        quantity: String,
    },
    /// This part cannot have that fault.
    #[error("{part} cannot have the fault {fault:?}")]
    UnknownFault {
        /// The part.
        part: &'static str,
        /// The fault that was asked for.
        fault: PartFault,
    },
    /// A quantity that is on or off cannot drift.
    #[error("{quantity} of {part} is a switch: it cannot drift")]
    NotContinuous {
        /// The part.
        part: &'static str,
        /// The quantity.
        quantity: &'static str,
    },
    /// This part has nothing to press.
    #[error("{part} cannot be pressed")]
    NotPressable {
        /// The part.
        part: &'static str,
    },
    /// A value outside what the part can sense.
    #[error("out of range: {what}")]
    OutOfRange {
        /// What was asked and what is allowed.
        what: String,
    },
}

/// A part of the board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartDescription {
    /// Its name in `set`, `fail` and `press`.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Where it sits: bus and address, line, channel.
    pub place: &'static str,
    /// What can be set on it.
    pub quantities: Vec<QuantityDescription>,
    /// The faults that it can have, `none` included.
    pub faults: &'static [PartFault],
}

/// Something that a part senses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantityDescription {
    /// Its name in `set`.
    pub name: &'static str,
    /// Its unit; empty for a switch (0 or 1).
    pub unit: &'static str,
    /// The least value.
    pub minimum: f64,
    /// The greatest value.
    pub maximum: f64,
}

/// What all parts show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoardSnapshot {
    /// The climate sensor.
    pub bme280: ClimateState,
    /// The relay.
    pub relay: RelayState,
    /// The LED.
    pub led: LedState,
    /// The button.
    pub button: ButtonState,
}

/// The surroundings of the BME280.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClimateState {
    /// degC.
    pub temperature: f64,
    /// %RH.
    pub humidity: f64,
    /// Pa.
    pub pressure: f64,
    /// What is wrong with the chip.
    pub fault: PartFault,
}

/// The relay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RelayState {
    /// Whether its contact is closed (its line is electrically high).
    pub on: bool,
    /// What is wrong with it.
    pub fault: PartFault,
}

/// The LED.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LedState {
    /// Whether its line is electrically high.
    pub on: bool,
    /// The duty of its PWM channel, 0 to 65535.
    pub duty: u16,
    /// What is wrong with it.
    pub fault: PartFault,
}

/// The button.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ButtonState {
    /// Whether a finger is on it.
    pub pressed: bool,
    /// What is wrong with it.
    pub fault: PartFault,
}

/// A part, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Bme280,
    Relay,
    Led,
    Button,
}

/// The fault of each part.
#[derive(Debug, Default)]
pub(super) struct Faults([PartFault; 4]);

impl Faults {
    pub(super) fn of(&self, part: Part) -> PartFault {
        self.0[part as usize]
    }

    pub(super) fn set(&mut self, part: Part, fault: PartFault) {
        self.0[part as usize] = fault;
    }
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Bme280, Self::Relay, Self::Led, Self::Button];

    pub(super) fn named(name: &str) -> Result<Self, BoardError> {
        let part = Self::ALL.into_iter().find(|part| part.name() == name);
        part.ok_or_else(|| BoardError::UnknownPart { part: name.chars().take(64).collect() })
    }

    pub(super) fn on_line(line: u32) -> Result<Self, DeviceError> {
        match line {
            RELAY_LINE => Ok(Self::Relay),
            LED_LINE => Ok(Self::Led),
            BUTTON_LINE => Ok(Self::Button),
            _ => Err(DeviceError::NoDevice { place: format!("board:gpio line {line}"), why: LINES.to_owned() }),
        }
    }

    pub(super) fn on_channel(channel: u8) -> Result<Self, DeviceError> {
        if channel == LED_CHANNEL {
            return Ok(Self::Led);
        }
        let why = CHANNELS.to_owned();
        Err(DeviceError::NoDevice { place: format!("board:pwm-0 channel {channel}"), why })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bme280 => "bme280",
            Self::Relay => "relay",
            Self::Led => "led",
            Self::Button => "button",
        }
    }

    pub(super) fn faults(self) -> &'static [PartFault] {
        use PartFault::{Garbage, NoAcknowledge, SlowConversion, StuckBus, WrongChipId};
        match self {
            Self::Bme280 => &[PartFault::None, NoAcknowledge, StuckBus, WrongChipId, Garbage, SlowConversion],
            Self::Relay | Self::Led | Self::Button => &[PartFault::None, StuckBus],
        }
    }

    pub(super) fn description(self) -> PartDescription {
        let (title, place) = match self {
            Self::Bme280 => ("Climate sensor BME280", "board:i2c-1 address 0x76"),
            Self::Relay => ("Relay", "board:gpio line 17"),
            Self::Led => ("LED", "board:gpio line 27, board:pwm-0 channel 0"),
            Self::Button => ("Button to ground with a pull-up", "board:gpio line 22"),
        };
        PartDescription {
            name: self.name(),
            title,
            place,
            quantities: self.quantities().to_vec(),
            faults: self.faults(),
        }
    }

    /// What can be set on it under this name.
    pub(super) fn quantity(self, name: &str) -> Result<&'static QuantityDescription, BoardError> {
        self.quantities().iter().find(|known| known.name == name).ok_or_else(|| {
            let quantity = name.chars().take(64).collect();
            BoardError::UnknownQuantity { part: self.name(), quantity }
        })
    }

    pub(super) fn check(self, quantity: &str, value: f64) -> Result<(), BoardError> {
        let QuantityDescription { unit, minimum, maximum, .. } = self.quantity(quantity)?;
        if value >= *minimum && value <= *maximum {
            return Ok(());
        }
        Err(BoardError::OutOfRange { what: format!("{quantity} = {value}: between {minimum} and {maximum} {unit}") })
    }

    /// The ranges of the BME280 are those of its datasheet, 1.1 to 1.3.
    fn quantities(self) -> &'static [QuantityDescription] {
        const CLIMATE: [QuantityDescription; 3] = [
            QuantityDescription { name: "temperature", unit: "degC", minimum: -40.0, maximum: 85.0 },
            QuantityDescription { name: "humidity", unit: "%RH", minimum: 0.0, maximum: 100.0 },
            QuantityDescription { name: "pressure", unit: "Pa", minimum: 30_000.0, maximum: 110_000.0 },
        ];
        const PRESSED: [QuantityDescription; 1] =
            [QuantityDescription { name: "pressed", unit: "", minimum: 0.0, maximum: 1.0 }];
        match self {
            Self::Bme280 => &CLIMATE,
            Self::Button => &PRESSED,
            Self::Relay | Self::Led => &[],
        }
    }
}
