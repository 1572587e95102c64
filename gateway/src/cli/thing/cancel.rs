//! `tidegate thing cancel`: the invocations of an action that have not ended.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Exit, Failure, access::GatewayArgs, console, terminal::plain};

#[derive(Debug, Args)]
pub(in crate::cli) struct Cancel {
    /// Name, id or title of the Thing
    thing: String,
    /// Name of the action
    action: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) async fn cancel(arguments: &Cancel) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let action = &arguments.action;
    found.action(action)?;
    let statuses = consumer.query_all(&found).await?;
    let mut cancelled = Vec::new();
    for status in statuses.get(action).and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or_default();
        if ["pending", "running"].contains(&text("status")) {
            consumer.cancel(&found.resolve(text("href"))?).await?;
            cancelled.push(text("href").to_owned());
        }
    }
    if arguments.json {
        return console::print_json(&json!({"thing": found.name, "action": action, "cancelled": cancelled}));
    }
    match cancelled.len() {
        0 => Err(Failure::new(Exit::Refused, format!("no `{action}` of the Thing `{}` is under way", found.name))
            .with_hint(format!("`tidegate thing show {}` shows what is", found.name))),
        count => console::print(plain(&format!("{action} cancelled ({count})"))),
    }
}
