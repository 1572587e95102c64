//! The gateway that runs, if one does: asked by its own Things, like any other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::Value;

use super::{Exit, Failure, Findings, GatewayArgs};
use crate::cli::{access::TokenOf, consumer::Consumer};
use crate::config::Tree;

const CHECK: &str = "gateway";

/// What a gateway at the configured address says.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// It answers.
    pub(super) answers: bool,
    /// Its property `mqtt`.
    pub(super) mqtt: Value,
}

/// Asks it, where its address is known. That of a configuration that was `named` stands over the environment's: it is this
/// gateway that is looked at.
///
/// # Errors
/// When the gateway that was named is no URL, or the token cannot be read.
pub(super) async fn ask(
    arguments: &GatewayArgs,
    (tree, named): (Option<&Tree>, bool),
    findings: &mut Findings,
) -> Result<Running, Failure> {
    let told = if named { arguments.gateway.clone() } else { arguments.named() };
    let url = match (told.filter(|url| !url.is_empty()), tree.map(|tree| tree.config.listen)) {
        (Some(url), _) => url,
        (None, None) => return Ok(Running::default()),
        (None, Some(listen)) if listen.port() == 0 => {
            findings.ok(CHECK, "it takes any free port, so it cannot be looked for; `--gateway URL` names it");
            return Ok(Running::default());
        }
        (None, Some(listen)) => address_of(listen),
    };
    let consumer = consumer(arguments, &url, findings)?;
    match health(&consumer).await {
        Ok((health, mqtt)) => {
            say(&url, &health, findings);
            Ok(Running { answers: true, mqtt })
        }
        Err(Failure { exit: Exit::Unreachable, .. }) => {
            let todo = "`tidegate serve` starts it; its log says why it ended";
            findings.warn(CHECK, format!("none answers at {url}"), todo);
            Ok(Running::default())
        }
        Err(failure) if failure.exit == Exit::Unauthorized => {
            let what = format!("it answers at {url}, and {}", failure.sentence());
            findings.warn(CHECK, what, failure.hint.unwrap_or_default());
            Ok(Running { answers: true, mqtt: Value::Null })
        }
        Err(failure) => {
            findings.fail(CHECK, format!("at {url}: {}", failure.sentence()), failure.hint.unwrap_or_default());
            Ok(Running::default())
        }
    }
}

/// A Consumer of the gateway at `url`. The environment's token is sent to no other gateway than the environment's: whatever
/// listens there would read it.
fn consumer(arguments: &GatewayArgs, url: &str, findings: &mut Findings) -> Result<Consumer, Failure> {
    let arguments = GatewayArgs { gateway: Some(url.to_owned()), ..arguments.clone() };
    let Some(named) = arguments.withheld_at(url) else { return arguments.consumer() };
    let what = format!("the environment's token is not sent to {url}: TIDEGATE_GATEWAY names {named}");
    findings.warn(CHECK, what, "`--token-file FILE` names a token for this gateway");
    arguments.consumer_with(TokenOf::CommandLine)
}

/// Where a gateway that listens there is reached from its own machine.
fn address_of(mut listen: SocketAddr) -> String {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    format!("http://{listen}")
}

async fn health(consumer: &Consumer) -> Result<(Value, Value), Failure> {
    let found = consumer.thing("gateway").await?;
    let health = consumer.read(&found, "health").await?.value;
    Ok((health, consumer.read(&found, "mqtt").await?.value))
}

fn say(url: &str, health: &Value, findings: &mut Findings) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = text(health, "version");
    let things = health.get("things").and_then(Value::as_u64).unwrap_or(0);
    match text(health, "status").as_str() {
        "ok" => {
            let answering = if things == 1 { "handler answers" } else { "handlers answer" };
            findings.ok(CHECK, format!("it runs at {url} (version {version}), and its {things} {answering}"));
        }
        other => {
            let todo = "`tidegate handler list` shows how they stand";
            findings.warn(CHECK, format!("it runs at {url} (version {version}), and is {other}"), todo);
            for failing in health.get("failing").and_then(Value::as_array).into_iter().flatten() {
                let thing = text(failing, "thing");
                let todo = format!(
                    "`tidegate handler show {thing}` shows its last faults, `handler log {thing}` what it said"
                );
                findings.fail("thing", format!("{thing}: {}", text(failing, "reason")), todo);
            }
        }
    }
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        let todo = "restart it after an update, or use the program that belongs to it";
        findings.warn(CHECK, format!("the one at {url} is version {version}, this program is {own}"), todo);
    }
}
