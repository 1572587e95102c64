//! The trait that a handler implements.

use crate::{Action, Config, Fault, Origin, Thing, Value};
use core::future::{Future, pending, ready};

/// The behaviour of one Thing.
///
/// One instance answers one Thing, one call at a time. What it keeps in its fields lives until the gateway stops, the
/// handler is replaced, or it traps; what must outlive that is a [`crate::Setting`] or a [`crate::state`] key.
/// Names have been checked against the Thing Model before a call arrives here, and so have inputs against their schema.
pub trait Handler: Sized + 'static {
    /// Takes the configuration. Devices answer `busy` until the first wake: use them in [`Handler::run`] or in calls.
    ///
    /// # Errors
    /// What the deployment has to mend: a setting of the wrong type, a device that was not granted.
    fn start(config: &Config, origin: Origin) -> Result<Self, Fault>;

    /// Lives beside the calls: samples, waits for edges, publishes. Every `.await` lets the Thing answer.
    ///
    /// # Errors
    /// When it ends with an error it is run again after 1 s, 2 s, 4 s .. 60 s; until it publishes, reads that find no
    /// reading answer its reason. [`Thing::tell_failures`] tells of it by events.
    fn run(&self, _thing: &Thing) -> impl Future<Output = Result<(), Fault>> {
        pending()
    }

    /// Answers a property for which no published reading is good now.
    ///
    /// # Errors
    /// Why there is no value; unless overridden, that no reading was published yet.
    fn read_property(&self, _name: &str) -> Result<Value, Fault> {
        Err(Fault::unavailable("there is no reading yet"))
    }

    /// Takes a new value of a property. It is acknowledged when this returns.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a value that cannot be taken.
    fn write_property(&self, _name: &str, _value: Value) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }

    /// Performs an action. If it is done at the first poll, its output is the answer; else the caller gets an
    /// `ActionStatus` and this future goes on beside the other calls. Cancelling drops it: undo in a drop guard what
    /// must not stay. [`Value::Null`] stands for "no input" and "no output".
    ///
    /// # Errors
    /// Ends the action as failed.
    fn invoke_action(
        &self,
        _name: &str,
        _input: Value,
        _action: &Action,
    ) -> impl Future<Output = Result<Value, Fault>> {
        ready(Err(Fault::NotFound))
    }

    /// The Thing is being stopped or its handler replaced. Running tasks have been dropped.
    fn stop(&self) {}
}
