//! What the deployment says: settings, and why this instance starts.

use crate::bindings::tidegate::thing::types;
use crate::setting::{Durable, Setting};
use crate::{Fault, Thing, Value};
use core::ops::Deref;
pub use types::Origin;

/// Settings by name, and the [`Thing`] (to which it derefs: `config.gpio("coil")?`).
#[derive(Debug)]
pub struct Config {
    thing: Thing,
    settings: Vec<(String, Value)>,
}

impl Config {
    pub(crate) fn new(config: types::Config) -> Self {
        Self { thing: Thing::new(&config.thing, config.wants), settings: config.settings }
    }

    /// The Thing, to keep.
    #[must_use]
    pub fn thing(&self) -> Thing {
        self.thing.clone()
    }

    /// What the deployment set; for what never changes while the handler runs.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|(setting, _)| setting == name).map(|(_, value)| value)
    }

    /// A setting that consumers may change: what was written last, else what the deployment says, else `default`.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the deployment's value has another type.
    pub fn setting<T: Durable>(&self, name: &'static str, default: T) -> Result<Setting<T>, Fault> {
        Setting::load(name, self.value(name), default)
    }
}

impl Deref for Config {
    type Target = Thing;

    fn deref(&self) -> &Thing {
        &self.thing
    }
}
