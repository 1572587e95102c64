//! `tidegate thing read`: properties with their age and quality, each at its own form.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::{
    Exit, Failure,
    access::GatewayArgs,
    console,
    consumer::{Consumer, Found, Reading},
    table::Table,
    terminal::{Screen, Tone},
    value,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Read {
    /// Name, id or title of the Thing; NAME/handler is the Thing that controls it
    thing: String,
    /// Names of properties; none: all that can be read
    properties: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

type Readings = Vec<(String, Result<Reading, Failure>)>;

pub(super) async fn read(arguments: &Read) -> Result<(), Failure> {
    let consumer = arguments.gateway.consumer()?;
    let found = consumer.thing(&arguments.thing).await?;
    let readings = gather(&consumer, &found, &arguments.properties).await?;
    let screen = if arguments.properties.is_empty() { Screen::output() } else { Screen::output().uncut() };
    match arguments.json {
        true => console::print_json(&document(&found, &readings))?,
        false => console::print(table(&found, &readings).show(screen))?,
    }
    let failed: Vec<&Failure> = readings.iter().filter_map(|(_, reading)| reading.as_ref().err()).collect();
    match failed[..] {
        [] => Ok(()),
        [first, ..] => {
            let what = format!("{} of {} properties could not be read", failed.len(), readings.len());
            Err(Failure { hint: first.hint.clone(), causes: first.causes.clone(), ..Failure::new(first.exit, what) })
        }
    }
}

async fn gather(consumer: &Consumer, found: &Found, names: &[String]) -> Result<Readings, Failure> {
    let all = || {
        let readable = found.thing.properties.iter().filter(|(_, property)| property.is_readable());
        readable.map(|(name, _)| name.clone()).collect()
    };
    let names: Vec<String> = if names.is_empty() { all() } else { names.to_vec() };
    // A name that is none is said before anything is asked.
    names.iter().try_for_each(|name| found.property(name).map(|_| ()))?;
    let mut readings = Readings::new();
    for name in names {
        let reading = consumer.read(found, &name).await;
        if let Err(failure) = &reading
            && matches!(failure.exit, Exit::Unreachable | Exit::Unauthorized)
        {
            return Err(reading.err().unwrap_or_else(|| Failure::told(Exit::Failed)));
        }
        readings.push((name, reading));
    }
    Ok(readings)
}

fn document(found: &Found, readings: &Readings) -> Value {
    let one = |name: &str, reading: &Result<Reading, Failure>| match reading {
        Ok(reading) => json!({
            "value": reading.value,
            "unit": found.thing.properties.get(name).and_then(|property| property.schema.unit.clone()),
            "taken": reading.taken, "age": reading.age, "quality": reading.quality,
        }),
        Err(failure) => json!({"error": failure.sentence()}),
    };
    let properties: Map<String, Value> =
        readings.iter().map(|(name, reading)| (name.clone(), one(name, reading))).collect();
    json!({"thing": found.name, "properties": properties})
}

fn table(found: &Found, readings: &Readings) -> Table {
    let mut table = Table::new(&["PROPERTY", "AGE", "QUALITY", "VALUE"]);
    for (name, reading) in readings {
        match reading {
            Ok(reading) => {
                let quality = reading.quality.as_deref().unwrap_or_default();
                let tone = if quality.starts_with("good") { None } else { Some(Tone::Doubtful) };
                let age = reading.age.map(|seconds| format!("{seconds} s")).unwrap_or_default();
                let shown =
                    value::shown(&reading.value, found.thing.properties.get(name).map(|property| &property.schema));
                table.toned([(name, None), (&age, None), (quality, tone), (&shown, None)]);
            }
            Err(failure) => table.toned([
                (name, None),
                ("", None),
                ("none", Some(Tone::Bad)),
                (&failure.sentence(), Some(Tone::Bad)),
            ]),
        }
    }
    table
}
