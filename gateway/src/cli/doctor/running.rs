//! The gateway that runs, if one does: asked by its own Things, like any other.

use serde_json::Value;

use super::{Exit, Failure, Findings, GatewayArgs};
use crate::cli::consumer::Consumer;
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

/// Asks it, where its address is known.
///
/// # Errors
/// When the gateway that was named is no URL, or the token cannot be read.
pub(super) async fn ask(
    arguments: &GatewayArgs,
    tree: Option<&Tree>,
    findings: &mut Findings,
) -> Result<Running, Failure> {
    let mut arguments = arguments.clone();
    if !arguments.is_named() {
        let Some(mut address) = tree.map(|tree| tree.config.listen) else { return Ok(Running::default()) };
        if address.port() == 0 {
            findings.ok(CHECK, "it takes any free port, so it cannot be looked for; `--gateway URL` names it");
            return Ok(Running::default());
        }
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        arguments.gateway = Some(format!("http://{address}"));
    }
    let consumer = arguments.consumer()?;
    match health(&consumer).await {
        Ok((health, mqtt)) => {
            say(&health, findings);
            Ok(Running { answers: true, mqtt })
        }
        Err(Failure { exit: Exit::Unreachable, .. }) => {
            let url = arguments.gateway.unwrap_or_default();
            findings.warn(
                CHECK,
                format!("none answers at {url}"),
                "`tidegate serve` starts it; its log says why it ended",
            );
            Ok(Running::default())
        }
        Err(failure) if failure.exit == Exit::Unauthorized => {
            findings.warn(CHECK, format!("it answers, and {}", failure.sentence()), failure.hint.unwrap_or_default());
            Ok(Running { answers: true, mqtt: Value::Null })
        }
        Err(failure) => {
            findings.fail(CHECK, failure.sentence(), failure.hint.unwrap_or_default());
            Ok(Running::default())
        }
    }
}

async fn health(consumer: &Consumer) -> Result<(Value, Value), Failure> {
    let found = consumer.thing("gateway").await?;
    let health = consumer.read(&found, "health").await?.value;
    Ok((health, consumer.read(&found, "mqtt").await?.value))
}

fn say(health: &Value, findings: &mut Findings) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = text(health, "version");
    let things = health.get("things").and_then(Value::as_u64).unwrap_or(0);
    match text(health, "status").as_str() {
        "ok" => findings.ok(CHECK, format!("it runs (version {version}) and its {things} handlers answer")),
        other => {
            let todo = "`tidegate handler list` shows how they stand";
            findings.warn(CHECK, format!("it runs (version {version}) and is {other}"), todo);
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
        findings.warn(CHECK, format!("it is version {version}, this program is {own}"), todo);
    }
}
