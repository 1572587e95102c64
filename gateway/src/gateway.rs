//! The gateway as a whole: started from a configuration, stopped in order.
//!
//! Stopping: streams end, requests in flight get their time, handlers say their last words, lines go to their fail-safe
//! levels, clocks are written back, and the store is the last to close.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use handler_host::{EngineConfig, HandlerEngine};
use things::{Board, Hardware};
use tokio::net::TcpListener;
use tokio::signal::unix;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::access::{self, Access, TokenFile, TokenSet};
use crate::behavior::gateway::Health;
use crate::behavior::handler::request::Request;
use crate::binding_http;
use crate::binding_mqtt::Binding;
use crate::config::{Config, Declaration, Tree};
use crate::crash_point::CrashPoint;
use crate::descriptors;
use crate::logging::{self, LogRing};
use crate::names::ThingName;
use crate::replacement::{Replacements, SpentMemory, Users, take_arrivals};
use crate::repository::{Arrival, Repository};
use crate::room::Room;
use crate::servient::Servient;
use crate::startup::{self, CLOCK_AHEAD_US, Parts, Started};
use crate::store::{Batch, Store, StoreError};

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The store can't be opened.
    #[error("the data directory {} can't be used", path.display())]
    Store {
        /// The data directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The engine can't be made.
    #[error("the Wasm engine does not start: {reason}")]
    Engine {
        /// Why.
        reason: String,
    },
    /// Some Things can't be served as declared.
    #[error("{}", faults.join("\n"))]
    Things {
        /// One line per Thing, which begins with its name.
        faults: Vec<String>,
    },
    /// The address is not to be had.
    #[error("can't listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// How often a store that cannot be written is tried.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// The declared Things, by name.
type Declarations = BTreeMap<ThingName, Declaration>;

/// What a gateway is started from: the configuration with the command line already on top of it.
#[derive(Debug)]
pub struct Options {
    /// The configuration and the declared Things.
    pub tree: Tree,
    /// Store, components and compiled cache.
    pub data_dir: PathBuf,
    /// Where handlers are looked for by name.
    pub handlers_dir: PathBuf,
    /// The tokens' file, which is followed.
    pub token_file: TokenFile,
    /// What it says now.
    pub tokens: Option<TokenSet>,
    /// Called once, with the addresses that were got, when requests are answered: prints what to try.
    pub ready: Option<fn(&Config)>,
}

/// Runs a gateway until SIGINT or SIGTERM ends it; tells systemd how it stands.
///
/// # Errors
/// [`StartupError`]; nothing runs then.
pub async fn run(options: Options) -> Result<(), StartupError> {
    let no_thread = |error: std::io::Error| StartupError::Engine { reason: error.to_string() };
    let (logs, _lines) = logging::start(options.tree.config.log).map_err(no_thread)?;
    let ready = options.ready;
    let mut asked = Signals::listen().map_err(no_thread)?;
    let gateway = Gateway::start(options, logs).await?;
    tracing::info!(address = %gateway.address(), things = gateway.servient().things().len(), "listening");
    if let Some(address) = gateway.servient().config().mqtt.listen {
        tracing::info!(%address, "listening for MQTT");
    }
    notify_systemd(sd_notify::NotifyState::Ready);
    if let Some(ready) = ready {
        ready(gateway.servient().config());
    }
    let signal = asked.next().await;
    tracing::info!(signal, "stopping");
    notify_systemd(sd_notify::NotifyState::Stopping);
    gateway.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// The signals that ask a gateway to stop.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
            terminate: unix::signal(unix::SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Without systemd there is nobody to tell, which is no error.
fn notify_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    servient: Arc<Servient>,
    store: Store,
    things: Vec<Started>,
    tasks: Vec<JoinHandle<()>>,
    http: JoinHandle<std::io::Result<()>>,
    mqtt: Binding,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Starts all Things, then listens.
    ///
    /// # Errors
    /// [`StartupError`]; nothing runs then.
    pub async fn start(options: Options, logs: LogRing) -> Result<Self, StartupError> {
        let Options { tree, data_dir, handlers_dir, token_file, tokens, .. } = options;
        let Tree { mut config, declarations } = tree;
        descriptors::fit(&mut config, descriptors::raise());
        // First of all: no device is touched by a gateway that cannot be reached.
        let listener = bind(&mut config.listen).await?;
        let mqtt_listener = match &mut config.mqtt.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let (address, limits) = (config.listen, config.limits);
        let board = config.board_simulated.then(Board::new);
        let repository = Repository::new(handlers_dir, limits.component_bytes_max);
        let parts = parts(&config, &data_dir, repository, board.clone()).await?;
        let directory = startup::directory(&parts).map_err(fault)?;
        let own = startup::own_things(&parts, board, logs, &config.title).map_err(fault)?;
        // Before the Things look into the folder: what comes after that is heard of.
        let arrivals = watch_folder(&parts.repository, &declarations);
        let things = start_things(&parts, &declarations).await?;
        turn_off_undeclared(&parts.store, &declarations).await;
        let access = guarded(tokens, &config, token_file);
        let servient = Arc::new(Servient::new(config, directory, access));
        for thing in own.things.iter().chain(things.iter().map(|started| &started.thing)) {
            servient.expose(thing);
        }
        let (stop, mut stopped) = watch::channel(false);
        let mqtt = Binding::start(&servient, Arc::clone(&parts.mqtt), mqtt_listener, &stopped);
        let router = binding_http::router(Arc::clone(&servient));
        let until = async move {
            let _stopped = stopped.wait_for(|stopped| *stopped).await;
        };
        let http = tokio::spawn({
            let room = Arc::clone(&parts.http);
            async move { binding_http::serve_in(&room, listener, router, until, limits).await }
        });
        let mut tasks = own.tasks;
        tasks.push(mend_store(parts.store.clone(), Arc::clone(&parts.health)));
        tasks.push(keep_clocks(parts.store.clone(), &things));
        tasks.extend(arrivals.map(|arrivals| tokio::spawn(take_arrivals(arrivals, users(&things)))));
        Ok(Self { address, servient, store: parts.store, things, tasks, http, mqtt, stop })
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it exposes.
    #[must_use]
    pub fn servient(&self) -> &Arc<Servient> {
        &self.servient
    }

    /// Stops everything, in order.
    pub async fn stop(self) {
        self.servient.stop();
        self.stop.send_replace(true);
        match self.http.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "HTTP ended badly"),
            Err(error) => tracing::error!(%error, "HTTP ended badly"),
        }
        self.mqtt.stopped().await;
        for task in &self.tasks {
            task.abort();
        }
        let stood: Vec<_> = self.things.iter().map(|started| (started.thing.name().clone(), started.clock)).collect();
        stop_things(self.things).await;
        let mut clocks = Batch::new();
        for (thing, clock) in &stood {
            clocks.reserve_clock(thing, clock.now_us());
        }
        if let Err(error) = self.store.commit(clocks).await {
            tracing::warn!(%error, "the Things' clocks could not be written back; they go on a little later than they stood");
        }
    }
}

/// Handlers say their last words, lines go to their fail-safe levels.
async fn stop_things(things: Vec<Started>) {
    for started in &things {
        if let Err(error) = started.behavior.tell(|reply| Request::Stop { reply }).await {
            tracing::debug!(thing = %started.thing.name(), %error, "had stopped before");
        }
    }
    for started in things {
        if let Err(error) = started.task.await {
            tracing::error!(thing = %started.thing.name(), %error, "its task ended badly");
        }
    }
}

/// Who may ask, which is said, and followed.
fn guarded(tokens: Option<TokenSet>, config: &Config, file: TokenFile) -> Arc<Access> {
    let path = file.path().display();
    match &tokens {
        None => tracing::warn!(
            %path,
            "open to every program and user of this machine, and listening on loopback only: there is no token; \
             `tidegate token new` makes one"
        ),
        Some(tokens) => tracing::info!(%path, count = tokens.len(), "every request needs a token"),
    }
    let broker_commands = config.mqtt.broker.as_ref().is_none_or(|broker| broker.commands);
    let access = Arc::new(Access::new(tokens, broker_commands));
    if let Err(error) = access::follow(&access, file) {
        tracing::error!(%error, "the file of tokens is not followed: what changes there counts after a restart");
    }
    access
}

/// Listens on `address`, which is the one that it got afterwards.
async fn bind(address: &mut SocketAddr) -> Result<TcpListener, StartupError> {
    let listening = |source| StartupError::Listen { address: *address, source };
    let listener = TcpListener::bind(*address).await.map_err(listening)?;
    *address = listener.local_addr().map_err(listening)?;
    Ok(listener)
}

fn fault(fault: String) -> StartupError {
    StartupError::Things { faults: vec![fault] }
}

async fn parts(
    config: &Config,
    data_dir: &Path,
    repository: Repository,
    board: Option<Board>,
) -> Result<Parts, StartupError> {
    let opening = data_dir.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open(&opening).map_err(|source| StartupError::Store { path: opening.clone(), source })?;
        if let Err(error) = store.collect_components() {
            tracing::warn!(%error, "unused components could not be removed");
        }
        CrashPoint::StartCollected.pass();
        let engine = EngineConfig {
            cache_dir: Some(opening.join("cache")),
            cache_key_file: Some(opening.join("cache.key")),
            ..EngineConfig::default()
        };
        let engine = HandlerEngine::new(engine).map_err(|error| StartupError::Engine { reason: error.to_string() })?;
        Ok((store, engine))
    });
    let (store, engine) = opened.await.map_err(|error| StartupError::Engine { reason: error.to_string() })??;
    let health = Health::new(store.trouble());
    Ok(Parts {
        engine,
        store,
        hardware: Hardware::new(board),
        repository,
        health,
        mqtt: Arc::default(),
        replacements: Replacements::default(),
        spent: SpentMemory::default(),
        http: Room::new(config.limits.connections_max, config.limits.observers_max),
        canary: config.canary,
        queue_length_max: config.limits.queue_length_max,
    })
}

async fn start_things(parts: &Parts, declarations: &Declarations) -> Result<Vec<Started>, StartupError> {
    let (mut things, mut faults) = (Vec::new(), Vec::new());
    for declaration in declarations.values() {
        match startup::start_thing(parts, declaration).await {
            Ok(started) => things.extend(started),
            Err(fault) => faults.push(format!("the Thing `{}`: {fault}", declaration.name)),
        }
    }
    if faults.is_empty() {
        return Ok(things);
    }
    stop_things(things).await;
    Err(StartupError::Things { faults })
}

/// Without inotify the folder is looked at when a gateway starts, and that is said.
fn watch_folder(repository: &Repository, declarations: &Declarations) -> Option<mpsc::Receiver<Arrival>> {
    let handlers = declarations.values().map(|declaration| declaration.handler.clone()).collect();
    let watched = repository.watch(handlers);
    watched.inspect_err(|error| tracing::warn!(%error, "the handlers folder is not watched")).ok()
}

fn users(things: &[Started]) -> Users {
    things.iter().fold(Users::new(), |mut users, started| {
        users.entry(started.handler.clone()).or_default().push(Arc::clone(&started.replacement));
        users
    })
}

/// A Thing whose file is gone is off; what the store knows of it stays.
async fn turn_off_undeclared(store: &Store, declarations: &Declarations) {
    for record in store.records() {
        if declarations.contains_key(&record.name) {
            continue;
        }
        let import = crate::store::import_undeclared(&record);
        if let Err(error) = store.commit(import.batch()).await {
            tracing::warn!(thing = %record.name, %error, "could not be recorded as off");
        }
    }
}

/// Tries a store that cannot be written until it can, whether or not somebody has something to write.
fn mend_store(store: Store, health: Arc<Health>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut trouble = store.trouble();
        while trouble.changed().await.is_ok() {
            health.storage_changed();
            while trouble.borrow_and_update().is_some() {
                tokio::time::sleep(TRY_AGAIN).await;
                if let Err(error) = store.try_again().await {
                    tracing::debug!(%error, "the store cannot be written yet");
                }
            }
            health.storage_changed();
            let store = store.clone();
            let collected = tokio::task::spawn_blocking(move || store.collect_components()).await;
            if !matches!(collected, Ok(Ok(_))) {
                tracing::debug!(?collected, "unused components are left until the next start");
            }
        }
    })
}

/// Reserves the Things' clocks ahead, all in one commit, before the last reservation is used up.
fn keep_clocks(store: Store, things: &[Started]) -> JoinHandle<()> {
    let clocks: Vec<_> = things.iter().map(|started| (started.thing.name().clone(), started.clock)).collect();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_micros(CLOCK_AHEAD_US / 2));
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let mut batch = Batch::new();
            for (thing, clock) in &clocks {
                batch.reserve_clock(thing, clock.now_us().saturating_add(CLOCK_AHEAD_US));
            }
            if let Err(error) = store.commit(batch).await {
                tracing::warn!(%error, "the Things' clocks could not be reserved ahead");
            }
        }
    })
}
