//! The servient: the Things that this gateway exposes, by name and by id.
//!
//! Bindings find Things here and nowhere else. It starts none and answers for none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::access::Access;
use crate::config::Config;
use crate::exposed_thing::{Description, ExposedThing};
use crate::interaction::InteractionError;
use crate::names::{ThingId, ThingName};

/// What a gateway exposes.
#[derive(Debug)]
pub struct Servient {
    config: Config,
    /// Looked up at every request: without a lock.
    things: ArcSwap<Things>,
    changed: watch::Sender<u64>,
    directory: Arc<Description>,
    stopping: watch::Sender<bool>,
    access: Arc<Access>,
}

/// The Things by what consumers call them.
#[derive(Debug, Default, Clone)]
struct Things {
    /// In the order in which the directory lists them.
    by_id: BTreeMap<ThingId, Arc<ExposedThing>>,
    /// Every read begins here.
    by_name: HashMap<ThingName, Arc<ExposedThing>>,
}

impl Servient {
    /// A servient without Things; `directory` is the description of its directory.
    pub(crate) fn new(config: Config, directory: Description, access: Arc<Access>) -> Self {
        Self {
            config,
            things: ArcSwap::default(),
            changed: watch::Sender::new(0),
            directory: Arc::new(directory),
            stopping: watch::Sender::new(false),
            access,
        }
    }

    /// Exposes one more Thing.
    pub(crate) fn expose(&self, thing: &Arc<ExposedThing>) {
        self.things.rcu(|things| {
            let mut things = Things::clone(things);
            things.by_name.insert(thing.name().clone(), Arc::clone(thing));
            things.by_id.insert(thing.id().clone(), Arc::clone(thing));
            things
        });
        self.changed.send_modify(|revision| *revision += 1);
    }

    /// The Thing of that name or id.
    ///
    /// # Errors
    /// `UnknownThing`.
    pub fn thing(&self, name_or_id: &str) -> Result<Arc<ExposedThing>, InteractionError> {
        let things = self.things.load();
        let found = things.by_name.get(name_or_id).or_else(|| things.by_id.get(name_or_id));
        found.cloned().ok_or_else(|| InteractionError::UnknownThing { thing: name_or_id.to_owned() })
    }

    /// All Things that the directory lists, by id.
    #[must_use]
    pub fn things(&self) -> Vec<Arc<ExposedThing>> {
        self.things.load().by_id.values().cloned().collect()
    }

    /// Changes when Things come or go.
    #[must_use]
    pub fn things_changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What the directory itself offers.
    #[must_use]
    pub fn directory(&self) -> Arc<Description> {
        Arc::clone(&self.directory)
    }

    /// Who may ask.
    #[must_use]
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Turns true when the gateway stops: streams end.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Every stream ends.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// The origin under which the gateway finds itself: the configured one, else where it listens.
    #[must_use]
    pub fn own_origin(&self) -> String {
        let listen = self.config.listen;
        let own = || match listen.ip().is_unspecified() {
            true => format!("http://localhost:{}", listen.port()),
            false => format!("http://{listen}"),
        };
        self.config.base_url.clone().unwrap_or_else(own)
    }

    /// The configuration with which the gateway started; the addresses are those that it got.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}
