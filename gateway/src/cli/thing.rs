//! `tidegate thing`: what any Consumer does with Things, from a shell.

mod cancel;
mod invoke;
mod list;
mod observe;
mod read;
mod show;
mod write;

use clap::Subcommand;

use super::{
    Failure,
    access::{Listing, OfThing},
};

/// The commands on Things.
#[derive(Debug, Subcommand)]
pub(super) enum ThingCommand {
    /// List all Things of a gateway.
    ///
    /// `--json`: `[{"name", "id", "title", "description", "url", "properties": [name], "actions": [name], "events": [name]}]`
    List(Listing),
    /// Show one Thing: what can be read, written, invoked and observed, and which actions are under way.
    ///
    /// NAME/handler is the Thing that controls NAME.
    ///
    /// `--json`: `{"name", "url", "description": the Thing Description, "actions": {name: [ActionStatus]}}`
    Show(OfThing),
    /// Read properties, with their age and quality.
    ///
    /// `--json`: `{"thing", "properties": {name: {"value", "unit", "taken", "age", "quality"} or {"error": reason}}}`;
    /// `taken` is RFC 3339, `age` in seconds
    Read(read::Read),
    /// Write a property.
    ///
    /// The value is JSON, or a bare word or number where the property says what it is: `write relay on true`,
    /// `write led brightness 40`, or as one word, as for `invoke`: `write led brightness=40`. What begins with `-` and is no number comes after `--`.
    ///
    /// `--json`: `{"thing", "property", "value"}`
    Write(write::Write),
    /// Invoke an action and follow it to its end.
    ///
    /// The input is JSON, or `name=value` for each of its members: `invoke led fade to=100 duration=5000`. It is checked
    /// before it is sent.
    ///
    /// `--json`: `{"thing", "action", "status", "output", "error", "href"}`; `status` is running, completed, failed or
    /// cancelled
    Invoke(invoke::Invoke),
    /// Cancel the invocations of an action that are under way.
    ///
    /// `--json`: `{"thing", "action", "cancelled": [address]}`
    Cancel(cancel::Cancel),
    /// Follow properties and events until Ctrl-C.
    ///
    /// When the connection is lost it is made again, and goes on where it was.
    ///
    /// `--json`: one object a line, `{"time", "kind": "value", "name", "value", "id"}`, or of another kind: gap (`missed`),
    /// lapsed (`name`), comment (`text`), lost, back; `time` is when it came
    Observe(observe::Observe),
}

pub(super) fn run(command: &ThingCommand) -> Result<(), Failure> {
    let runtime = super::serve::runtime()?;
    runtime.block_on(async {
        match command {
            ThingCommand::List(arguments) => list::list(arguments).await,
            ThingCommand::Show(arguments) => show::show(arguments).await,
            ThingCommand::Read(arguments) => read::read(arguments).await,
            ThingCommand::Write(arguments) => write::write(arguments).await,
            ThingCommand::Invoke(arguments) => invoke::invoke(arguments).await,
            ThingCommand::Cancel(arguments) => cancel::cancel(arguments).await,
            ThingCommand::Observe(arguments) => observe::observe(arguments).await,
        }
    })
}
