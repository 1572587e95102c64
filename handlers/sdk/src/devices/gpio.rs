//! GPIO lines: levels, and edges as they come.
//!
//! Levels are logical: the grant says whether the line is active-low. Edges arrive as signals and wait in a bounded
//! queue per [`Edges`]; the oldest give way.

use super::error::DeviceError;
use crate::bindings::tidegate::thing::{gpio, types};
use crate::notify::Notify;
use core::cell::{Cell, RefCell};
use embedded_hal::digital::{ErrorType, InputPin, OutputPin, StatefulOutputPin};
use embedded_hal_async::digital::Wait;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
pub use types::{Edge, Level};

/// Edges that wait in one queue.
const EDGES_MAX: usize = 64;

/// A granted GPIO line.
#[derive(Clone, Debug)]
pub struct Line {
    slot: u32,
}

impl Line {
    pub(crate) const fn new(slot: u32) -> Self {
        Self { slot }
    }

    /// The level now; true is high.
    ///
    /// # Errors
    /// What the device says.
    pub fn read(&self) -> Result<bool, DeviceError> {
        gpio::read(self.slot).map(|level| level == Level::High)
    }

    /// Drives the line; true is high.
    ///
    /// # Errors
    /// What the device says.
    pub fn write(&self, high: bool) -> Result<(), DeviceError> {
        gpio::write(self.slot, if high { Level::High } else { Level::Low })
    }

    /// Every edge from now on.
    ///
    /// # Errors
    /// What the device says.
    pub fn edges(&self) -> Result<Edges, DeviceError> {
        gpio::watch(self.slot, gpio::Edges::Both)?;
        Ok(Edges::open(self.slot))
    }
}

/// The edges of one line, in order. Keep it over a loop: what comes between two calls of [`Edges::next`] waits.
pub struct Edges {
    queue: Rc<Queue>,
}

struct Queue {
    slot: u32,
    waiting: RefCell<VecDeque<Edge>>,
    lost: Cell<u64>,
    notify: Notify,
}

thread_local! {
    static QUEUES: RefCell<Vec<Weak<Queue>>> = const { RefCell::new(Vec::new()) };
}

/// Hands an edge to whoever listens.
pub(crate) fn signal(edge: Edge) {
    let queues: Vec<Rc<Queue>> = QUEUES.with_borrow_mut(|queues| {
        queues.retain(|queue| queue.strong_count() > 0);
        queues.iter().filter_map(Weak::upgrade).filter(|queue| queue.slot == edge.slot).collect()
    });
    for queue in queues {
        let mut waiting = queue.waiting.borrow_mut();
        if waiting.len() == EDGES_MAX {
            waiting.pop_front();
            queue.lost.set(queue.lost.get() + 1);
        }
        waiting.push_back(edge);
        drop(waiting);
        queue.notify.notify();
    }
}

impl Edges {
    fn open(slot: u32) -> Self {
        let waiting = RefCell::new(VecDeque::new());
        let queue = Rc::new(Queue { slot, waiting, lost: Cell::new(0), notify: Notify::new() });
        QUEUES.with_borrow_mut(|queues| queues.push(Rc::downgrade(&queue)));
        Self { queue }
    }

    /// The next edge: the level that was reached and when.
    pub async fn next(&mut self) -> Edge {
        loop {
            let edge = self.queue.waiting.borrow_mut().pop_front();
            match edge {
                Some(edge) => return edge,
                None => self.queue.notify.changed().await,
            }
        }
    }

    /// The next edge that reaches `level`.
    pub async fn next_to(&mut self, level: Level) -> Edge {
        loop {
            let edge = self.next().await;
            if edge.level == level {
                return edge;
            }
        }
    }

    /// How many edges gave way because nobody took them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lost.get()
    }
}

impl core::fmt::Debug for Edges {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Edges").field("slot", &self.queue.slot).finish_non_exhaustive()
    }
}

impl ErrorType for Line {
    type Error = DeviceError;
}

impl InputPin for Line {
    fn is_high(&mut self) -> Result<bool, DeviceError> {
        self.read()
    }

    fn is_low(&mut self) -> Result<bool, DeviceError> {
        self.read().map(|high| !high)
    }
}

impl OutputPin for Line {
    fn set_high(&mut self) -> Result<(), DeviceError> {
        self.write(true)
    }

    fn set_low(&mut self) -> Result<(), DeviceError> {
        self.write(false)
    }
}

impl StatefulOutputPin for Line {
    fn is_set_high(&mut self) -> Result<bool, DeviceError> {
        self.read()
    }

    fn is_set_low(&mut self) -> Result<bool, DeviceError> {
        self.read().map(|high| !high)
    }
}

/// The queue is opened before the level is read, so that no edge is missed in between.
impl Wait for Line {
    async fn wait_for_high(&mut self) -> Result<(), DeviceError> {
        let mut edges = self.edges()?;
        if !self.read()? {
            edges.next_to(Level::High).await;
        }
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), DeviceError> {
        let mut edges = self.edges()?;
        if self.read()? {
            edges.next_to(Level::Low).await;
        }
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), DeviceError> {
        self.edges()?.next_to(Level::High).await;
        Ok(())
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), DeviceError> {
        self.edges()?.next_to(Level::Low).await;
        Ok(())
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), DeviceError> {
        self.edges()?.next().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::Future;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    const fn edge(slot: u32, level: Level, at: u64) -> Edge {
        Edge { slot, level, at }
    }

    fn poll(edges: &mut Edges) -> Poll<Edge> {
        pin!(edges.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn edges_of_the_own_line_come_in_order() {
        let mut edges = Edges::open(1);
        assert!(poll(&mut edges).is_pending());
        signal(edge(2, Level::High, 5));
        signal(edge(1, Level::High, 6));
        signal(edge(1, Level::Low, 7));
        assert_eq!(poll(&mut edges), Poll::Ready(edge(1, Level::High, 6)));
        assert_eq!(poll(&mut edges), Poll::Ready(edge(1, Level::Low, 7)));
        assert!(poll(&mut edges).is_pending());
    }

    #[test]
    fn the_oldest_edges_give_way_and_are_counted() {
        let mut edges = Edges::open(1);
        for at in 0..=EDGES_MAX as u64 {
            signal(edge(1, Level::High, at));
        }
        assert_eq!(edges.lost(), 1);
        assert_eq!(poll(&mut edges), Poll::Ready(edge(1, Level::High, 1)));
    }

    #[test]
    fn a_dropped_queue_is_forgotten() {
        drop(Edges::open(9));
        signal(edge(9, Level::High, 1));
        assert!(QUEUES.with_borrow(Vec::is_empty));
    }
}
