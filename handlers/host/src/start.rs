//! Starting a handler: a new store, the component in it, then its own `start`.
//!
//! Instantiating runs code of the component too, so it stands under the same budget. Devices answer `busy` until it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::answer::{Answer, CallReport};
use crate::bindings::tidegate::thing::types;
use crate::bindings::{ThingHandler, ThingHandlerPre};
use crate::call::{RunningCall, Ticking};
use crate::capabilities::Capabilities;
use crate::clock::ThingClock;
use crate::component::HandlerComponent;
use crate::engine::EngineShared;
use crate::error::{DeadlinePassed, HandlerError};
use crate::instance::{HandlerInstance, lost, of_call, store};
use crate::limits::Limits;
use crate::plain;
use crate::sandbox::Sandbox;
use crate::state::HeldState;
use crate::value::{Config, Fault, Origin};

/// Why a start that asks a device fails.
const DEVICES_LATER: &str = "its start was told `busy`: devices answer after `start`, in `run` and in calls";
const EXPORT: &str = "start";

/// Everything that an instance is made of.
#[derive(Clone, Debug)]
pub struct InstanceSetup {
    /// The code.
    pub component: HandlerComponent,
    /// What the Thing was granted.
    pub capabilities: Capabilities,
    /// The Thing's own clock.
    pub clock: ThingClock,
    /// The host-held state, as the store has it.
    pub state: BTreeMap<String, Vec<u8>>,
    /// What the deployment says.
    pub config: Config,
    /// What the Thing may use.
    pub limits: Limits,
}

impl HandlerInstance {
    /// Makes an instance and starts it, within `budget_ms` of wall time.
    ///
    /// The answer's error is [`HandlerError::Denied`] when the component imports an interface of devices that it declares no
    /// want for, [`HandlerError::Overloaded`] when there is no space for one more, and the handler's own fault when it refuses.
    pub async fn start(setup: InstanceSetup, origin: Origin, budget_ms: u32) -> Answer<()> {
        let began = Instant::now();
        let starting = match Starting::prepare(setup, origin, budget_ms, began) {
            Ok(starting) => starting,
            Err(error) => return refused(error, began),
        };
        let (control, engine) = (Arc::clone(&starting.sandbox.control), Arc::clone(&starting.engine));
        let future = Box::pin(starting.run());
        RunningCall { future, control, engine, export: EXPORT, began, first_poll: true }.answer().await
    }
}

fn refused(error: HandlerError, began: Instant) -> Answer<()> {
    let report = CallReport { elapsed: began.elapsed(), ..CallReport::default() };
    Answer { instance: None, result: Err(error), effects: Vec::new(), salvaged: None, report }
}

struct Starting {
    component: HandlerComponent,
    engine: Arc<EngineShared>,
    sandbox: Sandbox,
    config: types::Config,
    origin: Origin,
    budget_ms: u32,
    began: Instant,
}

impl Starting {
    fn prepare(setup: InstanceSetup, origin: Origin, budget_ms: u32, began: Instant) -> Result<Self, HandlerError> {
        let InstanceSetup { component, capabilities, clock, state, config, limits } = setup;
        let ungranted = component.imports().iter().find(|import| !capabilities.allow(import));
        if let Some(import) = ungranted {
            return Err(HandlerError::Denied { capability: import.clone() });
        }
        let engine = Arc::clone(component.engine());
        let wants = capabilities.wants();
        let config = types::Config { thing: config.thing, settings: config.settings, wants };
        let sandbox = Sandbox::new(capabilities, clock, HeldState::new(state), limits);
        Ok(Self { component, engine, sandbox, config, origin, budget_ms, began })
    }

    async fn run(self) -> Answer<()> {
        let Self { component, engine, sandbox, config, origin, budget_ms, began } = self;
        let ticking = Ticking::begin(&engine);
        sandbox.control.begin(began, budget_ms);
        let (mut store, guest) = match instantiate(&component, sandbox, budget_ms).await {
            Ok(instantiated) => instantiated,
            Err(Instead::Lost(store, error)) => return lost(store, error, began),
            Err(Instead::Refused(error)) => return refused(error, began),
        };
        let outcome = guest.tidegate_thing_handler().call_start(&mut store, &config, origin).await;
        drop(ticking);
        let error = match outcome {
            Ok(Ok(())) => {
                let sandbox = store.data_mut();
                sandbox.starting = false;
                sandbox.state.keep();
                let effects = sandbox.effects.take(false);
                let host_calls = sandbox.end_call();
                let report = CallReport { elapsed: began.elapsed(), moved_to_background: false, host_calls };
                let instance = Some(HandlerInstance::of(store, guest, engine));
                return Answer { instance, result: Ok(()), effects, salvaged: None, report };
            }
            // The one way to hear it here, and a riddle by itself.
            Ok(Err(Fault::Busy)) => HandlerError::Fault(Fault::Failed(DEVICES_LATER.to_owned())),
            Ok(Err(fault)) => HandlerError::Fault(plain::fault(fault)),
            Err(error) => of_call(&error, EXPORT, budget_ms),
        };
        lost(store, error, began)
    }
}

/// No instance: with what the sandbox holds by then, or before there was a store.
enum Instead {
    Lost(Store<Sandbox>, HandlerError),
    Refused(HandlerError),
}

/// In a place of the pool where one fits and is free, otherwise with memories of its own.
async fn instantiate(
    component: &HandlerComponent,
    sandbox: Sandbox,
    budget_ms: u32,
) -> Result<(Store<Sandbox>, ThingHandler), Instead> {
    let (mut sandbox, mut full) = (sandbox, false);
    if let Some(ready) = component.pooled(sandbox.limits.memory_bytes_max) {
        let (store, instantiated) = inside(ready, sandbox).await;
        match instantiated {
            Ok(guest) => return Ok((store, guest)),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                (sandbox, full) = (store.into_data().unused(), true);
            }
            Err(error) => return Err(Instead::Lost(store, of_instantiation(&error, budget_ms))),
        }
    }
    let spared = component.engine().engines.spare();
    spared.map_err(|_| Instead::Refused(HandlerError::Overloaded))?;
    let ready = component.on_demand().map_err(Instead::Refused)?;
    let (store, instantiated) = inside(ready, sandbox).await;
    match instantiated {
        Ok(guest) => Ok((store, guest)),
        // What would have fitted a place of the pool is no bad component: there is no space for one more.
        Err(error) if full && !of_guest(&error) => Err(Instead::Lost(store, HandlerError::Overloaded)),
        Err(error) => Err(Instead::Lost(store, of_instantiation(&error, budget_ms))),
    }
}

async fn inside(
    ready: &ThingHandlerPre<Sandbox>,
    sandbox: Sandbox,
) -> (Store<Sandbox>, wasmtime::Result<ThingHandler>) {
    let mut store = store(ready.engine(), sandbox);
    store.set_epoch_deadline(1);
    let instantiated = ready.instantiate_async(&mut store).await;
    (store, instantiated)
}

/// Code that runs while instantiating may trap or take long; anything else is the component's form, or the space for it.
fn of_guest(error: &wasmtime::Error) -> bool {
    error.is::<Trap>() || error.is::<DeadlinePassed>()
}

fn of_instantiation(error: &wasmtime::Error, budget_ms: u32) -> HandlerError {
    if of_guest(error) {
        return of_call(error, EXPORT, budget_ms);
    }
    HandlerError::bad(format!("it cannot be instantiated: {error:#}"))
}
