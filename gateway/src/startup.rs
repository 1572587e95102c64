//! From declarations to running Things: what the store remembers, which version serves, which devices are claimed.
//!
//! Faults of several Things are gathered and said together. A handler that does not stay up is no fault of the start: its
//! Thing is there and says why it has no answers.

mod own_things;
mod parts;
mod version;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use handler_host::{Origin, Signal, ThingClock};
use thing_descriptions::FieldError;
use things::Slot;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) use own_things::{directory, own_things};
pub(crate) use parts::Parts;

use crate::behavior::Behavior;
use crate::behavior::handler::HandlerBehavior;
use crate::behavior::handler::canary::Canary;
use crate::behavior::handler::status::HandlerStatus;
use crate::behavior::handler::task::{self, Belongings, Ears, SharedTask, Task};
use crate::behavior::handler::version::Version;
use crate::behavior::handler_control::HandlerControl;
use crate::config::Declaration;
use crate::crash_point::CrashPoint;
use crate::exposed_thing::outlet::Outlet;
use crate::exposed_thing::{Description, ExposedThing, description};
use crate::replacement::{Replaceable, Replacement, VersionTemplate};
use crate::store::{Batch, ThingRecord, import_declared};
use version::{Chosen, Fitting};

/// Signals that may wait for a Thing's task.
const SIGNALS_MAX: usize = 64;
/// How far a Thing's clock is reserved ahead, in microseconds: ten minutes.
pub(crate) const CLOCK_AHEAD_US: u64 = 600_000_000;

/// A Thing that a handler answers, running.
pub(crate) struct Started {
    pub(crate) thing: Arc<ExposedThing>,
    pub(crate) behavior: HandlerBehavior,
    pub(crate) clock: ThingClock,
    pub(crate) task: JoinHandle<()>,
    /// The handler's name in the handlers folder.
    pub(crate) handler: String,
    pub(crate) replacement: Arc<Replacement>,
}

/// Starts one declared Thing; `None` when it is declared but not served (deleted through the API, moved away).
///
/// # Errors
/// One sentence: what is missing, and the hint what to do.
pub(crate) async fn start_thing(parts: &Parts, as_in_the_file: &Declaration) -> Result<Option<Started>, String> {
    let record = import(parts, as_in_the_file).await?;
    if !record.is_served() {
        tracing::info!(thing = %as_in_the_file.name, "declared, but deleted or moved away: not served");
        return Ok(None);
    }
    let declaration = record.configured.applied_to(as_in_the_file).map_err(|errors| no_longer_applies(&errors))?;
    let declaration = &declaration;
    let slots = claim(parts, declaration)?;
    let clock = resume(parts, &record).await?;
    CrashPoint::StartImported.pass();
    let (signals, heard) = mpsc::channel(SIGNALS_MAX);
    let template = VersionTemplate::new(declaration, record.id.clone(), slots.clone(), signals, clock);
    let fitting = Fitting { template: &template, declaration, configured: record.configured.clone() };
    let Chosen { record, refused } = version::choose(parts, &fitting, record).await?;
    let current = record.current().cloned().ok_or("no version of the handler is kept")?;
    let current = version::load(parts, &fitting, &current).await?;
    fitting.warn(&current);
    let (record, canary) = canary(parts, &fitting, record).await?;
    let declaration = as_in_the_file.clone();
    let thing = Beginning { record, declaration, version: current, canary, template: Arc::new(template), slots };
    let started = run(parts, thing, heard)?;
    if let Some((digest, reason)) = refused {
        started.replacement.shows_refused(digest, &reason);
    }
    Ok(Some(started))
}

/// Everything that a Thing's task begins with.
struct Beginning {
    record: ThingRecord,
    declaration: Declaration,
    version: Version,
    canary: Option<Canary>,
    template: Arc<VersionTemplate>,
    slots: HashMap<String, Slot>,
}

fn run(parts: &Parts, beginning: Beginning, signals: mpsc::Receiver<Signal>) -> Result<Started, String> {
    let Beginning { record, declaration, version, canary, template, slots } = beginning;
    let handler_name = declaration.handler.clone();
    let name = record.name.clone();
    let described = version.describe(1).map_err(|error| format!("its handler's Thing Model is not valid: {error}"))?;
    let outlet = Outlet::new(name.clone(), name.to_string(), described, parts.store.clone());
    outlet.mark_simulated(slots.values().any(Slot::is_simulated));
    let title = outlet.description().title().to_owned();
    let control = Outlet::new(
        name.clone(),
        format!("{name}/handler"),
        control_description(&record, &title)?,
        parts.store.clone(),
    );
    let status = HandlerStatus::new(parts.health.reports_to());
    parts.health.watch(name.clone(), Arc::clone(&status));
    let (inbox, requests) = mpsc::channel(parts.queue_length_max);
    let (id, handler_id, clock) = (record.id.clone(), record.handler_id.clone(), version.clock);
    let task = Arc::new(SharedTask::new(Task::new(Belongings {
        outlet: Arc::clone(&outlet),
        control: Arc::clone(&control),
        store: parts.store.clone(),
        status: Arc::clone(&status),
        record,
        version,
        canary,
        slots: slots.into_values().collect(),
    })));
    let behavior = HandlerBehavior::new(inbox, Arc::downgrade(&task));
    let replaceable = Replaceable {
        outlet: Arc::clone(&outlet),
        control: Arc::clone(&control),
        behavior: behavior.clone(),
        status: Arc::clone(&status),
        template,
        declaration,
    };
    let replacement = Arc::new(Replacement::new(parts, replaceable));
    parts.replacements.add(&replacement);
    let handler = HandlerControl::new(status, Arc::clone(&replacement));
    let handler = Behavior::HandlerControl(Box::new(handler));
    let handler = ExposedThing::new(handler_id, format!("/things/{name}/handler"), Arc::clone(&control), handler);
    let thing =
        ExposedThing::new(id, format!("/things/{name}"), Arc::clone(&outlet), Behavior::Handler(behavior.clone()));
    let task = tokio::spawn(task::run(task, Ears { inbox: requests, signals }, Origin::Fresh));
    let thing = Arc::new(thing.controlled_by(Arc::new(handler)));
    Ok(Started { thing, behavior, clock, task, handler: handler_name, replacement })
}

fn control_description(record: &ThingRecord, title: &str) -> Result<Description, String> {
    let model = parts::own_model("handler")?;
    let title = format!("Handler of {title}");
    let naming = description::Naming { id: &record.handler_id, title: Some(&title), description: None };
    Description::of(&model, &naming, &[], 1, SystemTime::now()).map_err(|error| error.to_string())
}

/// What was configured was checked then; only an update of the gateway itself can make it invalid.
fn no_longer_applies(errors: &[FieldError]) -> String {
    let what = errors.iter().map(|error| format!("{}: {}", error.field, error.description));
    let what = what.collect::<Vec<_>>().join("; ");
    format!("what was configured no longer applies: {what}; give it another value in the Thing's file, which wins then")
}

async fn import(parts: &Parts, declaration: &Declaration) -> Result<ThingRecord, String> {
    let import = import_declared(parts.store.record(&declaration.name).as_ref(), declaration);
    parts.store.commit(import.batch()).await.map_err(|error| error.to_string())?;
    tracing::debug!(thing = %declaration.name, change = ?import.change, "imported");
    Ok(import.record)
}

/// A canary that was under way when the gateway stopped, or that the handlers folder has begun, goes on; one that could not
/// go back is none.
async fn canary(
    parts: &Parts,
    fitting: &Fitting<'_>,
    mut record: ThingRecord,
) -> Result<(ThingRecord, Option<Canary>), String> {
    let Some(kept) = record.canary.take() else { return Ok((record, None)) };
    let previous = match record.version(kept.previous) {
        Some(previous) => version::load(parts, fitting, previous).await,
        None => Err("it is not kept".to_owned()),
    };
    match previous {
        Ok(previous) => {
            let canary = Canary::resume(&kept, previous);
            Ok((ThingRecord { canary: Some(kept), ..record }, Some(canary)))
        }
        Err(reason) => {
            let (thing, previous) = (&record.name, kept.previous);
            tracing::warn!(%thing, previous, reason, "a new version is not watched: the one before could not serve so");
            let mut batch = Batch::new();
            batch.put_record(&record).forget_state_before(thing);
            parts.store.commit(batch).await.map_err(|error| error.to_string())?;
            Ok((record, None))
        }
    }
}

fn claim(parts: &Parts, declaration: &Declaration) -> Result<HashMap<String, Slot>, String> {
    let claimed = declaration.grants.iter().map(|(label, grant)| {
        let slot = parts.hardware.claim(declaration.name.as_str(), label, grant);
        slot.map(|slot| (label.clone(), slot)).map_err(|error| format!("the grant `{label}`: {error}"))
    });
    claimed.collect()
}

/// The Thing's clock and its event ids go on above everything that they may have shown before; what they may show from
/// now on is reserved first.
async fn resume(parts: &Parts, record: &ThingRecord) -> Result<ThingClock, String> {
    let at = parts.store.clock_us(&record.name);
    let mut batch = Batch::new();
    batch.reserve_clock(&record.name, at.saturating_add(CLOCK_AHEAD_US));
    parts.store.commit(batch).await.map_err(|error| error.to_string())?;
    Ok(ThingClock::resume(at))
}
