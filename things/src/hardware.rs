//! All devices of this machine: who holds what, and the buses that are in use.
//!
//! Invariant: a device has one holder unless all its grants are `shared`; a bus has one thread however many slots use
//! it, one after another too: what a dropped slot leaves behind (its fail-safe, its release) runs before anything that
//! the next holder asks. Claiming opens no device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::bus::i2c::{I2cBus, LinuxI2c};
use crate::bus::lines::Lines;
use crate::bus::pwm::Channels;
use crate::bus::spi::SpiChip;
use crate::bus::{Bus, Watchdog, files::Files};
use crate::error::DeviceError;
use crate::grant::{BOARD, GpioGrant, Grant, I2cGrant, PwmGrant, SpiGrant, SysfsGrant, canonical};
use crate::locks::lock;
use crate::simulated::Board;
use crate::slot::{Claimed, GpioSlot, I2cSlot, PwmSlot, Slot, SpiSlot, SysfsSlot};

mod claims;
mod report;
mod survey;

pub(crate) use claims::Claim;
use claims::Claims;
pub use report::{ClaimReport, DeviceReport, HardwareReport};
pub use survey::{DeviceSurvey, KindSurvey, LineSurvey, Obstacle, Survey, obstacle, survey};

/// The devices of this machine. Clones share them.
#[derive(Debug, Clone)]
pub struct Hardware(Arc<Machine>);

#[derive(Debug)]
struct Machine {
    board: Option<Board>,
    claims: Arc<Claims>,
    buses: Mutex<Buses>,
}

/// The buses in use, by place.
#[derive(Debug, Default)]
struct Buses {
    watchdog: Option<Watchdog>,
    i2c: HashMap<String, Arc<Bus<I2cBus>>>,
    spi: HashMap<String, Arc<Bus<SpiChip>>>,
    lines: HashMap<String, Arc<Bus<Lines>>>,
    channels: HashMap<String, Arc<Bus<Channels>>>,
    files: HashMap<String, Arc<Bus<Files>>>,
}

impl Hardware {
    /// The devices of this machine and, with a board, those of the simulated one (`board:..`).
    #[must_use]
    pub fn new(board: Option<Board>) -> Self {
        let buses = Mutex::new(Buses::default());
        Self(Arc::new(Machine { board, claims: Arc::new(Claims::default()), buses }))
    }

    /// Claims the device of `grant` for one label of one Thing; the claim ends with the last clone of the slot. The
    /// device is opened at first use.
    ///
    /// # Errors
    /// `OutOfRange` when the grant does not pass its check, `Held` when another claim holds the device, `NoDevice` for
    /// a place on a simulated board that is not there.
    pub fn claim(&self, thing: &str, label: &str, grant: &Grant) -> Result<Slot, DeviceError> {
        grant.check().map_err(|what| DeviceError::OutOfRange { what })?;
        let claim = self.0.claims.take(thing, label, grant, Instant::now())?;
        Ok(match grant {
            Grant::I2c(grant) => Slot::I2c(I2cSlot::new(grant.clone(), self.0.i2c(grant, claim)?)),
            Grant::Spi(grant) => Slot::Spi(SpiSlot::new(grant.clone(), self.0.spi(grant, claim)?)),
            Grant::Gpio(grant) => Slot::Gpio(GpioSlot::new(grant.clone(), self.0.line(grant, claim)?)),
            Grant::Pwm(grant) => Slot::Pwm(PwmSlot::new(grant.clone(), self.0.channel(grant, claim)?)),
            Grant::Sysfs(grant) => Slot::Sysfs(SysfsSlot::new(grant.clone(), self.0.file(grant, claim)?)),
        })
    }

    /// What this machine has, and who holds what.
    #[must_use]
    pub fn report(&self) -> HardwareReport {
        report::report(self.0.claims.list())
    }
}

impl Machine {
    fn i2c(&self, grant: &I2cGrant, claim: Claim) -> Result<Claimed<I2cBus>, DeviceError> {
        let place = canonical(&grant.bus);
        let device = match grant.bus.strip_prefix(BOARD) {
            Some("i2c-1") => I2cBus::Simulated(self.board(&grant.bus)?),
            Some(_) => return Err(not_on_the_board(&grant.bus)),
            None => I2cBus::Linux(LinuxI2c::new(&place)),
        };
        Ok(Claimed { bus: self.bus(|buses| &mut buses.i2c, &place, device)?, claim })
    }

    fn spi(&self, grant: &SpiGrant, claim: Claim) -> Result<Claimed<SpiChip>, DeviceError> {
        if grant.bus.starts_with(BOARD) {
            return Err(not_on_the_board(&grant.bus));
        }
        let place = canonical(&grant.bus);
        Ok(Claimed { bus: self.bus(|buses| &mut buses.spi, &place, SpiChip::new(&place))?, claim })
    }

    fn line(&self, grant: &GpioGrant, claim: Claim) -> Result<Claimed<Lines>, DeviceError> {
        let place = canonical(&grant.chip);
        let device = match grant.chip.strip_prefix(BOARD) {
            Some("gpio") => Lines::Simulated(self.board(&grant.chip)?),
            Some(_) => return Err(not_on_the_board(&grant.chip)),
            None => Lines::real(&place),
        };
        Ok(Claimed { bus: self.bus(|buses| &mut buses.lines, &place, device)?, claim })
    }

    fn channel(&self, grant: &PwmGrant, claim: Claim) -> Result<Claimed<Channels>, DeviceError> {
        let device = match grant.chip.strip_prefix(BOARD) {
            Some("pwm-0") => Channels::Simulated(self.board(&grant.chip)?),
            Some(_) => return Err(not_on_the_board(&grant.chip)),
            None => Channels::real(),
        };
        Ok(Claimed { bus: self.bus(|buses| &mut buses.channels, &grant.chip, device)?, claim })
    }

    fn file(&self, grant: &SysfsGrant, claim: Claim) -> Result<Claimed<Files>, DeviceError> {
        Ok(Claimed { bus: self.bus(|buses| &mut buses.files, Files::lane(grant), Files)?, claim })
    }

    fn board(&self, place: &str) -> Result<Board, DeviceError> {
        self.board.clone().ok_or_else(|| DeviceError::NoDevice {
            place: place.to_owned(),
            why: "this gateway runs without a simulated board".to_owned(),
        })
    }

    /// The bus at `place`, started with `device` when nobody uses it yet.
    fn bus<D: Send + 'static>(
        &self,
        of_kind: impl FnOnce(&mut Buses) -> &mut HashMap<String, Arc<Bus<D>>>,
        place: &str,
        device: D,
    ) -> Result<Arc<Bus<D>>, DeviceError> {
        let mut buses = lock(&self.buses);
        let watchdog = match &buses.watchdog {
            Some(watchdog) => watchdog.clone(),
            None => buses.watchdog.insert(Watchdog::start()?).clone(),
        };
        let of_kind = of_kind(&mut buses);
        if let Some(bus) = of_kind.get(place).filter(|bus| bus.is_alive()) {
            return Ok(Arc::clone(bus));
        }
        // Buses that nobody uses any more end here, once what their slots left behind has run.
        of_kind.retain(|_, bus| Arc::strong_count(bus) > 1 || !bus.is_idle());
        let bus = Bus::start(place, device, watchdog)?;
        of_kind.insert(place.to_owned(), Arc::clone(&bus));
        Ok(bus)
    }
}

fn not_on_the_board(place: &str) -> DeviceError {
    DeviceError::NoDevice {
        place: place.to_owned(),
        why: "the simulated board has board:i2c-1, board:gpio and board:pwm-0".to_owned(),
    }
}

#[cfg(test)]
mod tests;
