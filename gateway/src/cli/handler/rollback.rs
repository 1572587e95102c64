//! `tidegate handler rollback`: the action `rollback` of the Thing that controls a Thing.

use clap::Args;

use crate::cli::{
    Failure,
    access::GatewayArgs,
    consumer::Invoked,
    progress::Progress,
    push::{document, tell},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// Name, id or title of the Thing
    thing: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) async fn roll_back(arguments: &Rollback) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?.patient();
    let found = consumer.thing(&arguments.thing).await?;
    let handler = consumer.handler_of(&found).await?;
    let mut progress = Progress::begin(arguments.json);
    let step = format!("the version before goes back in place for {}", found.name);
    let output = match progress.during(&step, consumer.invoke(&handler, "rollback", &[], None)).await? {
        Invoked::Done(output) => output.unwrap_or_default(),
        Invoked::Accepted { status, .. } => status,
    };
    drop(progress);
    tell(arguments.json, &document(&found.name, &output))
}
