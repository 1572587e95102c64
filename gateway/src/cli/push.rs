//! `tidegate handler push`: the action `replace` of the Thing that controls a Thing, found as any Consumer finds it.
//!
//! What the component wants is shown first; what it wants beyond its grants can be given with it (`push/grants.rs`).
//! Directory, TD of the Thing, link `controlledBy` (TD 1.1 section 5.3.4.1), TD of the handler, form of `replace`, POST.

mod grants;

use std::{io::Read as _, path::PathBuf};

use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value};

use super::{
    Exit, Failure, access::GatewayArgs, console, consumer::Invoked, inspect, progress::Progress, serve, terminal::plain,
};
use grants::Given;

/// How all WebAssembly begins.
const WASM: &[u8] = b"\0asm";
/// Largest component that is sent.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(super) struct Push {
    /// Name, id or title of the Thing
    thing: String,
    /// The component (.wasm)
    file: PathBuf,
    /// Accept that the new version asks for more, or offers less, than the running one
    #[arg(long)]
    approve: bool,
    /// Replace only if this version runs now: its digest, as `inspect` prints it
    #[arg(long, value_name = "DIGEST")]
    expect: Option<crate::names::ComponentDigest>,
    #[command(flatten)]
    given: Given,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn push(arguments: &Push) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    if !component.starts_with(WASM) {
        let what = format!("{} is no WebAssembly, so no handler", arguments.file.display());
        return Err(Failure::new(Exit::Usage, what).with_hint(inspect::HOW_TO_BUILD));
    }
    let expect = arguments.expect.as_ref().map(ToString::to_string);
    let asked = Replacing { thing: &arguments.thing, approve: arguments.approve, expect, quiet: arguments.json };
    let result = serve::runtime()?.block_on(push_with(arguments, asked, component))?;
    tell(arguments.json, &result)
}

/// Shows what the component wants, gives what is to be given, and replaces.
async fn push_with(arguments: &Push, asked: Replacing<'_>, bytes: Bytes) -> Result<Value, Failure> {
    let given = &arguments.given;
    // What is no handler for this program may be one for the gateway, which says so otherwise.
    let component = inspect::component(&bytes);
    if let Ok(component) = &component {
        given.fit(component)?;
    }
    let consumer = arguments.gateway.consumer()?.patient();
    let found = consumer.thing(&arguments.thing).await?;
    let granted = consumer.read(&consumer.handler_of(&found).await?, "grants").await?.value;
    let missing =
        component.as_ref().ok().filter(|_| !arguments.json).map(|component| given.report(component, &granted));
    if !given.is_empty() {
        given.ask(&found.name)?;
        given.give(&consumer, &found.name).await?;
    }
    let replaced = replace(&arguments.gateway, asked, bytes).await;
    let Err(failure) = replaced else { return replaced };
    given.take_back(&consumer, &found.name, &granted).await;
    Err(match (missing.as_deref(), component) {
        (Some([label, ..]), _) if failure.exit == Exit::Refused => {
            failure.with_hint(format!("`--grant '{}={{ kind = .. }}'` gives the Thing what it lacks", plain(label)))
        }
        (_, Err(Failure { hint: Some(hint), .. })) if failure.exit == Exit::Refused => failure.with_hint(hint),
        _ => failure,
    })
}

/// What a replacement answered, with the name of the Thing.
pub(super) fn document(thing: &str, output: &Value) -> Value {
    let mut document = Map::from_iter([("thing".to_owned(), thing.into())]);
    document.extend(output.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(document)
}

/// Prints it.
pub(super) fn tell(json: bool, result: &Value) -> Result<(), Failure> {
    match json {
        true => console::print_json(result),
        false => console::print(console::table(&rows_of(result))),
    }
}

/// The file's bytes, bounded.
pub(super) fn read_component(file: &std::path::Path) -> Result<Bytes, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::caused(Exit::Usage, format!("cannot read {}", file.display()), error)
            .with_hint("`tidegate build` makes NAME.wasm of a handler's crate, in its target/handlers")
    };
    let size = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
    if size > COMPONENT_BYTES_MAX {
        let what = format!("{} has {size} bytes: at most {COMPONENT_BYTES_MAX} can be sent", file.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    // A device or a pipe has no size: what is read has the same limit.
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
    opened.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > COMPONENT_BYTES_MAX) {
        let what = format!("{} has more than {COMPONENT_BYTES_MAX} bytes", file.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(bytes.into())
}

/// What is asked of a replacement.
#[derive(Debug)]
pub(super) struct Replacing<'a> {
    pub(super) thing: &'a str,
    pub(super) approve: bool,
    pub(super) expect: Option<String>,
    /// No progress is shown.
    pub(super) quiet: bool,
}

/// Replaces a handler by `component`; what the gateway answers.
pub(super) async fn replace(gateway: &GatewayArgs, asked: Replacing<'_>, component: Bytes) -> Result<Value, Failure> {
    // Admission compiles the component.
    let consumer = gateway.consumer()?.patient();
    let found = consumer.thing(asked.thing).await?;
    let handler = consumer.handler_of(&found).await?;
    let mut progress = Progress::begin(asked.quiet);
    let step = format!("{} bytes go to {}, which admits and rehearses them", component.len(), handler.name);
    let approve = asked.approve.then_some(("approve", "true"));
    let variables: Vec<_> =
        approve.into_iter().chain(asked.expect.as_deref().map(|digest| ("expect", digest))).collect();
    let replacing = consumer.invoke(&handler, "replace", &variables, Some(component));
    match progress.during(&step, replacing).await? {
        Invoked::Done(output) => Ok(document(&found.name, &output.unwrap_or_default())),
        Invoked::Accepted { status, .. } => Ok(document(&found.name, &status)),
    }
}

/// The result as rows, one level deep: `timings.compile  34`.
fn rows_of(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| plain(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let fields = result.as_object().into_iter().flatten();
    fields
        .flat_map(|(name, value)| match value {
            Value::Object(inner) => {
                inner.iter().map(|(key, value)| (plain(&format!("{name}.{key}")), text(value))).collect::<Vec<_>>()
            }
            value => vec![(plain(name), text(value))],
        })
        .collect()
}

#[cfg(test)]
mod tests;
