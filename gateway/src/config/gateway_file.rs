//! `tidegate.toml`: the keys of the gateway itself.
//!
//! Every key has a default, so that an empty file is a whole configuration. Faults go to the section's log.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Broker, Budgets, Canary, Config, Limits, Log, LogFormat, LogLevel, Mqtt, MqttLimits, fault::nearest,
    section::Section,
};

/// Longest name, title and host name.
const TEXT_CHARS_MAX: usize = 128;
/// Entries of a list.
const LIST_MAX: usize = 64;
/// The longest time-out that makes sense to write: an hour.
const TIMEOUT_MS_MAX: u64 = 3_600_000;
/// The longest budget: a minute. A handler that computes longer answers `running`.
const BUDGET_MS_MAX: u64 = 60_000;

/// Whether a gateway of this configuration has a token, without which it listens on loopback only.
pub(super) type Protected<'a> = &'a dyn Fn(&Config) -> bool;

/// Reads the top table; relative paths are relative to `folder`, the file's own.
pub(super) fn read(top: &Section<'_, '_>, folder: &Path, protected: Protected<'_>) -> Config {
    let fallback = Config::default();
    let mut config = Config {
        name: top.parsed("name", text).unwrap_or(fallback.name),
        title: top.parsed("title", text).unwrap_or(fallback.title),
        listen: top.parsed("listen", listen).unwrap_or(fallback.listen),
        base_url: top.parsed("base-url", base_url),
        allowed_hosts: top.list("allowed-hosts", LIST_MAX, host).unwrap_or_default(),
        trusted_proxies: top.list("trusted-proxies", LIST_MAX, str::parse).unwrap_or_default(),
        data_dir: top.parsed("data-dir", |path| folder_path(folder, path)),
        handlers_dir: top.parsed("handlers-dir", |path| folder_path(folder, path)),
        token_file: top.section("access").and_then(|section| access(section, folder)),
        log: top.section("log").map(log).unwrap_or_default(),
        limits: top.section("limits").map(limits).unwrap_or_default(),
        budgets: top.section("budgets").map(|section| budgets(section, Budgets::default())).unwrap_or_default(),
        canary: top.section("canary").map(canary).unwrap_or_default(),
        mqtt: Mqtt::default(),
        board_simulated: top.section("board").is_some_and(board),
    };
    let protected = protected(&config);
    if let Err((what, hint)) = check_listen(config.listen, protected) {
        top.fault("listen", &what, hint);
    }
    if top.value("insecure-allow-remote").is_some() {
        top.fault("insecure-allow-remote", "there is access control now", LISTEN_HINT);
    }
    config.mqtt = top.section("mqtt").map(|section| mqtt(section, folder, protected)).unwrap_or_default();
    let in_topics = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if config.mqtt != Mqtt::default() && !config.name.chars().all(in_topics) {
        let hint = "it is a level of the gateway's MQTT topics and stands in URLs; `title` may be anything";
        top.fault("name", "with MQTT only a-z, A-Z, 0-9, `-`, `_` and `.` are allowed", hint);
    }
    config
}

/// `[access]`: where the tokens are.
fn access(section: Section<'_, '_>, folder: &Path) -> Option<PathBuf> {
    let token_file = section.parsed("token-file", |path| folder_path(folder, path));
    section.finish();
    token_file
}

fn mqtt(section: Section<'_, '_>, folder: &Path, protected: bool) -> Mqtt {
    let fallback = MqttLimits::default();
    let size = |key, range, fallback| section.integer(key, range).and_then(|n| n.try_into().ok()).unwrap_or(fallback);
    let connect_timeout = section.integer("connect-timeout-ms", (10, TIMEOUT_MS_MAX));
    let mqtt = Mqtt {
        listen: section.parsed("listen", listen),
        limits: MqttLimits {
            clients_max: size("clients-max", (1, 65_536), fallback.clients_max),
            connect_timeout: connect_timeout.map_or(fallback.connect_timeout, Duration::from_millis),
        },
        broker: section.section("broker").and_then(|section| broker(section, folder)),
    };
    if let Some(Err((what, hint))) = mqtt.listen.map(|listen| check_listen(listen, protected)) {
        section.fault("listen", &what, hint);
    }
    section.finish();
    mqtt
}

/// `[mqtt.broker]`; `None` when it names no host, which is a fault.
fn broker(section: Section<'_, '_>, folder: &Path) -> Option<Broker> {
    let tls = section.boolean("tls").unwrap_or(false);
    let port = section.integer("port", (1, 65_535)).and_then(|port| port.try_into().ok());
    let host = section.parsed("host", host_name);
    if section.value("host").is_none() {
        section.log.fault(&section.span, "`host` is missing", "name the broker: a name or an address");
    }
    let broker = Broker {
        port: port.unwrap_or(if tls { 8_883 } else { 1_883 }),
        tls,
        ca_file: section.parsed("ca-file", |path| folder_path(folder, path)),
        username: section.parsed("username", text),
        password_file: section.parsed("password-file", |path| folder_path(folder, path)),
        keep_alive_s: section
            .integer("keep-alive-s", (5, 3_600))
            .and_then(|seconds| seconds.try_into().ok())
            .unwrap_or(30),
        commands: section.boolean("commands").unwrap_or(false),
        host: host.clone().unwrap_or_default(),
    };
    if !tls && broker.ca_file.is_some() {
        section.fault("ca-file", "without TLS there is no certificate to check", "write `tls = true`");
    }
    if broker.username.is_none() && broker.password_file.is_some() {
        section.fault("password-file", "there is no user name for this password", "name one under `username`");
    }
    section.finish();
    host.map(|_| broker)
}

/// A host without a port.
fn host_name(text: &str) -> Result<String, String> {
    let literal = text.parse::<std::net::IpAddr>().is_ok();
    if literal || (!text.contains([':', '[', ']']) && host(text).is_ok()) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no host; write a name or an address, and the port under `port`"))
    }
}

/// What makes an address beyond loopback one that can be listened on.
const LISTEN_HINT: &str = "`tidegate token new` makes a token; with it every request needs it, and any address will do";

/// A listen address beyond loopback needs a token: without one, whoever reaches the port owns the machine's actuators.
/// `Err` is (what, hint).
pub fn check_listen(address: SocketAddr, protected: bool) -> Result<(), (String, &'static str)> {
    if address.ip().is_loopback() || protected {
        return Ok(());
    }
    Err((format!("{address} is reachable from other machines, and there is no token"), LISTEN_HINT))
}

fn log(section: Section<'_, '_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let levels = levels.map(|level| (level.as_str(), level));
    let log = Log {
        format: section.parsed("format", |word| choice(word, &formats)).unwrap_or_default(),
        level: section.parsed("level", |word| choice(word, &levels)).unwrap_or_default(),
    };
    section.finish();
    log
}

fn limits(section: Section<'_, '_>) -> Limits {
    let fallback = Limits::default();
    let size = |key, range, fallback| section.integer(key, range).and_then(|n| n.try_into().ok()).unwrap_or(fallback);
    let millis = |key, fallback| section.integer(key, (10, TIMEOUT_MS_MAX)).map_or(fallback, Duration::from_millis);
    let limits = Limits {
        body_bytes_max: size("body-bytes-max", (1 << 10, 64 << 20), fallback.body_bytes_max),
        component_bytes_max: size("component-bytes-max", (1 << 10, 256 << 20), fallback.component_bytes_max),
        queue_length_max: size("queue-length-max", (1, 65_536), fallback.queue_length_max),
        connections_max: size("connections-max", (1, 65_536), fallback.connections_max),
        observers_max: size("observers-max", (1, 65_536), fallback.observers_max),
        request_timeout: millis("request-timeout-ms", fallback.request_timeout),
        header_timeout: millis("header-timeout-ms", fallback.header_timeout),
        body_timeout: millis("body-timeout-ms", fallback.body_timeout),
        stall_timeout: millis("stall-timeout-ms", fallback.stall_timeout),
        drain: millis("drain-ms", fallback.drain),
    };
    section.finish();
    limits
}

/// `[budgets]`, of the gateway or of one Thing; what is not written is `fallback`'s.
pub(super) fn budgets(section: Section<'_, '_>, fallback: Budgets) -> Budgets {
    let millis =
        |key, fallback| section.integer(key, (1, BUDGET_MS_MAX)).and_then(|n| n.try_into().ok()).unwrap_or(fallback);
    let budgets = Budgets {
        read_ms: millis("read-ms", fallback.read_ms),
        write_ms: millis("write-ms", fallback.write_ms),
        invoke_ms: millis("invoke-ms", fallback.invoke_ms),
        start_ms: millis("start-ms", fallback.start_ms),
        wake_ms: millis("wake-ms", fallback.wake_ms),
    };
    section.finish();
    budgets
}

fn canary(section: Section<'_, '_>) -> Canary {
    let fallback = Canary::default();
    let read = |key, fallback| section.integer(key, (0, 86_400)).and_then(|n| n.try_into().ok()).unwrap_or(fallback);
    let canary = Canary { calls: read("calls", fallback.calls), seconds: read("seconds", fallback.seconds) };
    section.finish();
    canary
}

fn board(section: Section<'_, '_>) -> bool {
    let simulated = section.boolean("simulated").unwrap_or(false);
    section.finish();
    simulated
}

pub(super) fn text(text: &str) -> Result<String, String> {
    let printable = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if printable && text.chars().count() <= TEXT_CHARS_MAX {
        Ok(text.to_owned())
    } else {
        Err(format!("1 to {TEXT_CHARS_MAX} characters without control characters are allowed"))
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address; write an IP and a port, such as 127.0.0.1:8080"))
}

fn base_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest)) {
        Some(authority) if host(authority).is_ok() => Ok(text.strip_suffix('/').unwrap_or(text).to_owned()),
        _ => {
            Err(format!("`{text}` is no base URL; write http:// or https:// and a host, such as http://pi.local:8080"))
        }
    }
}

/// A host as it stands in a `Host` header: a name or an address, with or without a port.
fn host(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
    if !text.is_empty() && text.len() <= 253 && text.chars().all(allowed) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("`{text}` is no host; write a name or an address, such as pi.local or pi.local:8080"))
    }
}

fn folder_path(folder: &Path, text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() || text.contains('\0') { Err("a path is expected") } else { Ok(folder.join(text)) }
}

fn choice<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
        return Ok(*choice);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let meant = nearest(word, names.iter().copied()).map(|meant| format!("; did you mean `{meant}`?"));
    Err(format!("`{word}` is none of {}{}", names.join(", "), meant.unwrap_or_default()))
}
