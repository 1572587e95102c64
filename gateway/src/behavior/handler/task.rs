//! The task of one Thing: it owns the handler's instance and does one thing at a time.
//!
//! Invariants: state changes are on disk before the answer that depends on them leaves; a lost instance is followed by
//! another one of the same version; the lines of a Thing without an instance go to their fail-safe level.
//! Whoever holds the [`SharedTask`] is the task for that time: its own loop, or a consumer whose read finds it at rest.
//! What one message does is in `serve`, what a call leaves behind in `effects`, going over to another version in `canary`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use handler_host::{HandlerInstance, Origin, Signal};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::Sleep;

use super::call::Cause;
use super::canary::Canary;
use super::request::{Request, Switching};
use super::status::{HandlerState, HandlerStatus};
use super::version::Version;
use crate::exposed_thing::outlet::{Answer, Outlet};
use crate::interaction::InteractionError;
use crate::store::{Store, ThingRecord};
use things::Slot;

/// An instance that is not back after this time lets its lines go to their fail-safe level.
const HELD_MAX: Duration = Duration::from_millis(200);
/// Starts that may fail in a row before the pauses begin.
const TRIES_AT_ONCE: u32 = 3;
/// The first pause, doubled with every further failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// An instance that was up this long was no failed start.
const STAYS_UP: Duration = Duration::from_secs(10);
/// How long a handler that lives by keeping something waits for a disk that refused it.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The task of a Thing, held by one at a time.
pub(crate) type SharedTask = Mutex<Task>;

/// Everything that a Thing's task owns.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) outlet: Arc<Outlet>,
    pub(super) store: Store,
    pub(super) status: Arc<HandlerStatus>,
    pub(super) control: Arc<Outlet>,
    pub(super) record: ThingRecord,
    pub(super) version: Version,
    pub(super) instance: Option<HandlerInstance>,
    pub(super) canary: Option<Canary>,
    /// A switch is being committed.
    pub(super) switching: Option<Switching>,
    /// When the handler wants to be woken.
    pub(super) next_wake: Option<Instant>,
    /// Observable properties that the handler does not publish by itself are read back after what may change them.
    pub(super) read_back: super::effects::ReadBack,
    /// What the handler may have written to the log.
    pub(super) talk: super::talk::Talk,
    pub(super) slots: Vec<Slot>,
    pub(super) failed_starts: u32,
    /// Since when an instance serves that has not been lost again.
    pub(super) up_since: Option<Instant>,
    /// Since when there is no instance that answers.
    pub(super) lost_at: Option<Instant>,
    /// No start before this.
    pub(super) paused_until: Option<Instant>,
    /// Why there is no instance.
    pub(super) last_failure: String,
    /// The last instance was lost because the disk refused its state.
    pub(super) disk_refused: bool,
    /// After such a loss in what the handler does by itself: it answers, but is let go on only then.
    pub(super) no_wake_before: Option<Instant>,
    /// A read in passing lost the instance: the loop has to make another one.
    pub(super) bereaved: Arc<Notify>,
}

/// What a task begins with.
pub(crate) struct Belongings {
    pub(crate) outlet: Arc<Outlet>,
    /// The outlet of the handler's own Thing.
    pub(crate) control: Arc<Outlet>,
    pub(crate) store: Store,
    pub(crate) status: Arc<HandlerStatus>,
    pub(crate) record: ThingRecord,
    pub(crate) version: Version,
    pub(crate) canary: Option<Canary>,
    pub(crate) slots: Vec<Slot>,
}

/// What a task listens to.
pub(crate) struct Ears {
    pub(crate) inbox: mpsc::Receiver<Request>,
    pub(crate) signals: mpsc::Receiver<Signal>,
}

/// What woke the task.
enum Heard {
    Request(Option<Request>),
    Signal(Signal),
    Timer,
    Bereaved,
}

/// Serves until it is told to stop or nobody can ask any more.
pub(crate) async fn run(shared: Arc<SharedTask>, mut ears: Ears, origin: Origin) {
    let mut task = shared.lock().await;
    let bereaved = Arc::clone(&task.bereaved);
    task.start(origin).await;
    let timer = tokio::time::sleep_until(Instant::now().into());
    tokio::pin!(timer);
    loop {
        task.recover().await;
        let due = task.due();
        drop(task);
        let heard = ears.listen(due, timer.as_mut(), &bereaved).await;
        task = shared.lock().await;
        // A read in passing may have lost the instance since: who asks next is not to find the Thing without one.
        task.recover().await;
        match heard {
            Heard::Request(Some(request)) => {
                let last = matches!(request, Request::Stop { .. });
                task.serve(request).await;
                if last {
                    return;
                }
            }
            Heard::Request(None) => return task.stop().await,
            Heard::Signal(signal) => task.signal(signal).await,
            Heard::Timer => task.on_timer().await,
            Heard::Bereaved => {}
        }
    }
}

impl Ears {
    /// The next thing to do. Requests that wait already are taken without asking the clock's wheel.
    async fn listen(&mut self, due: Option<Instant>, mut timer: Pin<&mut Sleep>, bereaved: &Notify) -> Heard {
        if due.is_none_or(|due| Instant::now() < due)
            && self.signals.is_empty()
            && let Ok(request) = self.inbox.try_recv()
        {
            return Heard::Request(Some(request));
        }
        if let Some(due) = due.map(tokio::time::Instant::from_std)
            && timer.deadline() != due
        {
            timer.as_mut().reset(due);
        }
        // Not biased: a handler that wants to be woken all the time must not keep consumers out.
        tokio::select! {
            () = timer, if due.is_some() => Heard::Timer,
            () = bereaved.notified() => Heard::Bereaved,
            Some(signal) = self.signals.recv() => Heard::Signal(signal),
            request = self.inbox.recv() => Heard::Request(request),
        }
    }
}

impl Task {
    pub(crate) fn new(belongings: Belongings) -> Self {
        let Belongings { outlet, control, store, status, record, version, canary, slots } = belongings;
        status.shows(&version);
        Self {
            outlet,
            store,
            status,
            control,
            record,
            version,
            instance: None,
            canary,
            switching: None,
            next_wake: None,
            read_back: super::effects::ReadBack::default(),
            talk: super::talk::Talk::default(),
            slots,
            failed_starts: 0,
            up_since: None,
            lost_at: None,
            paused_until: None,
            last_failure: "it has not started yet".to_owned(),
            disk_refused: false,
            no_wake_before: None,
            bereaved: Arc::default(),
        }
    }

    /// There is an instance, and nothing else is being done with it.
    pub(super) fn rests(&self) -> bool {
        self.instance.is_some() && self.canary.is_none() && self.switching.is_none()
    }

    /// When something is due by itself.
    fn due(&self) -> Option<Instant> {
        let wake = self.next_wake.filter(|_| self.instance.is_some());
        let canary = self.canary.as_ref().filter(|_| self.switching.is_none()).map(|canary| canary.until);
        [wake, canary, self.paused_until].into_iter().flatten().min()
    }

    async fn on_timer(&mut self) {
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        if self.switching.is_none() && self.canary.as_ref().is_some_and(|canary| now >= canary.until) {
            self.conclude_canary().await;
        }
        if self.next_wake.is_some_and(|wake| now >= wake) && self.instance.is_some() {
            self.wake().await;
            if self.instance.is_none() {
                self.does_not_stay_up().await;
            }
        }
    }

    /// Another instance, where one was lost, unless there is a pause because none stays up.
    async fn recover(&mut self) {
        while self.instance.is_none() && self.paused_until.is_none_or(|until| Instant::now() >= until) {
            self.start(Origin::Recovered).await;
        }
    }

    /// A new instance of the current version. While it is not back, the host holds the Thing's lines, for 200 ms.
    pub(super) async fn start(&mut self, origin: Origin) {
        self.disk_refused = false;
        let state = self.store.state(self.outlet.name());
        let version = self.version.clone();
        self.status.shows(&version);
        let starting = version.start(state, origin);
        tokio::pin!(starting);
        let held_until = *self.lost_at.get_or_insert_with(Instant::now) + HELD_MAX;
        let answer = match tokio::time::timeout_at(held_until.into(), &mut starting).await {
            Ok(answer) => answer,
            Err(_) => {
                self.fail_safe().await;
                starting.await
            }
        };
        let (result, effects) = self.settle(answer);
        let kept = self.carry_out(effects, Cause::Other).await;
        match kept.and(result.map_err(|error| InteractionError::Conflict { detail: error.to_string() })) {
            Ok(()) => self.serves(origin).await,
            Err(error) if self.disk_refused => {
                self.last_failure = error.to_string();
                self.paused_until = Some(Instant::now() + DISK_PAUSE);
                return;
            }
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(thing = %self.outlet.name(), version = self.version.number, reason, "the handler did not start");
                self.status.fault("start", &reason, self.version.number);
                self.last_failure = reason;
                self.instance = None;
            }
        }
        if self.instance.is_none() {
            self.does_not_stay_up().await;
        }
    }

    /// An instance has started: what follows from that, up to its first wake.
    async fn serves(&mut self, origin: Origin) {
        self.read_back.forget();
        self.outlet.begins();
        self.wake().await;
        if self.instance.is_some() {
            self.read_back_all().await;
        }
        if self.instance.is_none() {
            return;
        }
        let now = Instant::now();
        (self.up_since, self.lost_at, self.paused_until) = (Some(now), None, None);
        self.status.with(|shown| {
            shown.origin = origin_word(origin);
            shown.since = SystemTime::now();
        });
        self.stands(if self.canary.is_some() { HandlerState::Canary } else { HandlerState::Running });
    }

    /// From now on the handler stands so; observers of its own Thing hear of it.
    pub(super) fn stands(&self, state: HandlerState) {
        self.status.set_state(state);
        let published = Answer::json(&self.status.standing())
            .and_then(|standing| self.control.publish("status", standing, Duration::ZERO));
        if let Err(error) = published {
            tracing::error!(thing = %self.outlet.name(), %error, "the status of a handler was refused");
        }
    }

    /// An instance was lost by what it does by itself: it is tried again with growing pauses, its lines at their
    /// fail-safe level. One that was up for a while begins anew; a new version is rolled back.
    pub(super) async fn does_not_stay_up(&mut self) {
        if self.disk_refused {
            // Another one answers at once.
            self.no_wake_before = Some(Instant::now() + DISK_PAUSE);
            return;
        }
        if self.canary.is_some() && self.switching.is_none() {
            let reason = format!("the new version does not stay up: {}", self.last_failure);
            return self.roll_back(&reason).await;
        }
        if self.up_since.take().is_some_and(|since| since.elapsed() >= STAYS_UP) {
            self.failed_starts = 0;
        }
        self.failed_starts = self.failed_starts.saturating_add(1);
        if self.failed_starts < TRIES_AT_ONCE {
            return;
        }
        let pause = PAUSE_MIN.saturating_mul(1 << (self.failed_starts - TRIES_AT_ONCE).min(6)).min(PAUSE_MAX);
        self.paused_until = Some(Instant::now() + pause);
        self.stands(HandlerState::CrashLoop);
        self.fail_safe().await;
    }

    /// Drives every line and channel of the Thing to the level that its grant names.
    pub(super) async fn fail_safe(&self) {
        for slot in &self.slots {
            if let Err(error) = slot.fail_safe().await {
                tracing::error!(thing = %self.outlet.name(), %error, "a line could not be driven to its fail-safe level");
            }
        }
    }

    pub(super) async fn stop(&mut self) {
        if let Some(instance) = self.instance.take() {
            let answer = instance.stop().await;
            let (result, effects) = self.settle(answer);
            let kept = self.carry_out(effects, Cause::Other).await;
            if let (Err(error), _) | (_, Err(error)) =
                (result.map_err(|error| error.to_string()), kept.map_err(|error| error.to_string()))
            {
                tracing::warn!(thing = %self.outlet.name(), error, "the handler's stop failed");
            }
            self.instance = None;
        }
        self.fail_safe().await;
        self.outlet.actions.end_all();
        self.stands(HandlerState::Off);
        self.outlet.close();
        self.control.close();
    }
}

/// The word for why an instance runs.
fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Fresh => "fresh",
        Origin::Swapped => "swapped",
        Origin::Migrated => "migrated",
        Origin::Recovered => "recovered",
    }
}
