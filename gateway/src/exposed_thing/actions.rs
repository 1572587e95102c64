//! The invocations of a Thing's actions: running ones, and a bounded number of finished ones for who asks later.
//!
//! Invariant: an invocation ends once. Its status is the same for every binding; `href` and problem documents are theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::interaction::InteractionError;

/// How many finished invocations a Thing keeps.
const FINISHED_MAX: usize = 64;
/// How many bytes their outputs may take, about; the newest is kept in any case.
const FINISHED_BYTES_MAX: usize = 4 << 20;
/// How many may run at once.
const RUNNING_MAX: usize = 64;
/// How many changes a listener may lag behind.
const CHANGES_MAX: usize = 256;

/// Where an invocation stands (WoT Profile, HTTP Basic, `ActionStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionState {
    /// Taken, not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// Ended without being done.
    Failed,
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct ActionStatus {
    /// The invocation's id.
    pub id: Uuid,
    /// The action's name.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: ActionState,
    /// What the handler last said of its progress.
    pub progress: Option<Value>,
    /// Its output, once completed.
    pub output: Option<Value>,
    /// Why it failed.
    pub error: Option<Arc<InteractionError>>,
    /// When it was asked for, UTC.
    pub requested: SystemTime,
    /// When it ended, UTC.
    pub ended: Option<SystemTime>,
}

/// How an invocation ended.
pub(crate) type Ending = Result<Option<Value>, InteractionError>;

#[derive(Debug)]
struct Entry {
    status: ActionStatus,
    /// About how many bytes its output takes.
    bytes: usize,
    changed: watch::Sender<()>,
}

impl Entry {
    /// Wakes who waits for this invocation, and tells who listens to all of them.
    fn tell(&self, changes: &broadcast::Sender<Arc<ActionStatus>>) {
        self.changed.send_replace(());
        if changes.receiver_count() > 0 {
            // An error only says that nobody listens any more.
            let _listeners = changes.send(Arc::new(self.status.clone())).unwrap_or(0);
        }
    }
}

#[derive(Debug, Default)]
struct Invocations {
    entries: BTreeMap<Uuid, Entry>,
    finished: VecDeque<Uuid>,
    finished_bytes: usize,
}

impl Invocations {
    fn remove(&mut self, id: Uuid) {
        if let Some(entry) = self.entries.remove(&id) {
            self.finished_bytes -= entry.bytes;
        }
    }
}

/// About how many bytes a value takes: each of its parts, and its texts.
fn bytes_of(value: &Value) -> usize {
    const PART: usize = size_of::<Value>();
    PART + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| 2 * PART + name.len() + bytes_of(value)).sum(),
    }
}

/// The invocations of one Thing.
#[derive(Debug)]
pub(crate) struct Actions {
    invocations: Mutex<Invocations>,
    changes: broadcast::Sender<Arc<ActionStatus>>,
}

impl Default for Actions {
    fn default() -> Self {
        Self { invocations: Mutex::default(), changes: broadcast::Sender::new(CHANGES_MAX) }
    }
}

impl Actions {
    fn with<T>(&self, work: impl FnOnce(&mut Invocations) -> T) -> T {
        work(&mut self.invocations.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new invocation.
    ///
    /// # Errors
    /// `Overloaded` when too many run.
    pub(crate) fn begin(&self, id: Uuid, name: &Arc<str>, now: SystemTime) -> Result<(), InteractionError> {
        self.with(|invocations| {
            if invocations.entries.len() - invocations.finished.len() >= RUNNING_MAX {
                return Err(InteractionError::Overloaded {
                    detail: format!("{RUNNING_MAX} invocations of this Thing's actions are running"),
                    retry_after: Duration::from_secs(1),
                });
            }
            let status = ActionStatus {
                id,
                name: Arc::clone(name),
                state: ActionState::Pending,
                progress: None,
                output: None,
                error: None,
                requested: now,
                ended: None,
            };
            invocations.entries.insert(id, Entry { status, bytes: 0, changed: watch::Sender::new(()) });
            Ok(())
        })
    }

    /// The handler said that it goes on.
    pub(crate) fn running(&self, id: Uuid) {
        self.with(|invocations| {
            if let Some(entry) = invocations.entries.get_mut(&id).filter(|entry| entry.status.ended.is_none()) {
                entry.status.state = ActionState::Running;
                entry.tell(&self.changes);
            }
        });
    }

    /// The handler said how far it is.
    pub(crate) fn progress(&self, id: Uuid, progress: Value) {
        self.with(|invocations| {
            if let Some(entry) = invocations.entries.get_mut(&id).filter(|entry| entry.status.ended.is_none()) {
                entry.status.progress = Some(progress);
                entry.tell(&self.changes);
            }
        });
    }

    /// An invocation ends; a second end changes nothing.
    pub(crate) fn end(&self, id: Uuid, ending: Ending, now: SystemTime) {
        self.with(|invocations| {
            let Some(entry) = invocations.entries.get_mut(&id).filter(|entry| entry.status.ended.is_none()) else {
                return;
            };
            entry.status.ended = Some(now);
            match ending {
                Ok(output) => {
                    entry.status.state = ActionState::Completed;
                    entry.bytes = output.as_ref().map_or(0, bytes_of);
                    entry.status.output = output;
                }
                Err(error) => {
                    entry.status.state = ActionState::Failed;
                    entry.status.error = Some(Arc::new(error));
                }
            }
            entry.tell(&self.changes);
            invocations.finished_bytes += entry.bytes;
            invocations.finished.push_back(id);
            while invocations.finished.len() > FINISHED_MAX
                || (invocations.finished_bytes > FINISHED_BYTES_MAX && invocations.finished.len() > 1)
            {
                if let Some(oldest) = invocations.finished.pop_front() {
                    invocations.remove(oldest);
                }
            }
        });
    }

    /// The status of one invocation of `name`.
    pub(crate) fn status(&self, name: &str, id: Uuid) -> Option<ActionStatus> {
        self.with(|invocations| {
            invocations.entries.get(&id).map(|entry| &entry.status).filter(|status| &*status.name == name).cloned()
        })
    }

    /// Which action an invocation belongs to.
    pub(crate) fn name(&self, id: Uuid) -> Option<Arc<str>> {
        self.with(|invocations| invocations.entries.get(&id).map(|entry| Arc::clone(&entry.status.name)))
    }

    /// Every change of every invocation from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Arc<ActionStatus>> {
        self.changes.subscribe()
    }

    /// An invocation was cancelled: listeners hear that it failed, then it is forgotten.
    pub(crate) fn cancelled(&self, id: Uuid, now: SystemTime) {
        self.end(id, Err(InteractionError::Conflict { detail: "the invocation was cancelled".to_owned() }), now);
        self.forget(id);
    }

    /// Forgets an invocation: a cancelled one is gone (handlers: cancel answers 204, then its status is 404), and a
    /// synchronous one was answered.
    pub(crate) fn forget(&self, id: Uuid) {
        self.with(|invocations| {
            invocations.remove(id);
            invocations.finished.retain(|finished| *finished != id);
        });
    }

    /// Forgets an invocation that never got an answer.
    pub(crate) fn forget_pending(&self, id: Uuid) {
        self.with(|invocations| {
            if invocations.entries.get(&id).is_some_and(|entry| entry.status.state == ActionState::Pending) {
                invocations.entries.remove(&id);
            }
        });
    }

    /// Waits until the invocation has ended, and answers its last status; `None` when it was forgotten meanwhile.
    pub(crate) async fn ended(&self, name: &str, id: Uuid) -> Option<ActionStatus> {
        let mut changed =
            self.with(|invocations| invocations.entries.get(&id).map(|entry| entry.changed.subscribe()))?;
        loop {
            let status = self.status(name, id)?;
            if status.ended.is_some() {
                return Some(status);
            }
            if changed.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Those that the handler said go on.
    pub(crate) fn running_ones(&self) -> Vec<Uuid> {
        self.in_state(ActionState::Running)
    }

    /// The Thing stops: what runs and what waits ends.
    pub(crate) fn end_all(&self) {
        for id in [self.in_state(ActionState::Pending), self.in_state(ActionState::Running)].concat() {
            let stopping = InteractionError::Suspended {
                detail: "the Thing is stopping".to_owned(),
                retry_after: Duration::from_secs(5),
            };
            self.end(id, Err(stopping), SystemTime::now());
        }
    }

    fn in_state(&self, state: ActionState) -> Vec<Uuid> {
        self.with(|invocations| {
            let statuses = invocations.entries.values().map(|entry| &entry.status);
            statuses.filter(|status| status.state == state).map(|status| status.id).collect()
        })
    }

    /// All of them by action, newest first.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<ActionStatus>> {
        let mut by_name: BTreeMap<String, Vec<ActionStatus>> = BTreeMap::new();
        self.with(|invocations| {
            for entry in invocations.entries.values() {
                by_name.entry(entry.status.name.to_string()).or_default().push(entry.status.clone());
            }
        });
        for statuses in by_name.values_mut() {
            statuses.sort_by_key(|status| std::cmp::Reverse(status.requested));
        }
        by_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_ends_once_and_finished_ones_are_bounded() {
        let actions = Actions::default();
        let name: Arc<str> = Arc::from("pulse");
        let now = SystemTime::UNIX_EPOCH;
        let first = Uuid::from_u128(1);
        for number in 1..=(FINISHED_MAX as u128 + 1) {
            let id = Uuid::from_u128(number);
            actions.begin(id, &name, now).unwrap();
            actions.running(id);
            actions.end(id, Ok(Some(Value::from(1))), now);
            actions.end(id, Err(InteractionError::HandlerReplaced), now);
        }
        assert!(actions.status("pulse", first).is_none(), "the oldest was dropped");
        let all = actions.all();
        assert_eq!(all["pulse"].len(), FINISHED_MAX);
        assert!(all["pulse"].iter().all(|status| status.state == ActionState::Completed));
        assert!(actions.running_ones().is_empty());
    }

    #[test]
    fn outputs_of_finished_ones_are_bounded_in_bytes() {
        let actions = Actions::default();
        let name: Arc<str> = Arc::from("dump");
        let now = SystemTime::UNIX_EPOCH;
        let large = Value::from(vec![0; 10_000]);
        for number in 1..=10 {
            let id = Uuid::from_u128(number);
            actions.begin(id, &name, now).unwrap();
            actions.end(id, Ok(Some(large.clone())), now);
        }
        let kept = actions.all()["dump"].len();
        assert!(kept * bytes_of(&large) <= FINISHED_BYTES_MAX && kept > 1, "{kept}");
        (1..=10).for_each(|number| actions.forget(Uuid::from_u128(number)));
        assert_eq!(actions.with(|invocations| invocations.finished_bytes), 0);
    }

    #[test]
    fn too_many_at_once_are_refused() {
        let actions = Actions::default();
        let name: Arc<str> = Arc::from("pulse");
        for number in 0..RUNNING_MAX as u128 {
            actions.begin(Uuid::from_u128(number), &name, SystemTime::UNIX_EPOCH).unwrap();
        }
        assert!(actions.begin(Uuid::from_u128(999), &name, SystemTime::UNIX_EPOCH).is_err());
    }
}
