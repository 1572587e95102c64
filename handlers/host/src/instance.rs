//! One running handler: its store, and the calls of the contract.
//!
//! A call takes the instance and gives it back in its [`Answer`], so calls of one Thing follow each other by construction. An
//! instance that trapped is in an unknown state and is not given back. The futures must be polled to their end, inside a tokio
//! runtime with time: a dropped one would leave the guest in the middle of a function (cancel by [`Canceller`] instead).

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;
use wasmtime::{Store, UpdateDeadline};

use crate::answer::{Answer, CallReport};
use crate::bindings::ThingHandler;
use crate::bindings::exports::tidegate::thing::handler::Guest;
use crate::call::{CallFuture, RunningCall, Ticking};
use crate::control::CallControl;
use crate::engine::EngineShared;
use crate::error::{DeadlinePassed, HandlerError, of_trap};
use crate::limits::Limits;
use crate::plain;
use crate::sandbox::Sandbox;
use crate::value::{Call, Fault, Outcome, Reading, Signal, Value};

/// A started handler, between two calls.
pub struct HandlerInstance {
    own: Box<Own>,
}

/// What a call takes along.
pub(crate) struct Own {
    pub(crate) store: Store<Sandbox>,
    pub(crate) guest: ThingHandler,
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) control: Arc<CallControl>,
    /// The affordance of the running call; kept, so that a call allocates nothing for it.
    name: String,
}

/// Ends the running call of an instance as if its budget were over.
#[derive(Clone, Debug)]
pub struct Canceller {
    control: Arc<CallControl>,
}

impl Canceller {
    /// Ends the running call, if one runs, by [`HandlerError::Deadline`]; the instance is lost.
    pub fn cancel(&self) {
        self.control.cancel();
    }
}

impl std::fmt::Debug for HandlerInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerInstance").field("memory_bytes", &self.memory_bytes()).finish_non_exhaustive()
    }
}

impl HandlerInstance {
    /// Reads a property.
    pub fn read_property(mut self, name: &str, call: Call) -> impl Future<Output = Answer<Reading>> + Send + use<> {
        self.keep_name(name);
        self.run("read-property", call.budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, name) = call_of.parts();
                let outcome = guest.call_read_property(store, name, &call.into()).await;
                call_of.end(outcome)
            })
        })
        .answer()
    }

    /// Writes a property.
    pub fn write_property(
        mut self,
        name: &str,
        value: Value,
        call: Call,
    ) -> impl Future<Output = Answer<()>> + Send + use<> {
        self.keep_name(name);
        self.run("write-property", call.budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, name) = call_of.parts();
                let outcome = guest.call_write_property(store, name, &value, &call.into()).await;
                call_of.end(outcome)
            })
        })
        .answer()
    }

    /// Starts an action, which has the call's id.
    pub fn invoke_action(
        mut self,
        name: &str,
        input: Option<Value>,
        call: Call,
    ) -> impl Future<Output = Answer<Outcome>> + Send + use<> {
        self.keep_name(name);
        self.run("invoke-action", call.budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, name) = call_of.parts();
                let outcome = guest.call_invoke_action(store, name, input.as_ref(), &call.into()).await;
                call_of.end(outcome)
            })
        })
        .answer()
    }

    /// Ends a running action.
    pub fn cancel_action(self, id: Uuid) -> impl Future<Output = Answer<()>> + Send + use<> {
        let budget_ms = self.limits().cancel_ms;
        self.run("cancel-action", budget_ms, move |mut call_of| {
            Box::pin(async move {
                let (guest, store, _) = call_of.parts();
                let outcome = guest.call_cancel_action(store, id.into()).await;
                call_of.end(outcome)
            })
        })
        .answer()
    }

    /// Lets timers, drivers and running actions go on; answers when to wake it again, on the Thing's clock.
    pub fn wake(self) -> impl Future<Output = Answer<Option<u64>>> + Send + use<> {
        let budget_ms = self.limits().wake_ms;
        self.run("wake", budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, _) = call_of.parts();
                let now = store.data().clock.now_us();
                let outcome = guest.call_wake(store, now).await;
                call_of.end(outcome.map(Ok))
            })
        })
        .answer()
    }

    /// Hands over an edge of a line or another Thing's event.
    pub fn on_signal(self, signal: Signal) -> impl Future<Output = Answer<()>> + Send + use<> {
        let budget_ms = self.limits().signal_ms;
        self.run("on-signal", budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, _) = call_of.parts();
                let outcome = guest.call_on_signal(store, &signal).await;
                call_of.end(outcome.map(Ok))
            })
        })
        .answer()
    }

    /// Lets the handler end; the instance that comes back is to be dropped.
    pub fn stop(self) -> impl Future<Output = Answer<()>> + Send + use<> {
        let budget_ms = self.limits().stop_ms;
        self.run("stop", budget_ms, |mut call_of| {
            Box::pin(async move {
                let (guest, store, _) = call_of.parts();
                let outcome = guest.call_stop(store).await;
                call_of.end(outcome.map(Ok))
            })
        })
        .answer()
    }

    /// Bytes of its linear memories.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        u64::try_from(self.own.store.data().memory.bytes()).unwrap_or(u64::MAX)
    }

    /// The host-held state as it is after the last call.
    #[must_use]
    pub fn state(&self) -> &BTreeMap<String, Vec<u8>> {
        self.own.store.data().state.keys()
    }

    /// Ends a call from outside; taken before the call begins.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller { control: Arc::clone(&self.own.control) }
    }

    fn limits(&self) -> &Limits {
        &self.own.store.data().limits
    }

    fn keep_name(&mut self, name: &str) {
        self.own.name.clear();
        self.own.name.push_str(name);
    }

    /// No `async fn`, here and above: the future of one would carry its arguments twice, at each floor again.
    fn run<T: Send + 'static>(
        self,
        export: &'static str,
        budget_ms: u32,
        future: impl FnOnce(CallOf) -> CallFuture<T>,
    ) -> RunningCall<T> {
        let began = Instant::now();
        let (engine, control) = (Arc::clone(&self.own.engine), Arc::clone(&self.own.control));
        let future = match control.account().exhausted(began, self.limits().cpu_ms_per_minute) {
            None => future(CallOf::begin(self.own, export, budget_ms, began)),
            Some(retry_ms) => Box::pin(ready(Answer {
                instance: Some(self),
                result: Err(HandlerError::CpuBudget { retry_ms }),
                effects: Vec::new(),
                salvaged: None,
                report: CallReport::default(),
            })),
        };
        RunningCall { future, control, engine, export, began, first_poll: true }
    }
}

/// An instance inside a call.
pub(crate) struct CallOf {
    own: Box<Own>,
    export: &'static str,
    budget_ms: u32,
    began: Instant,
    ticking: Ticking,
}

impl CallOf {
    fn begin(mut own: Box<Own>, export: &'static str, budget_ms: u32, began: Instant) -> Self {
        own.control.begin(began, budget_ms);
        own.store.set_epoch_deadline(1);
        let ticking = Ticking::begin(&own.engine);
        Self { own, export, budget_ms, began, ticking }
    }

    fn parts(&mut self) -> (&Guest, &mut Store<Sandbox>, &str) {
        let own = &mut *self.own;
        (own.guest.tidegate_thing_handler(), &mut own.store, &own.name)
    }

    /// The call ended, by itself or by a trap.
    fn end<T>(mut self, outcome: wasmtime::Result<Result<T, Fault>>) -> Answer<T> {
        drop(self.ticking);
        let sandbox = self.own.store.data_mut();
        match outcome {
            Ok(answered) => {
                sandbox.state.keep();
                let effects = sandbox.effects.take(false);
                let host_calls = sandbox.end_call();
                let report = CallReport { elapsed: self.began.elapsed(), moved_to_background: false, host_calls };
                let instance = Some(HandlerInstance { own: self.own });
                Answer {
                    instance,
                    result: answered.map_err(|fault| HandlerError::Fault(plain::fault(fault))),
                    effects,
                    salvaged: None,
                    report,
                }
            }
            Err(error) => {
                let Own { store, .. } = *self.own;
                lost(store, of_call(&error, self.export, self.budget_ms), self.began)
            }
        }
    }
}

/// The instance is lost: what it did, but for its state changes, and the state from before the call.
pub(crate) fn lost<T>(mut store: Store<Sandbox>, error: HandlerError, began: Instant) -> Answer<T> {
    let sandbox = store.data_mut();
    let error = if sandbox.memory.take_refused() && matches!(error, HandlerError::Trap { .. }) {
        HandlerError::MemoryLimit { memory_bytes_max: sandbox.memory.bytes_max() }
    } else {
        error
    };
    let report = CallReport { elapsed: began.elapsed(), moved_to_background: false, host_calls: sandbox.end_call() };
    let effects = sandbox.effects.take(true);
    let salvaged = Some(std::mem::take(&mut sandbox.state).roll_back());
    Answer { instance: None, result: Err(error), effects, salvaged, report }
}

pub(crate) fn of_call(error: &wasmtime::Error, export: &'static str, budget_ms: u32) -> HandlerError {
    if error.is::<DeadlinePassed>() { HandlerError::Deadline { budget_ms } } else { of_trap(error, export) }
}

impl HandlerInstance {
    pub(crate) fn of(store: Store<Sandbox>, guest: ThingHandler, engine: Arc<EngineShared>) -> Self {
        let control = Arc::clone(&store.data().control);
        Self { own: Box::new(Own { store, guest, engine, control, name: String::new() }) }
    }
}

/// A store whose guest yields at every epoch and ends at the deadline of its call.
pub(crate) fn store(engine: &wasmtime::Engine, sandbox: Sandbox) -> Store<Sandbox> {
    let crossing_bytes_max = sandbox.limits.crossing_bytes_max;
    let mut store = Store::new(engine, sandbox);
    store.limiter(|sandbox| &mut sandbox.memory);
    store.set_hostcall_fuel(crossing_bytes_max);
    store.epoch_deadline_callback(|store| {
        if store.data().control.tick() { Ok(UpdateDeadline::Yield(1)) } else { Err(DeadlinePassed.into()) }
    });
    store
}
