//! One version of a Thing's handler, ready to be started: the compiled component, what it may do, how it is configured.
//!
//! A version outlives its instances: a trapped one is followed by another of the same version.

use std::collections::BTreeMap;
use std::time::Duration;

use handler_host::{Answer, Capabilities, Config, HandlerComponent, HandlerInstance, InstanceSetup, Limits, Origin, ThingClock};

use crate::config::Budgets;

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

    async fn start_with(&self, capabilities: Capabilities, state: BTreeMap<String, Vec<u8>>, origin: Origin) -> Answer<()> {
        let setup = InstanceSetup {
            component: self.component.clone(),
            capabilities,
            clock: self.clock.clone(),
            state,
            config: self.config.clone(),
            limits: self.limits.clone(),
        };
        HandlerInstance::start(setup, origin, self.budgets.start).await
    }

    /// The budget of a call, in the contract's milliseconds.
    pub(crate) fn budget_ms(budget: Duration) -> u32 {
        u32::try_from(budget.as_millis()).unwrap_or(u32::MAX)
    }
}
