//! The Thing that a handler answers for: publishing, events, and its devices by the labels of the Thing Model.

use crate::bindings::tidegate::thing::{emit, types};
use crate::{ConsumedThing, Fault, I2c, Line, Pwm, Spi, SysfsFile, Value, clock, run};
use std::rc::Rc;
pub use types::{Quality, Reading};
use types::{Want, WantKind};

/// A cheap handle; clone it at will.
#[derive(Clone, Debug)]
pub struct Thing {
    name: Rc<str>,
    wants: Rc<[Want]>,
}

impl Thing {
    pub(crate) fn new(name: &str, wants: Vec<Want>) -> Self {
        Self { name: name.into(), wants: wants.into() }
    }

    /// The Thing's name, as in its URL.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes a property's value, taken now. For `good_for_ms` the gateway answers reads from it without asking the
    /// handler; three sampling intervals are a good choice.
    pub fn publish(&self, property: &str, value: impl Into<Value>, good_for_ms: u64) {
        self.publish_reading(property, &reading(value.into()), good_for_ms);
    }

    /// Publishes a reading with its own time and quality.
    pub fn publish_reading(&self, property: &str, reading: &Reading, good_for_ms: u64) {
        run::published();
        emit::reading(property, reading, good_for_ms);
    }

    /// Emits an event to its subscribers.
    pub fn emit(&self, event: &str, data: impl Into<Value>) {
        emit::event(event, &data.into());
    }

    /// From now on a failure of [`crate::Handler::run`] is told: by the event `failed`, with the reason as its data, when `run`
    /// ends with an error, and by the event `recovered`, without data, with the first publication after that. Once each,
    /// however often `run` is tried in between.
    pub fn tell_failures(&self, failed: &'static str, recovered: &'static str) {
        run::tell_failures(failed, recovered);
    }

    /// Was this want granted? For wants that the Thing Model calls optional.
    #[must_use]
    pub fn is_granted(&self, label: &str) -> bool {
        self.wants.iter().any(|want| want.label == label && want.granted)
    }

    /// The I2C device behind a label.
    ///
    /// # Errors
    /// [`Fault::Denied`] when it was not granted; so for every device below.
    pub fn i2c(&self, label: &str) -> Result<I2c, Fault> {
        self.slot(label, WantKind::I2c).map(I2c::new)
    }

    /// The SPI device behind a label.
    ///
    /// # Errors
    /// As [`Thing::i2c`].
    pub fn spi(&self, label: &str) -> Result<Spi, Fault> {
        self.slot(label, WantKind::Spi).map(Spi::new)
    }

    /// The GPIO line behind a label.
    ///
    /// # Errors
    /// As [`Thing::i2c`].
    pub fn gpio(&self, label: &str) -> Result<Line, Fault> {
        self.slot(label, WantKind::Gpio).map(Line::new)
    }

    /// The PWM channel behind a label.
    ///
    /// # Errors
    /// As [`Thing::i2c`].
    pub fn pwm(&self, label: &str) -> Result<Pwm, Fault> {
        self.slot(label, WantKind::Pwm).map(Pwm::new)
    }

    /// The file of sysfs or procfs behind a label.
    ///
    /// # Errors
    /// As [`Thing::i2c`].
    pub fn sysfs(&self, label: &str) -> Result<SysfsFile, Fault> {
        self.slot(label, WantKind::Sysfs).map(SysfsFile::new)
    }

    /// The other Thing behind a label.
    ///
    /// # Errors
    /// As [`Thing::i2c`].
    pub fn thing(&self, label: &str) -> Result<ConsumedThing, Fault> {
        self.slot(label, WantKind::Things).map(ConsumedThing::new)
    }

    /// A want's place in the list is its slot: a number survives a move, a handle would not.
    fn slot(&self, label: &str, kind: WantKind) -> Result<u32, Fault> {
        let found = self.wants.iter().position(|want| want.label == label && want.kind == kind);
        let slot = found.ok_or_else(|| Fault::Failed(["the Thing Model declares no such want: ", label].concat()))?;
        if !self.wants[slot].granted {
            return Err(Fault::Denied(["no grant was given for the label ", label].concat()));
        }
        u32::try_from(slot).map_err(|_| Fault::failed("too many wants"))
    }
}

/// A good reading, taken now.
pub(crate) fn reading(value: Value) -> Reading {
    Reading { value, taken: clock::now_us(), quality: Quality::Good }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_by_kind_and_refused_without_a_grant() {
        let want = |label: &str, kind, granted| Want { label: label.into(), kind, granted };
        let thing = Thing::new("x", vec![want("led", WantKind::Gpio, true), want("sensor", WantKind::I2c, false)]);
        assert!(thing.gpio("led").is_ok());
        assert!(thing.is_granted("led") && !thing.is_granted("sensor") && !thing.is_granted("other"));
        assert!(matches!(thing.i2c("sensor"), Err(Fault::Denied(why)) if why.contains("sensor")));
        assert!(matches!(thing.i2c("led"), Err(Fault::Failed(_))));
    }
}
