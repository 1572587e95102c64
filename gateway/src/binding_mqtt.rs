//! The MQTT binding: every Thing's affordances as topics, on the gateway's own endpoint and through an external broker.
//!
//! A [`feed`] per Thing turns what its observers hear into messages; the [`hub`] hands them to whoever subscribed, be it a
//! client of the [`endpoint`] or the [`broker`]; a [`command`] is a publish that writes, invokes or cancels. All of it goes
//! through `ExposedThing`, as HTTP does. Invariant: the gateway is the source of truth, no broker is: what is retained
//! is the current reading, and no lapsed one is handed out.

mod broker;
mod command;
pub(crate) mod endpoint;
mod feed;
mod filter;
mod hub;
mod message;
mod outbox;
mod tls;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use topics::Topics;

use crate::behavior::gateway::MqttHealth;
use crate::servient::Servient;
use hub::Hub;

/// How long clients and broker have at the end.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// The running binding. Dropped, everything of it ends at once.
#[derive(Debug)]
pub(crate) struct Binding {
    tasks: JoinSet<()>,
}

impl Binding {
    /// Feeds the Things' topics to `listener`'s clients and to the configured broker until `stop` turns true.
    pub(crate) fn start(
        servient: &Arc<Servient>,
        health: Arc<MqttHealth>,
        listener: Option<TcpListener>,
        stop: &watch::Receiver<bool>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let config = servient.config();
        if listener.is_none() && config.mqtt.broker.is_none() {
            return Self { tasks };
        }
        let topics = Topics::of(&config.name);
        let hub = Arc::new(Hub::new(health));
        feed::start(&mut tasks, servient, &hub, &topics, stop);
        let commands = Arc::new(command::Commands::new(Arc::clone(servient), topics, Arc::clone(&hub)));
        if let Some(broker) = &config.mqtt.broker {
            tasks.spawn(broker::run(broker.clone(), Arc::clone(&hub), Arc::clone(&commands), stop.clone()));
        }
        if let Some(listener) = listener {
            tasks.spawn(endpoint::serve(listener, hub, commands, config.mqtt.limits, stop.clone()));
        }
        Self { tasks }
    }

    /// Waits until clients have been told that the gateway stops, but not for ever: lines have to go to their fail-safe
    /// levels, whatever a broker does.
    pub(crate) async fn stopped(mut self) {
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a task of the MQTT binding ended badly");
                }
            }
        };
        if tokio::time::timeout(STOPPED_WITHIN, all).await.is_err() {
            tracing::warn!("MQTT clients or the broker were cut off");
        }
    }
}
