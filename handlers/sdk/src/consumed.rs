//! Other Things, by grant: an automation reads, writes, invokes and listens.

use crate::bindings::tidegate::thing::{things, types};
use crate::queue::Queue;
use crate::{Fault, Reading, Value};
use core::cell::RefCell;
use std::rc::{Rc, Weak};
pub use types::ThingEvent;

/// Another Thing of the gateway. Each call waits for the other Thing's answer, within this call's budget.
#[derive(Clone, Debug)]
pub struct ConsumedThing {
    slot: u32,
}

impl ConsumedThing {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }

    /// Reads a property.
    ///
    /// # Errors
    /// The other Thing's fault; so for the calls below.
    pub fn read(&self, property: &str) -> Result<Reading, Fault> {
        things::read(self.slot, property)
    }

    /// Writes a property.
    ///
    /// # Errors
    /// As [`ConsumedThing::read`].
    pub fn write(&self, property: &str, value: impl Into<Value>) -> Result<(), Fault> {
        things::write(self.slot, property, &value.into())
    }

    /// Invokes an action; [`Value::Null`] stands for no input and no output.
    ///
    /// # Errors
    /// As [`ConsumedThing::read`].
    pub fn invoke(&self, action: &str, input: impl Into<Value>) -> Result<Value, Fault> {
        let input = Some(input.into()).filter(|input| *input != Value::Null);
        things::invoke(self.slot, action, input.as_ref()).map(|output| output.unwrap_or(Value::Null))
    }

    /// Every event of this name from now on.
    ///
    /// # Errors
    /// As [`ConsumedThing::read`].
    pub fn subscribe(&self, event: &str) -> Result<Events, Fault> {
        things::subscribe(self.slot, event)?;
        Ok(Events::open(self.slot, event))
    }
}

/// The events of a subscription, in order.
pub struct Events {
    listener: Rc<Listener>,
}

struct Listener {
    slot: u32,
    name: String,
    queue: Queue<ThingEvent>,
}

thread_local! {
    static LISTENERS: RefCell<Vec<Weak<Listener>>> = const { RefCell::new(Vec::new()) };
}

/// Hands an event to whoever listens.
pub(crate) fn signal(event: &ThingEvent) {
    let listeners: Vec<Rc<Listener>> = LISTENERS.with_borrow_mut(|listeners| {
        listeners.retain(|listener| listener.strong_count() > 0);
        let alive = listeners.iter().filter_map(Weak::upgrade);
        alive.filter(|listener| listener.slot == event.slot && listener.name == event.name).collect()
    });
    for listener in listeners {
        listener.queue.push(event.clone());
    }
}

impl Events {
    fn open(slot: u32, name: &str) -> Self {
        let listener = Rc::new(Listener { slot, name: name.into(), queue: Queue::new() });
        LISTENERS.with_borrow_mut(|listeners| listeners.push(Rc::downgrade(&listener)));
        Self { listener }
    }

    /// The next event.
    pub async fn next(&mut self) -> ThingEvent {
        self.listener.queue.next().await
    }

    /// How many events gave way because nobody took them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.listener.queue.lost()
    }
}

impl core::fmt::Debug for Events {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Events").field("name", &self.listener.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::Future;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    #[test]
    fn events_of_the_own_subscription_come() {
        let event = |slot, name: &str| ThingEvent { slot, name: name.into(), data: Value::Null, at: 1 };
        let mut events = Events::open(3, "overheating");
        signal(&event(3, "other"));
        signal(&event(4, "overheating"));
        signal(&event(3, "overheating"));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(events.next()).poll(&mut context), Poll::Ready(event(3, "overheating")));
        assert!(pin!(events.next()).poll(&mut context).is_pending());
    }
}
