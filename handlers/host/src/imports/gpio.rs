//! `gpio`: logical levels of granted lines, and their edges as signals in the Thing's own queue.

use std::sync::Arc;

use things::{EdgeKind, EdgeSink, GpioSlot, Slot};

use super::device::Answer;
use crate::bindings::tidegate::thing::gpio::{Edges, Host};
use crate::sandbox::Sandbox;
use crate::value::{Edge, Level, Signal};

fn pick(slot: &Slot) -> Option<GpioSlot> {
    if let Slot::Gpio(slot) = slot { Some(slot.clone()) } else { None }
}

fn level(level: things::Level) -> Level {
    match level {
        things::Level::Low => Level::Low,
        things::Level::High => Level::High,
    }
}

impl Host for Sandbox {
    async fn read(&mut self, slot: u32) -> Answer<Level> {
        match self.device(slot, pick) {
            Ok(line) => Ok(self.bound(line.read()).await?.map(level)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write(&mut self, slot: u32, level: Level) -> Answer<()> {
        let level = match level {
            Level::Low => things::Level::Low,
            Level::High => things::Level::High,
        };
        match self.output(slot, pick) {
            Ok(line) => self.bound(line.write(level)).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn watch(&mut self, slot: u32, edges: Edges) -> Answer<()> {
        let edges = match edges {
            Edges::Rising => EdgeKind::Rising,
            Edges::Falling => EdgeKind::Falling,
            Edges::Both => EdgeKind::Both,
        };
        match self.device(slot, pick) {
            Ok(line) => self.bound(line.watch(edges, self.edge_sink(slot))).await,
            Err(error) => Ok(Err(error)),
        }
    }
}

impl Sandbox {
    /// Numbers of slots are those of this instance's wants: edges end with it.
    fn edge_sink(&self, slot: u32) -> EdgeSink {
        let (tell, clock) = (self.capabilities.teller(), self.clock);
        let alive = Arc::downgrade(&self.control);
        Arc::new(move |edge: things::Edge| {
            if alive.strong_count() > 0 {
                tell(Signal::Edge(Edge { slot, level: level(edge.level), at: clock.at(edge.at) }));
            }
        })
    }
}
