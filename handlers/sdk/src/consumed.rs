//! Other Things, by grant: an automation reads, writes, invokes and listens.

use crate::bindings::tidegate::thing::{things, types};
use crate::notify::Notify;
use crate::{Fault, Reading, Value};
use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
pub use types::ThingEvent;

/// Events that wait in one queue.
const EVENTS_MAX: usize = 64;

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
    queue: Rc<Queue>,
}

struct Queue {
    slot: u32,
    name: String,
    waiting: RefCell<VecDeque<ThingEvent>>,
    lost: Cell<u64>,
    notify: Notify,
}

thread_local! {
    static QUEUES: RefCell<Vec<Weak<Queue>>> = const { RefCell::new(Vec::new()) };
}

/// Hands an event to whoever listens.
pub(crate) fn signal(event: &ThingEvent) {
    let queues: Vec<Rc<Queue>> = QUEUES.with_borrow_mut(|queues| {
        queues.retain(|queue| queue.strong_count() > 0);
        let alive = queues.iter().filter_map(Weak::upgrade);
        alive.filter(|queue| queue.slot == event.slot && queue.name == event.name).collect()
    });
    for queue in queues {
        let mut waiting = queue.waiting.borrow_mut();
        if waiting.len() == EVENTS_MAX {
            waiting.pop_front();
            queue.lost.set(queue.lost.get() + 1);
        }
        waiting.push_back(event.clone());
        drop(waiting);
        queue.notify.notify();
    }
}

impl Events {
    fn open(slot: u32, name: &str) -> Self {
        let waiting = RefCell::new(VecDeque::new());
        let queue = Rc::new(Queue { slot, name: name.into(), waiting, lost: Cell::new(0), notify: Notify::new() });
        QUEUES.with_borrow_mut(|queues| queues.push(Rc::downgrade(&queue)));
        Self { queue }
    }

    /// The next event.
    pub async fn next(&mut self) -> ThingEvent {
        loop {
            let event = self.queue.waiting.borrow_mut().pop_front();
            match event {
                Some(event) => return event,
                None => self.queue.notify.changed().await,
            }
        }
    }

    /// How many events gave way because nobody took them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lost.get()
    }
}

impl core::fmt::Debug for Events {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Events").field("name", &self.queue.name).finish_non_exhaustive()
    }
}
