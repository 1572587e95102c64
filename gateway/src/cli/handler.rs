//! `tidegate handler`: the Things that control Things: what runs, what it may touch, what it said, and how to replace it.

mod list;
mod log;
mod rollback;
mod show;

use clap::Subcommand;

use super::{
    Failure,
    access::{Listing, OfThing},
    inspect, push,
};

/// The commands on handlers.
#[derive(Debug, Subcommand)]
pub(super) enum HandlerCommand {
    /// List the handlers of all Things: state, version, calls and faults.
    ///
    /// `--json`: `[{"thing", "url", "status", "version", "digest", "statistics", "memory"} or {"thing", "error": reason}]`
    List(Listing),
    /// Show the handler of a Thing: versions, what it may touch, its last faults and refusals.
    ///
    /// `--json`: `{"thing", "url"}` and all properties of the handler's Thing by name
    Show(OfThing),
    /// Replace the handler of a Thing on a running gateway, without losing a request.
    ///
    /// The gateway admits and rehearses the component first: one that is refused changes nothing, and one that fails
    /// in its first calls is rolled back.
    ///
    /// `--json`: `{"thing", "version", "digest", "timings": milliseconds by step}`
    Push(push::Push),
    /// Put the version before the present one back in place.
    ///
    /// `--json`: `{"thing", "version", "digest", "timings": milliseconds by step}`
    Rollback(OfThing),
    /// Show what a handler file is: its digest, what it imports and wants, and the affordances it answers.
    ///
    /// `--json`: `{"title", "digest", "size", "compileMs", "imports", "wants", "properties", "actions", "events"}`
    Inspect(inspect::Inspect),
    /// Print the last log lines of a Thing's handler, or follow them.
    ///
    /// `--json`: one object a line, `{"time", "level", "message"}`
    Log(log::Log),
}

pub(super) fn run(command: &HandlerCommand) -> Result<(), Failure> {
    let runtime = || super::serve::runtime();
    match command {
        HandlerCommand::Inspect(arguments) => inspect::inspect_file(arguments),
        HandlerCommand::Push(arguments) => push::push(arguments),
        HandlerCommand::List(arguments) => runtime()?.block_on(list::list(arguments)),
        HandlerCommand::Show(arguments) => runtime()?.block_on(show::show(arguments)),
        HandlerCommand::Rollback(arguments) => runtime()?.block_on(rollback::roll_back(arguments)),
        HandlerCommand::Log(arguments) => runtime()?.block_on(log::log(arguments)),
    }
}
