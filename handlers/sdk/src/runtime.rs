//! The instance behind the exports: one handler, its tasks, one call at a time.
//!
//! No borrow of it is ever needed by the code of a handler, so a handler's code cannot find it taken.

use crate::bindings::exports::tidegate::thing::handler::Guest;
use crate::bindings::tidegate::thing::{emit, types};
use crate::executor::Executor;
use crate::{Action, Config, Fault, Handler, Origin, Thing, Value, clock, consumed, devices, log, run, thing};
use core::cell::RefCell;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::Poll;
use std::rc::Rc;
use types::{Call, Outcome, Reading, Signal, Uuid};

/// Actions that may run at once; the next one is told `busy`.
const ACTIONS_MAX: usize = 32;

/// What `export!` exports: the contract of the component, answered by an `H`.
#[derive(Debug)]
pub struct Component<H>(PhantomData<H>);

type Ended = Result<Value, Fault>;
type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

struct Instance {
    handler: Rc<dyn AnyHandler>,
    /// `None` is `run`; an action goes by its id.
    tasks: Executor<Option<Uuid>, Ended>,
}

thread_local! {
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

/// A handler without its type, so that the code below is there once.
trait AnyHandler {
    fn read_property(&self, name: &str) -> Result<Value, Fault>;
    fn write_property(&self, name: &str, value: Value) -> Result<(), Fault>;
    fn run(self: Rc<Self>, thing: Thing) -> Boxed<Ended>;
    fn invoke_action(self: Rc<Self>, name: String, input: Value, action: Action) -> Boxed<Ended>;
    fn stop(&self);
}

impl<H: Handler> AnyHandler for H {
    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        Handler::read_property(self, name)
    }

    fn write_property(&self, name: &str, value: Value) -> Result<(), Fault> {
        Handler::write_property(self, name, value)
    }

    fn run(self: Rc<Self>, thing: Thing) -> Boxed<Ended> {
        Box::pin(async move {
            run::keep_running(self, thing).await;
            Ok(Value::Null)
        })
    }

    fn invoke_action(self: Rc<Self>, name: String, input: Value, action: Action) -> Boxed<Ended> {
        Box::pin(async move { Handler::invoke_action(&*self, &name, input, &action).await })
    }

    fn stop(&self) {
        Handler::stop(self);
    }
}

impl<H: Handler> Guest for Component<H> {
    fn start(config: types::Config, origin: Origin) -> Result<(), Fault> {
        report_panics();
        let config = Config::new(config);
        let handler: Rc<dyn AnyHandler> = Rc::new(H::start(&config, origin)?);
        let mut tasks = Executor::new();
        tasks.spawn(None, Rc::clone(&handler).run(config.thing()));
        INSTANCE.set(Some(Instance { handler, tasks }));
        Ok(())
    }

    fn stop() {
        if let Some(mut instance) = INSTANCE.take() {
            instance.tasks.clear();
            instance.handler.stop();
        }
    }

    fn read_property(name: String, _call: Call) -> Result<Reading, Fault> {
        with(|instance| instance.handler.read_property(&name).map(thing::reading).map_err(run::why_unavailable))
    }

    fn write_property(name: String, value: Value, _call: Call) -> Result<(), Fault> {
        with(|instance| instance.handler.write_property(&name, value))
    }

    fn invoke_action(name: String, input: Option<Value>, call: Call) -> Result<Outcome, Fault> {
        with(|instance| instance.invoke(name, input.unwrap_or(Value::Null), call))
    }

    fn cancel_action(id: Uuid) -> Result<(), Fault> {
        with(|instance| if instance.tasks.cancel(&Some(id)) { Ok(()) } else { Err(Fault::NotFound) })
    }

    fn wake(now: u64) -> Option<u64> {
        INSTANCE.with_borrow_mut(|instance| instance.as_mut().and_then(|instance| instance.wake(now)))
    }

    fn on_signal(signal: Signal) {
        match signal {
            Signal::Edge(edge) => devices::signal(edge),
            Signal::Event(event) => consumed::signal(&event),
        }
    }
}

impl Instance {
    fn invoke(&mut self, name: String, input: Value, call: Call) -> Result<Outcome, Fault> {
        if self.tasks.len() > ACTIONS_MAX {
            return Err(Fault::Busy);
        }
        let id = call.id;
        match self.tasks.begin(Some(id), Rc::clone(&self.handler).invoke_action(name, input, Action::new(call))) {
            Poll::Ready(ended) => ended.map(|value| Outcome::Done(output(value))),
            Poll::Pending => Ok(Outcome::Running),
        }
    }

    fn wake(&mut self, now_us: u64) -> Option<u64> {
        clock::fire(now_us);
        self.tasks.go_round(|task, ended| {
            if let Some(id) = task {
                let ended = ended.map(output);
                emit::done(id, ended.as_ref().map(Option::as_ref));
            }
        });
        if self.tasks.is_ready() { Some(now_us) } else { clock::next_us() }
    }
}

/// `Null` stands for an action without output.
fn output(value: Value) -> Option<Value> {
    Some(value).filter(|value| *value != Value::Null)
}

fn with<T>(answer: impl FnOnce(&mut Instance) -> Result<T, Fault>) -> Result<T, Fault> {
    INSTANCE.with_borrow_mut(|instance| match instance {
        Some(instance) => answer(instance),
        None => Err(Fault::unavailable("the handler is not started")),
    })
}

/// A panic ends this instance; before it does, the Thing's log shows where.
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
    #[cfg(not(target_arch = "wasm32"))]
    log::debug("natively panics report themselves");
}
