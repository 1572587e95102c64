//! Button: tells each press, and counts them for ever.
//!
//! A press is an edge to active that has outlasted the grant's debounce time. It is in the count, and the count is kept,
//! before anybody is told.

use tidegate_handler::{Config, Fault, Handler, Level, Line, Origin, Setting, Thing, Value};

struct Button {
    line: Line,
    presses: Setting<u64>,
}

impl Handler for Button {
    fn start(config: &Config, _origin: Origin) -> Result<Self, Fault> {
        Ok(Self { line: config.gpio("button")?, presses: config.setting("presses", 0)? })
    }

    async fn run(&self, thing: &Thing) -> Result<(), Fault> {
        let mut edges = self.line.edges()?;
        loop {
            edges.next_to(Level::High).await;
            let presses = self.presses.get() + 1;
            self.presses.set(presses)?;
            thing.emit("pressed", presses);
        }
    }

    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        if name == "presses" { self.presses.read() } else { Ok(self.line.read()?.into()) }
    }
}

tidegate_handler::export!(Button);
