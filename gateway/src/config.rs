//! The configuration: one file for the gateway (`tidegate.toml`) and one per Thing (`things.d/*.toml` beside it).
//!
//! Read whole or not at all: unknown keys are refused, and every fault of every file is reported at once with its line.
//! What comes out is checked and typed; nothing behind this module looks at TOML again. Whether a handler exists, and
//! whether a device answers, is not known here.

mod declaration;
mod fault;
mod gateway_file;
mod load;
mod section;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use declaration::{Declaration, GRANTS_MAX, SETTINGS_BYTES_MAX, ThingLimits};
pub(crate) use fault::nearest;
pub use fault::{ConfigFault, ConfigFaults};
pub use gateway_file::check_listen;
pub use load::{FILE_BYTES_MAX, THING_FILES_MAX, Tree, load, load_all, parse_declaration, parse_tree};

/// Everything that the files say. [`Config::default`] is the configuration of an empty file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The gateway's own name, for titles and logs; a host name without its domain is a good choice.
    pub name: String,
    /// Human title of the gateway's TD.
    pub title: String,
    /// Where HTTP listens.
    pub listen: SocketAddr,
    /// The address that consumers use, when it is not the `Host` they send (behind a proxy): `http(s)://host[:port]`.
    pub base_url: Option<String>,
    /// `Host` names that are answered besides loopback ones and `base_url`'s; others get 421.
    pub allowed_hosts: Vec<String>,
    /// Peers whose `Forwarded` headers are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Store, components and compiled cache; `None`: the caller chooses.
    pub data_dir: Option<PathBuf>,
    /// Where handlers are looked for by name; `None`: beside the executable, then `/usr/share/tidegate/handlers`.
    pub handlers_dir: Option<PathBuf>,
    /// The file of tokens; `None`: `token` in the data directory.
    pub token_file: Option<PathBuf>,
    /// How and how much is logged.
    pub log: Log,
    /// Bounds of queues, bodies, connections and times.
    pub limits: Limits,
    /// How long one call of a handler may take, unless its Thing says otherwise.
    pub budgets: Budgets,
    /// How long a new handler version is on probation.
    pub canary: Canary,
    /// The MQTT endpoint and the external broker.
    pub mqtt: Mqtt,
    /// Expose the simulated Raspberry Pi board (`board:` buses, Thing `board`).
    pub board_simulated: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "tidegate".into(),
            title: "Tidegate".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            base_url: None,
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            data_dir: None,
            handlers_dir: None,
            token_file: None,
            log: Log::default(),
            limits: Limits::default(),
            budgets: Budgets::default(),
            canary: Canary::default(),
            mqtt: Mqtt::default(),
            board_simulated: false,
        }
    }
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: LogLevel,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need a person.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Why it happened.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As written in the file and understood by `tracing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `[limits]`: every bound of the gateway that a deployment may want to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of a request, in bytes (components excepted).
    pub body_bytes_max: usize,
    /// Largest component that `replace` takes, in bytes.
    pub component_bytes_max: usize,
    /// Requests that may wait for one Thing; the next one gets 503.
    pub queue_length_max: usize,
    /// Open connections, those that observe excepted.
    pub connections_max: usize,
    /// Connections that observe: event streams and long polls together.
    pub observers_max: usize,
    /// A request must be answered within this time.
    pub request_timeout: Duration,
    /// The head of a request must arrive within this time.
    pub header_timeout: Duration,
    /// The body of a request must arrive within this time (components have 120 s).
    pub body_timeout: Duration,
    /// A client that takes nothing of what is sent to it for so long is given up.
    pub stall_timeout: Duration,
    /// At a shutdown requests in flight get this long.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            component_bytes_max: 16 << 20,
            queue_length_max: 256,
            connections_max: 512,
            observers_max: 1_024,
            request_timeout: Duration::from_secs(35),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Wall time that one call of a handler may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// `read-property`, in milliseconds.
    pub read_ms: u32,
    /// `write-property`, in milliseconds.
    pub write_ms: u32,
    /// `invoke-action` and `cancel-action`: of the call, a running action lasts as long as it likes.
    pub invoke_ms: u32,
    /// `start`, in milliseconds.
    pub start_ms: u32,
    /// `wake` and `on-signal`, in milliseconds.
    pub wake_ms: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { read_ms: 100, write_ms: 100, invoke_ms: 1_000, start_ms: 1_000, wake_ms: 100 }
    }
}

/// `[mqtt]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mqtt {
    /// Where the gateway's own endpoint listens; `None`: there is none.
    pub listen: Option<SocketAddr>,
    /// Bounds of the endpoint.
    pub limits: MqttLimits,
    /// `[mqtt.broker]`: an external broker to which everything is published too.
    pub broker: Option<Broker>,
}

/// Bounds of the MQTT endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MqttLimits {
    /// Connections, those that have not introduced themselves included.
    pub clients_max: usize,
    /// CONNECT must arrive within this time.
    pub connect_timeout: Duration,
}

impl Default for MqttLimits {
    fn default() -> Self {
        Self { clients_max: 1_100, connect_timeout: Duration::from_secs(5) }
    }
}

/// An external broker, spoken to in MQTT 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its host: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// User name.
    pub username: Option<String>,
    /// A file with the password: its first line.
    pub password_file: Option<PathBuf>,
    /// Seconds without traffic after which a sign of life is exchanged.
    pub keep_alive_s: u16,
    /// Whether who publishes there may command, although a token is needed: the broker then decides who that is.
    pub commands: bool,
}

/// `[canary]`: a new version is watched until it has answered so many calls, or for so long, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// Calls to watch.
    pub calls: u32,
    /// Seconds to watch.
    pub seconds: u32,
}

impl Default for Canary {
    fn default() -> Self {
        Self { calls: 100, seconds: 60 }
    }
}

#[cfg(test)]
mod tests;
