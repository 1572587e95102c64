//! One version of a Thing's handler, ready to be started: the compiled component, what it may do, how it is configured.
//!
//! A version outlives its instances: a trapped one is followed by another of the same version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use handler_host::{
    Answer, Capabilities, Config, HandlerComponent, HandlerInstance, InstanceSetup, Limits, Origin, ThingClock,
};

use thing_descriptions::TdError;

use crate::config::Budgets;
use crate::exposed_thing::{Description, description};
use crate::names::ThingId;

/// What the Thing is called, whatever version serves.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) id: ThingId,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
}

/// One version of a handler.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// Counts up with every replacement of this Thing.
    pub(crate) number: u64,
    pub(crate) component: HandlerComponent,
    pub(crate) capabilities: Capabilities,
    pub(crate) config: Config,
    pub(crate) clock: ThingClock,
    pub(crate) limits: Limits,
    pub(crate) budgets: Budgets,
    pub(crate) naming: Naming,
    /// The labels that the deployment grants.
    pub(crate) granted: BTreeSet<String>,
}

/// JSON Pointers to the affordances that need a want which the deployment does not grant: an optional want names them in
/// `affordances`, and `tm:optional` allows a Thing to be without them.
fn absent(model: &serde_json::Value, granted: impl Fn(&str) -> bool) -> Vec<String> {
    let wants = model["tidegate:wants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = wants.iter().filter(|want| !want["label"].as_str().is_some_and(&granted));
    let affordances = missing.filter_map(|want| want["affordances"].as_array()).flatten();
    affordances.filter_map(|pointer| pointer.as_str().map(str::to_owned)).collect()
}

impl Version {
    /// A fresh instance over `state`.
    pub(crate) async fn start(&self, state: BTreeMap<String, Vec<u8>>, origin: Origin) -> Answer<()> {
        self.start_with(self.capabilities.clone(), state, origin).await
    }

    /// A fresh instance whose devices answer `busy` and whose effects nobody sees.
    pub(crate) async fn rehearse(&self, state: BTreeMap<String, Vec<u8>>) -> Answer<()> {
        self.start_with(self.capabilities.rehearsal(), state, Origin::Swapped).await
    }

    async fn start_with(
        &self,
        capabilities: Capabilities,
        state: BTreeMap<String, Vec<u8>>,
        origin: Origin,
    ) -> Answer<()> {
        let setup = InstanceSetup {
            component: self.component.clone(),
            capabilities,
            clock: self.clock,
            state,
            config: self.config.clone(),
            limits: self.limits.clone(),
        };
        HandlerInstance::start(setup, origin, self.budgets.start_ms).await
    }

    /// What the Thing offers while this version serves.
    ///
    /// # Errors
    /// [`TdError`] when the component's model makes no Thing Description.
    pub(crate) fn describe(&self, revision: u64) -> Result<Description, TdError> {
        let naming = description::Naming {
            id: &self.naming.id,
            title: self.naming.title.as_deref(),
            description: self.naming.description.as_deref(),
        };
        let model = self.component.model_json();
        let absent = absent(model, |label| self.granted.contains(label));
        Description::of(model, &naming, &absent, revision, SystemTime::now())
    }
}
