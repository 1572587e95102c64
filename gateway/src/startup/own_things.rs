//! The gateway's own Things: `gateway`, the simulated `board`, and the description of the directory.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use things::Board;
use tokio::task::JoinHandle;

use super::parts::{Parts, own_model};
use crate::behavior::Behavior;
use crate::behavior::board::{self, BoardBehavior};
use crate::behavior::gateway::{GatewayBehavior, Health};
use crate::exposed_thing::outlet::{Answer, Outlet};
use crate::exposed_thing::{Description, ExposedThing, description};
use crate::interaction::InteractionError;
use crate::logging::LogRing;

/// The gateway's own Things and what keeps their observers up to date.
pub(crate) struct OwnThings {
    pub(crate) things: Vec<Arc<ExposedThing>>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

/// Makes them.
///
/// # Errors
/// When one of the models that the program carries is not valid.
pub(crate) fn own_things(parts: &Parts, board: Option<Board>, logs: LogRing, title: &str) -> Result<OwnThings, String> {
    let mut own = OwnThings { things: Vec::new(), tasks: Vec::new() };
    let behavior = GatewayBehavior::new(parts, logs);
    let outlet = outlet(parts, "gateway", Some(title))?;
    own.tasks.push(publish_health(Arc::clone(&outlet), Arc::clone(&parts.health)));
    own.things.push(exposed(parts, outlet, Behavior::Gateway(behavior))?);
    if let Some(board) = board {
        let outlet = self::outlet(parts, "board", None)?;
        outlet.mark_simulated(true);
        own.tasks.push(publish_board(Arc::clone(&outlet), board.clone()));
        own.things.push(exposed(parts, outlet, Behavior::Board(BoardBehavior::new(board)))?);
    }
    Ok(own)
}

/// The description of the directory.
///
/// # Errors
/// When the model that the program carries is not valid.
pub(crate) fn directory(parts: &Parts) -> Result<Description, String> {
    describe(parts, "directory", None)
}

fn outlet(parts: &Parts, name: &str, title: Option<&str>) -> Result<Arc<Outlet>, String> {
    let thing = name.parse().map_err(|error| format!("{name}: {error}"))?;
    Ok(Outlet::new(thing, name.to_owned(), describe(parts, name, title)?, parts.store.clone()))
}

fn describe(parts: &Parts, name: &str, title: Option<&str>) -> Result<Description, String> {
    let id = parts.store.own_id(name).ok_or_else(|| format!("the store has no id for `{name}`"))?;
    let naming = description::Naming { id: &id, title, description: None };
    Description::of(&own_model(name)?, &naming, &[], 1, SystemTime::now()).map_err(|error| format!("{name}: {error}"))
}

fn exposed(parts: &Parts, outlet: Arc<Outlet>, behavior: Behavior) -> Result<Arc<ExposedThing>, String> {
    let name = outlet.name().to_string();
    let id = parts.store.own_id(&name).ok_or_else(|| format!("the store has no id for `{name}`"))?;
    Ok(Arc::new(ExposedThing::new(id, format!("/things/{name}"), outlet, behavior)))
}

/// How often observers of `health` hear of it at least.
const HEALTH_EVERY: Duration = Duration::from_secs(10);

/// Observers of `health` hear when a handler comes to stand otherwise, and from time to time.
fn publish_health(outlet: Arc<Outlet>, health: Arc<Health>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut changed = health.changed();
        loop {
            publish(&outlet, "health", health.answer());
            tokio::select! {
                changed = changed.changed() => if changed.is_err() {
                    return;
                },
                // Up time and memory change by themselves.
                () = tokio::time::sleep(HEALTH_EVERY) => {}
            }
        }
    })
}

/// Observers of `state` hear of every change of the board.
fn publish_board(outlet: Arc<Outlet>, board: Board) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut changed = board.changed();
        loop {
            publish(&outlet, "state", board::state(&board));
            if changed.changed().await.is_err() {
                return;
            }
        }
    })
}

/// Good for no time: a read asks anew.
fn publish(outlet: &Outlet, name: &str, answer: Result<Answer, InteractionError>) {
    let published = answer.and_then(|answer| outlet.publish(name, answer, Duration::ZERO));
    if let Err(error) = published {
        tracing::error!(thing = %outlet.name(), name, %error, "not published");
    }
}
