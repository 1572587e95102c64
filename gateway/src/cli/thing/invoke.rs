//! `tidegate thing invoke`: an action to its end, with its progress on the way.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use hyper::Uri;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{
    Exit, Failure,
    access::GatewayArgs,
    console,
    consumer::{Consumer, Found, Invoked},
    progress::Progress,
    terminal::plain,
    value,
};

/// The status is asked for so often at first, then more and more rarely.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const RAREST_LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct Invoke {
    /// Name, id or title of the Thing
    thing: String,
    /// Name of the action
    action: String,
    /// JSON, or `name=value` for each member of the input
    #[arg(allow_negative_numbers = true)]
    input: Vec<String>,
    /// Do not follow an action that goes on
    #[arg(long)]
    no_wait: bool,
    /// Cancel the action on Ctrl-C; without it Ctrl-C leaves it running
    #[arg(long)]
    cancel_on_interrupt: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// How it stands with an action when the command ends.
struct Outcome {
    status: &'static str,
    output: Option<Value>,
    error: Option<Value>,
    href: Option<Uri>,
}

pub(super) async fn invoke(arguments: &Invoke) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let action = found.action(&arguments.action)?;
    let form = action.forms.iter().find(|form| form.href.starts_with("http"));
    if form.is_some_and(|form| !form.request_type().ends_with("json")) {
        let what = format!("`{}` takes bytes, not JSON", arguments.action);
        return Err(Failure::new(Exit::Usage, what).with_hint("a handler is replaced by `tidegate handler push`"));
    }
    let input = value::input(&arguments.input, action.input.as_ref())?;
    if let (Some(input), Some(schema)) = (&input, &action.input) {
        value::check(input, schema, "the input")?;
    }
    let mut progress = Progress::begin(arguments.json);
    let body = input.map(|input| Bytes::from(input.to_string()));
    let step = format!("{} of {}", arguments.action, found.name);
    let outcome = match progress.during(&step, consumer.invoke(&found, &arguments.action, &[], body)).await? {
        Invoked::Done(output) => Outcome { status: "completed", output, error: None, href: None },
        Invoked::Accepted { status, url } if arguments.no_wait => ended(&status, url),
        Invoked::Accepted { status, url } => follow(&consumer, arguments, status, url, &mut progress).await?,
    };
    drop(progress);
    tell(arguments, &found, &outcome)
}

/// Looks at the status until it is an end, or until Ctrl-C.
async fn follow(
    consumer: &Consumer,
    arguments: &Invoke,
    mut status: Value,
    url: Uri,
    progress: &mut Progress,
) -> Result<Outcome, Failure> {
    let mut pause = FIRST_LOOK;
    // From here on Ctrl-C is heard: before anything is shown that could be answered with it.
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Failure::caused(Exit::Failed, "cannot hear of Ctrl-C", &error))?;
    loop {
        let outcome = ended(&status, url.clone());
        if outcome.status != "running" {
            return Ok(outcome);
        }
        let word = status.get("status").and_then(Value::as_str).unwrap_or("running");
        let done = status.get("progress").map(|progress| format!(": {}", value::shown(progress, None)));
        progress.show(&format!("{} {word}{}", arguments.action, done.unwrap_or_default()));
        let look = async {
            // The Profile has no notification for a status: it is asked for.
            tokio::time::sleep(pause).await;
            consumer.query(&url).await
        };
        tokio::select! {
            looked = look => status = looked?,
            _ = interrupt.recv() => return interrupted(consumer, arguments, url).await,
        }
        pause = (pause * 3 / 2).min(RAREST_LOOK);
    }
}

async fn interrupted(consumer: &Consumer, arguments: &Invoke, url: Uri) -> Result<Outcome, Failure> {
    if arguments.cancel_on_interrupt {
        consumer.cancel(&url).await?;
        return Ok(Outcome { status: "cancelled", output: None, error: None, href: Some(url) });
    }
    Ok(Outcome { status: "left", output: None, error: None, href: Some(url) })
}

/// What a status says; `running` is everything that is no end.
fn ended(status: &Value, url: Uri) -> Outcome {
    let word = match status.get("status").and_then(Value::as_str) {
        Some("completed") => "completed",
        Some("failed") => "failed",
        _ => "running",
    };
    Outcome {
        status: word,
        output: status.get("output").cloned(),
        error: status.get("error").cloned(),
        href: Some(url),
    }
}

fn tell(arguments: &Invoke, found: &Found, outcome: &Outcome) -> Result<(), Failure> {
    let (thing, action) = (&found.name, &arguments.action);
    // After Ctrl-C the action goes on, for programs too.
    let status = if outcome.status == "left" { "running" } else { outcome.status };
    if arguments.json {
        console::print_json(&json!({
            "thing": thing, "action": action, "status": status, "output": outcome.output, "error": outcome.error,
            "href": outcome.href.as_ref().map(Uri::to_string),
        }))?;
    } else {
        let schema = found.thing.actions.get(action).and_then(|action| action.output.as_ref());
        let output = outcome.output.as_ref().map(|output| format!(": {}", value::shown(output, schema)));
        console::print(plain(&format!("{action} {status}{}", output.unwrap_or_default())))?;
    }
    let goes_on = format!(
        "it goes on; `tidegate thing show {thing}` shows how far it is, `tidegate thing cancel {thing} {action}` ends it"
    );
    match outcome.status {
        "failed" => {
            let problem = outcome.error.clone().unwrap_or_default();
            let causes = crate::cli::consumer::reasons(&problem);
            Err(Failure { causes, ..Failure::new(Exit::Failed, format!("the action `{action}` failed")) })
        }
        "cancelled" => Err(Failure::told(Exit::Interrupted)),
        "left" => Err(Failure::new(Exit::Interrupted, "interrupted").with_hint(goes_on)),
        _ => Ok(()),
    }
}
