//! What the host's tests run: handlers written in text, an engine for all tests, and the set-up of an instance.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use handler_host::{
    Answer, Call, Capabilities, Config, EngineConfig, HandlerComponent, HandlerEngine, HandlerError, HandlerInstance,
    InstanceSetup, Limits, Origin, Signal, ThingClock,
};
use things::Slot;
use tokio::sync::mpsc;

pub(crate) use crate::written::{Guest, SPIN, ZEROS, append_model};

impl Guest {
    pub(crate) fn load(&self) -> HandlerComponent {
        engine().load(&self.component()).unwrap()
    }

    /// Started, without devices.
    pub(crate) async fn start(&self) -> HandlerInstance {
        started(HandlerInstance::start(setup(&self.load()), Origin::Fresh, 1_000).await)
    }
}

/// One engine for all tests of this process, without a cache.
pub(crate) fn engine() -> &'static HandlerEngine {
    static ENGINE: OnceLock<HandlerEngine> = OnceLock::new();
    ENGINE.get_or_init(|| HandlerEngine::new(EngineConfig { instances_max: 32, ..EngineConfig::default() }).unwrap())
}

/// An instance of this component for a Thing without devices.
pub(crate) fn setup(component: &HandlerComponent) -> InstanceSetup {
    setup_with(component, HashMap::new()).unwrap().0
}

/// An instance for a Thing with these devices, and its queue of signals (4 places).
pub(crate) fn setup_with(
    component: &HandlerComponent,
    slots: HashMap<String, Slot>,
) -> Result<(InstanceSetup, mpsc::Receiver<Signal>), HandlerError> {
    let (send, receive) = mpsc::channel(4);
    let setup = InstanceSetup {
        component: component.clone(),
        capabilities: Capabilities::new(component.wants(), slots, send)?,
        clock: ThingClock::resume(0),
        state: BTreeMap::new(),
        config: Config { thing: "test".into(), settings: Vec::new() },
        limits: Limits::default(),
    };
    Ok((setup, receive))
}

pub(crate) fn started(answer: Answer<()>) -> HandlerInstance {
    answer.result.unwrap();
    answer.instance.unwrap()
}

pub(crate) fn call(budget_ms: u32) -> Call {
    Call::gateway(budget_ms)
}
