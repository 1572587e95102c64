//! `tidegate handler rollback`: the action `rollback` of the Thing that controls a Thing.

use crate::cli::{
    Failure,
    access::OfThing,
    consumer::Invoked,
    progress::Progress,
    push::{document, tell},
};

pub(super) async fn roll_back(arguments: &OfThing) -> Result<(), Failure> {
    let (consumer, found) = arguments.find().await?;
    let consumer = consumer.patient();
    let handler = consumer.handler_of(&found).await?;
    let mut progress = Progress::begin(arguments.listing.json);
    let step = format!("{} looks for the version before, and rehearses it", handler.name);
    let rolled_back = progress.during(&step, consumer.invoke(&handler, "rollback", &[], None)).await;
    let output = match rolled_back.map_err(|failure| advised(failure, &found.name))? {
        Invoked::Done(output) => output.unwrap_or_default(),
        Invoked::Accepted { status, .. } => status,
    };
    drop(progress);
    tell(arguments.listing.json, &document(&found.name, &output))
}

/// What to do where there is no way back.
fn advised(failure: Failure, thing: &str) -> Failure {
    match failure.causes.iter().any(|cause| cause.contains("no version before")) {
        true => failure.with_hint(format!(
            "`tidegate handler show {thing}` lists the versions that are kept, `tidegate handler push {thing} FILE` brings \
             another; one that was rolled back because it failed is none to go back to"
        )),
        false => failure,
    }
}
