//! Replacing the handler of a Thing while it serves.
//!
//! In order: the bytes are admitted and compiled; their model is held against the one that serves; the new version starts
//! once in a rehearsal whose effects nobody sees; the switch is committed; the Thing's task goes over between two
//! messages. Whatever fails before the switch leaves the present version untouched; what fails after it is rolled back by
//! the task (`behavior::handler::canary`). One replacement of a Thing at a time.

mod approval;
mod configure;
mod folder;
mod spent;
mod template;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use handler_host::{HandlerComponent, HandlerEngine};
use serde_json::json;
use things::Hardware;
use tokio::sync::Mutex;

pub(crate) use approval::Approval;
pub(crate) use configure::{Configuration, Replacements};
pub(crate) use folder::{Users, take_arrivals};
pub(crate) use spent::SpentMemory;
pub(crate) use template::VersionTemplate;

use crate::behavior::handler::HandlerBehavior;
use crate::behavior::handler::request::{CutOver, Next, Request, Switching};
use crate::behavior::handler::status::HandlerStatus;
use crate::behavior::handler::version::Version;
use crate::config::{Canary, Declaration};
use crate::crash_point::CrashPoint;
use crate::exposed_thing::Description;
use crate::exposed_thing::outlet::Outlet;
use crate::interaction::InteractionError;
use crate::names::{ComponentDigest, ThingName};
use crate::startup::Parts;
use crate::store::{Batch, CanaryRecord, Kept, Store, ThingRecord, VersionOrigin};
use crate::utc::unix_ms;

/// Everything that a replacement of one Thing's handler needs.
#[derive(Debug)]
pub(crate) struct Replacement {
    engine: HandlerEngine,
    store: Store,
    outlet: Arc<Outlet>,
    control: Arc<Outlet>,
    behavior: HandlerBehavior,
    status: Arc<HandlerStatus>,
    template: ArcSwap<VersionTemplate>,
    /// What the Thing's file says.
    declaration: Declaration,
    hardware: Hardware,
    canary: Canary,
    spent: SpentMemory,
    /// Held while a replacement is under way.
    turn: Mutex<()>,
}

/// What a replacement came to. Durations: see the module's text.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) number: u64,
    pub(crate) digest: ComponentDigest,
    pub(crate) load: Duration,
    pub(crate) rehearsal: Duration,
    pub(crate) commit: Duration,
    pub(crate) pause: Duration,
    pub(crate) total: Duration,
}

/// The Thing whose handler it is, from the inside.
#[derive(Debug)]
pub(crate) struct Replaceable {
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) control: Arc<Outlet>,
    pub(crate) behavior: HandlerBehavior,
    pub(crate) status: Arc<HandlerStatus>,
    pub(crate) template: Arc<VersionTemplate>,
    pub(crate) declaration: Declaration,
}

impl Replacement {
    pub(crate) fn new(parts: &Parts, thing: Replaceable) -> Self {
        let Replaceable { outlet, control, behavior, status, template, declaration } = thing;
        Self {
            engine: parts.engine.clone(),
            store: parts.store.clone(),
            hardware: parts.hardware.clone(),
            canary: parts.canary,
            spent: parts.spent.clone(),
            template: ArcSwap::new(template),
            turn: Mutex::new(()),
            outlet,
            control,
            behavior,
            status,
            declaration,
        }
    }

    pub(crate) fn thing(&self) -> &ThingName {
        self.outlet.name()
    }

    /// The record as it is on disk.
    pub(crate) fn record(&self) -> Option<ThingRecord> {
        self.store.record(self.thing())
    }

    /// What the component wants and what it was given.
    pub(crate) fn grants(&self, component: Option<&HandlerComponent>) -> Vec<serde_json::Value> {
        component.map(|component| self.template.load().grants(component)).unwrap_or_default()
    }

    /// Puts a new version in place.
    ///
    /// # Errors
    /// `InvalidInput` when the bytes are no handler or fail the rehearsal, `Forbidden` when they want what was not
    /// granted, `Conflict` when another version serves than was expected or affordances would be lost without approval;
    /// in all these cases the present version goes on untouched.
    pub(crate) async fn replace(&self, bytes: Vec<u8>, approval: Approval) -> Result<Replaced, InteractionError> {
        let _turn = self.turn()?;
        self.install(bytes.into(), &approval, VersionOrigin::Pushed).await
    }

    /// A new version, by whoever holds the turn. Refused or not, what it took to look at it is given back.
    async fn install(
        &self,
        bytes: Bytes,
        approval: &Approval,
        origin: VersionOrigin,
    ) -> Result<Replaced, InteractionError> {
        let installed = self.try_install(bytes, approval, origin).await;
        self.spent.give_back();
        installed
    }

    async fn try_install(
        &self,
        bytes: Bytes,
        approval: &Approval,
        origin: VersionOrigin,
    ) -> Result<Replaced, InteractionError> {
        let begun = Instant::now();
        approval.expects(&self.known_record()?)?;
        let (component, kept) = self.load(bytes).await?;
        let installing = Installing { component: component.clone(), digest: kept.digest(), origin, begun };
        let installed = self.install_loaded(installing, approval).await;
        if matches!(installed, Err(InteractionError::Storage { .. })) {
            // Not to take from a full disk what could not be kept anyway.
            self.engine.forget(&component);
        }
        installed
    }

    async fn install_loaded(&self, installing: Installing, approval: &Approval) -> Result<Replaced, InteractionError> {
        let Installing { component, digest, origin, begun } = installing;
        let load = begun.elapsed();
        let mut record = self.known_record()?;
        let from = current_digest(&record);
        approval.expects(&record)?;
        let based_on = Based::on(&record);
        record.canary = self.canary_after(&record);
        let before = record.versions.clone();
        let number = record.install(digest, origin, unix_ms(SystemTime::now()));
        // Looked at when this is done, well or not: what no version refers to then goes.
        let leaving = before.iter().filter(|version| record.version(version.number).is_none());
        let _leaving: Vec<Kept> = leaving.map(|version| self.store.hold(version.digest)).collect();
        if origin == VersionOrigin::Folder {
            record.folder_digest_seen = Some(digest);
        }
        let version = self.template.load().version(number, component).map_err(approval::refused)?;
        let description = self.describe(approval.clone(), &version).await?;
        self.switch(version, Switch { record, based_on, from, digest, description, begun, load }).await
    }

    /// Puts the kept version before the present one back in place; today's state stays.
    ///
    /// # Errors
    /// `Conflict` when there is no version before.
    pub(crate) async fn roll_back(&self) -> Result<Replaced, InteractionError> {
        let _turn = self.turn()?;
        let begun = Instant::now();
        let mut record = self.known_record()?;
        let from = current_digest(&record);
        let based_on = Based::on(&record);
        let before = record.before().map(|version| (version.number, version.digest));
        let Some((number, digest)) = before else {
            return Err(InteractionError::Conflict { detail: "no version before the present one is kept".to_owned() });
        };
        let bytes = self.kept(digest).await?;
        let (component, _kept) = self.load(bytes.into()).await?;
        let load = begun.elapsed();
        let canary = self.canary_after(&record);
        record.switch_to(number);
        record.canary = canary;
        let version = self.template.load().version(number, component).map_err(approval::refused)?;
        let description = self.describe(Approval::given(), &version).await?;
        self.switch(version, Switch { record, based_on, from, digest, description, begun, load }).await
    }

    /// The next version is watched, if there is one to go back to.
    fn canary_after(&self, record: &ThingRecord) -> Option<CanaryRecord> {
        let (now, previous) = (Instant::now(), record.version_current?);
        // Where nothing is watched nothing is compared.
        let watched = self.canary.calls > 0 && self.canary.seconds > 0;
        let good = if watched { self.outlet.published.good(now) } else { Vec::new() };
        Some(CanaryRecord::begun(&self.canary, previous, SystemTime::now()).after(&good, now))
    }

    fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, InteractionError> {
        self.turn.try_lock().map_err(|_| InteractionError::Conflict {
            detail: "another replacement of this handler is under way".to_owned(),
        })
    }

    fn known_record(&self) -> Result<ThingRecord, InteractionError> {
        let missing = || InteractionError::Storage { detail: "the store has no record of this Thing".to_owned() };
        self.record().ok_or_else(missing)
    }

    /// Admits and compiles (or takes from the cache), and keeps the bytes under their digest. Off the async runtime.
    async fn load(&self, bytes: Bytes) -> Result<(HandlerComponent, Kept), InteractionError> {
        let (engine, store) = (self.engine.clone(), self.store.clone());
        let loaded = tokio::task::spawn_blocking(move || {
            let component = engine.load(&bytes).map_err(approval::refused)?;
            let kept = store.keep(&bytes).inspect_err(|_| engine.forget(&component))?;
            Ok((component, kept))
        });
        let loaded = loaded
            .await
            .unwrap_or_else(|error| Err(InteractionError::Storage { detail: format!("loading stopped: {error}") }));
        CrashPoint::ReplacementLoaded.pass();
        loaded
    }

    /// The description of a new version, where it is another one, once the Thing's settings fit it. Off the async runtime:
    /// its author decides how large a model and its schemas are.
    async fn describe(&self, approval: Approval, version: &Version) -> Result<Option<Description>, InteractionError> {
        let (now, version, template) = (self.outlet.description(), version.clone(), self.template.load_full());
        let described = tokio::task::spawn_blocking(move || {
            let description = approval.describes(&now, &version)?;
            approval::fits(&template, &version.component)?;
            Ok(description)
        })
        .await;
        described.unwrap_or_else(|error| {
            Err(InteractionError::Storage { detail: format!("describing it stopped: {error}") })
        })
    }

    async fn kept(&self, digest: ComponentDigest) -> Result<Vec<u8>, InteractionError> {
        let components = self.store.components().clone();
        let read = tokio::task::spawn_blocking(move || components.get(&digest)).await;
        Ok(read.map_err(|error| InteractionError::Storage { detail: error.to_string() })??)
    }

    /// Rehearses, commits and goes over.
    async fn switch(&self, version: Version, switch: Switch) -> Result<Replaced, InteractionError> {
        let Switch { record, based_on, from, digest, description, begun, load } = switch;
        let rehearsal = Instant::now();
        self.rehearse(&version).await?;
        let rehearsal = rehearsal.elapsed();
        CrashPoint::ReplacementRehearsed.pass();
        let committing = Instant::now();
        self.begin(Switching::Version, based_on).await?;
        let mut batch = Batch::new();
        if record.canary.is_some() {
            batch.keep_state_before(self.thing());
        }
        self.commit(&record, batch).await?;
        let commit = committing.elapsed();
        let number = version.number;
        let next = Box::new(Next { version, record, description, configured: None });
        let CutOver { pause } = self.behavior.tell(|reply| Request::CutOver { next, reply }).await?;
        CrashPoint::ReplacementServing.pass();
        let mut data = json!({ "to": digest.to_string(), "version": number });
        if let Some(from) = from {
            data["from"] = from.to_string().into();
        }
        if let Err(error) = self.control.emit("replaced", handler_host::Value::Json(data.to_string())) {
            tracing::error!(thing = %self.thing(), %error, "the event `replaced` was refused");
        }
        tracing::info!(thing = %self.thing(), version = number, digest = digest.short(), ?pause, "the handler was replaced");
        Ok(Replaced { number, digest, load, rehearsal, commit, pause, total: begun.elapsed() })
    }

    /// Starts the version once where nothing that it does counts.
    async fn rehearse(&self, version: &Version) -> Result<(), InteractionError> {
        let started = version.rehearse(self.store.state(self.thing())).await;
        started.result.map_err(approval::refused_in_rehearsal)?;
        let Some(instance) = started.instance else { return Ok(()) };
        let woken = instance.wake().await;
        woken.result.map(|_| ()).map_err(approval::refused_in_rehearsal)
    }

    /// The record as the Thing's task has it, which changes nothing of it from then on until it is told how the switch went.
    /// It keeps the state from before a switch to another version up to date, so the order of its own commits and of the
    /// switch's does not matter.
    async fn begin(&self, to: Switching, based_on: Based) -> Result<ThingRecord, InteractionError> {
        let held = self.behavior.tell(|reply| Request::BeginSwitch { to, reply }).await?;
        if Based::on(&held) != based_on {
            self.behavior.tell(|reply| Request::AbortSwitch { reply }).await?;
            let detail = "another version has come to serve meanwhile; look at `status` and try again".to_owned();
            return Err(InteractionError::Conflict { detail });
        }
        CrashPoint::ReplacementBegun.pass();
        Ok(held)
    }

    async fn commit(&self, record: &ThingRecord, mut batch: Batch) -> Result<(), InteractionError> {
        batch.put_record(record);
        let committed = self.store.commit(batch).await;
        if let Err(error) = committed {
            self.behavior.tell(|reply| Request::AbortSwitch { reply }).await?;
            return Err(error.into());
        }
        CrashPoint::ReplacementCommitted.pass();
        Ok(())
    }
}

fn current_digest(record: &ThingRecord) -> Option<ComponentDigest> {
    record.current().map(|version| version.digest)
}

/// What a switch was prepared against: if the task has gone elsewhere meanwhile, the switch is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Based {
    current: Option<u64>,
    next: u64,
}

impl Based {
    fn on(record: &ThingRecord) -> Self {
        Self { current: record.version_current, next: record.version_next }
    }
}

/// A version whose component is admitted and kept.
#[derive(Debug)]
struct Installing {
    component: HandlerComponent,
    digest: ComponentDigest,
    origin: VersionOrigin,
    begun: Instant,
}

/// A switch on its way.
#[derive(Debug)]
struct Switch {
    record: ThingRecord,
    based_on: Based,
    /// The version that serves until then.
    from: Option<ComponentDigest>,
    digest: ComponentDigest,
    description: Option<Description>,
    begun: Instant,
    load: Duration,
}
