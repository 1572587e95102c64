//! `tidegate thing observe`: streams of properties and events, taken up again when they break.

use std::{ops::ControlFlow, time::Duration};

use clap::Args;
use hyper::Uri;
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use thing_descriptions::{Op, vocabulary::SUBPROTOCOL_SSE};
use tokio::{sync::mpsc, task::JoinSet};

use crate::cli::{
    Exit, Failure,
    access::GatewayArgs,
    console,
    consumer::{Consumer, Found, Item, form_for},
    terminal::{Screen, Tone, plain, plain_json},
    value,
};
use crate::utc::Rfc3339;

/// So many names are followed at once, each by a stream of its own.
const NAMES_MAX: usize = 32;
/// Items that may wait to be printed; a stream that brings more waits.
const ITEMS_MAX: usize = 64;
/// First and longest pause before a stream that broke is opened again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(in crate::cli) struct Observe {
    /// Name, id or title of the Thing; NAME/handler is the Thing that controls it
    thing: String,
    /// Names of properties and events; none: all of them
    names: Vec<String>,
    /// End after so many values
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// What one stream says.
enum News {
    Item(Item),
    Lost,
    Back,
    /// It cannot be had any more.
    Ended(Failure),
}

pub(super) async fn observe(arguments: &Observe) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let (sender, mut news) = mpsc::channel(ITEMS_MAX);
    let mut streams = JoinSet::new();
    for url in urls(&found, &arguments.names)? {
        streams.spawn(follow(consumer.clone(), url, sender.clone()));
    }
    drop(sender);
    let mut left = arguments.count;
    while let Some(news) = news.recv().await {
        let is_value = matches!(news, News::Item(Item::Message { .. }));
        if let News::Ended(failure) = news {
            return Err(failure);
        }
        let line = if arguments.json { document(&news) } else { line(&news, &found, Screen::output()) };
        if console::print_on(line)? == ControlFlow::Break(()) {
            return Ok(());
        }
        left = left.map(|left| left - u64::from(is_value));
        if left == Some(0) {
            return Ok(());
        }
    }
    Ok(())
}

/// Where the named affordances, or all of them, are observed.
fn urls(found: &Found, names: &[String]) -> Result<Vec<Uri>, Failure> {
    let thing = &found.thing;
    let sse = Some(SUBPROTOCOL_SSE);
    if names.is_empty() {
        let forms = thing.forms.as_deref().unwrap_or_default();
        let all = [Op::ObserveAllProperties, Op::SubscribeAllEvents];
        let forms: Vec<_> = all.iter().filter_map(|op| form_for(forms, *op, &[], sse)).collect();
        if forms.is_empty() {
            let what = format!("the Thing `{}` has nothing that can be observed", found.name);
            return Err(
                Failure::new(Exit::Refused, what).with_hint(format!("`tidegate thing read {}` reads it", found.name))
            );
        }
        return forms.iter().map(|form| found.resolve(&form.href)).collect();
    }
    if names.len() > NAMES_MAX {
        return Err(Failure::new(Exit::Usage, format!("at most {NAMES_MAX} names at once"))
            .with_hint("without names all properties and events are followed, by two streams"));
    }
    let one = |name: &String| {
        let form = match (thing.properties.get(name), thing.events.get(name)) {
            (Some(property), _) => form_for(&property.forms, Op::ObserveProperty, &[], sse),
            (None, Some(event)) => form_for(&event.forms, Op::SubscribeEvent, &[], sse),
            (None, None) => return Err(found.no_affordance("property or event", name)),
        };
        let form = form.ok_or_else(|| {
            Failure::new(
                Exit::Refused,
                format!("the property `{name}` of the Thing `{}` cannot be observed", found.name),
            )
            .with_hint(format!("`tidegate thing read {} {name}` reads it", found.name))
        })?;
        found.resolve(form.href.split('{').next().unwrap_or_default())
    };
    names.iter().map(one).collect()
}

/// Reads a stream, and opens it again when it breaks, after what it saw last. Ends when nobody hears it any more.
async fn follow(consumer: Consumer, url: Uri, news: mpsc::Sender<News>) {
    let (mut last_id, mut pause, mut was_open) = (None::<String>, FIRST_PAUSE, false);
    loop {
        match consumer.observe(&url, last_id.as_deref()).await {
            Ok(mut stream) => {
                if was_open && news.send(News::Back).await.is_err() {
                    return;
                }
                (was_open, pause) = (true, FIRST_PAUSE);
                loop {
                    let item = match stream.next().await {
                        Ok(Some(item)) => item,
                        Ok(None) => break,
                        Err(failure) => return drop(news.send(News::Ended(failure)).await),
                    };
                    if let Item::Message { id: Some(id), .. } = &item {
                        last_id = Some(id.clone());
                    }
                    if news.send(News::Item(item)).await.is_err() {
                        return;
                    }
                }
                if news.send(News::Lost).await.is_err() {
                    return;
                }
            }
            // A gateway that is being started again, or has no room for one more observer, is tried again.
            Err(failure) if was_open && matches!(failure.exit, Exit::Unreachable | Exit::Refused) => {}
            Err(failure) => return drop(news.send(News::Ended(failure)).await),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = news.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn now() -> String {
    Rfc3339(SystemTime::now()).to_string()
}

fn line(news: &News, found: &Found, screen: Screen) -> String {
    let time = screen.paint(Tone::Aside, now());
    let doubtful = |text: String| format!("{time} {}", screen.paint(Tone::Doubtful, plain(&text)));
    match news {
        News::Item(Item::Message { event, data, .. }) => {
            let thing = &found.thing;
            let schema = thing.properties.get(event).map(|property| &property.schema);
            let schema = schema.or_else(|| thing.events.get(event)?.data.as_ref());
            let shown = serde_json::from_str(data).map_or_else(|_| data.clone(), |data| value::shown(&data, schema));
            format!("{time} {} {}", screen.paint(Tone::Head, plain(event)), plain(&shown))
        }
        News::Item(Item::Comment(comment)) => match comment.split_once(' ') {
            Some(("gap", missed)) => doubtful(format!("-- {missed} messages were missed")),
            Some(("lapsed", name)) => doubtful(format!("-- {name} has lapsed: there is no good reading now")),
            _ if comment == "gap" => doubtful("-- messages were missed".to_owned()),
            _ => doubtful(format!("-- {comment}")),
        },
        News::Lost => doubtful("-- the connection is lost, trying again".to_owned()),
        News::Back => doubtful("-- the connection is back".to_owned()),
        News::Ended(failure) => doubtful(format!("-- {}", failure.what)),
    }
}

fn document(news: &News) -> String {
    let mut document = Map::new();
    document.insert("time".into(), now().into());
    let rest = match news {
        News::Item(Item::Message { event, data, id }) => {
            let data = serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.clone()));
            json!({"kind": "value", "name": event, "value": data, "id": id})
        }
        News::Item(Item::Comment(comment)) => match comment.split_once(' ') {
            Some(("gap", missed)) => json!({"kind": "gap", "missed": missed.parse::<u64>().ok()}),
            Some(("lapsed", name)) => json!({"kind": "lapsed", "name": name}),
            _ if comment == "gap" => json!({"kind": "gap", "missed": null}),
            _ => json!({"kind": "comment", "text": comment}),
        },
        News::Lost => json!({"kind": "lost"}),
        News::Back => json!({"kind": "back"}),
        News::Ended(failure) => json!({"kind": "lost", "reason": failure.what}),
    };
    if let Value::Object(rest) = rest {
        document.extend(rest);
    }
    plain_json(&Value::Object(document).to_string())
}
