//! `tidegate hardware`: what a configuration may use on this machine, which rights are missing, and what a running gateway
//! says of its own.

use clap::Args;
use serde_json::Value;
use things::{Survey, survey};

use super::{
    Failure,
    access::GatewayArgs,
    console, serve,
    table::Table,
    terminal::{Screen, Tone, plain},
};

#[derive(Debug, Args)]
pub(super) struct HardwareArgs {
    /// Show every line of the GPIO chips, not only those in use
    #[arg(long)]
    lines: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn hardware(arguments: &HardwareArgs) -> Result<(), Failure> {
    let survey = survey();
    let told = match arguments.gateway.named() {
        Some(_) => Some(serve::runtime()?.block_on(ask(&arguments.gateway))?),
        None => None,
    };
    if arguments.json {
        let mut document = serde_json::to_value(&survey)
            .map_err(|error| Failure::caused(super::Exit::Failed, "cannot write what was found", &error))?;
        document["gateway"] = told.unwrap_or_default();
        return console::print_json(&document);
    }
    let screen = Screen::output();
    let mut parts = vec![format!("{} {}", screen.paint(Tone::Head, "Machine"), plain(&survey.model))];
    let tables = [("", devices(&survey)), ("Lines", lines(&survey, arguments.lines))];
    parts.extend(shown(&tables, screen));
    parts.extend(remedies(&survey, screen));
    if let Some(told) = &told {
        parts.push(format!("\n{} {}", screen.paint(Tone::Head, "The gateway's machine"), plain(text(told, "model"))));
        parts.extend(shown(&[("In use", claims(told)), ("Not usable by the gateway", problems(told))], screen));
    }
    console::print(parts.join("\n"))
}

/// The property `hardware` of the gateway's Thing.
async fn ask(gateway: &GatewayArgs) -> Result<Value, Failure> {
    let consumer = gateway.consumer()?;
    let found = consumer.thing("gateway").await?;
    Ok(consumer.read(&found, "hardware").await?.value)
}

fn shown(tables: &[(&str, Table)], screen: Screen) -> Vec<String> {
    let full = tables.iter().filter(|(_, table)| !table.is_empty());
    full.map(|(title, table)| {
        let title = if title.is_empty() { String::new() } else { format!("{}\n", screen.paint(Tone::Head, title)) };
        format!("\n{title}{}", table.show(screen))
    })
    .collect()
}

fn devices(survey: &Survey) -> Table {
    let mut table = Table::new(&["KIND", "DEVICE", "NAME", "STATE", "IN A GRANT"]);
    for kind in &survey.kinds {
        let word = serde_json::to_value(kind.kind).unwrap_or_default();
        let word = word.as_str().unwrap_or_default();
        for device in &kind.devices {
            let (state, tone) = match &device.obstacle {
                None => ("usable", Tone::Good),
                Some(obstacle) => (obstacle.what.as_str(), Tone::Bad),
            };
            let name = device.name.as_deref().unwrap_or_default();
            table.toned([(word, None), (&device.path, None), (name, None), (state, Some(tone)), (&device.grant, None)]);
        }
        if let Some(absent) = &kind.absent {
            table.toned([(word, None), ("-", None), ("", None), (&absent.what, Some(Tone::Doubtful)), ("", None)]);
        }
    }
    table
}

fn lines(survey: &Survey, all: bool) -> Table {
    let mut table = Table::new(&["CHIP", "LINE", "NAME", "HELD BY"]);
    for device in survey.kinds.iter().flat_map(|kind| &kind.devices) {
        for line in device.lines.iter().filter(|line| all || line.consumer.is_some()) {
            let consumer = line.consumer.as_deref().unwrap_or_default();
            table.row([&device.path, &line.line.to_string(), &line.name, consumer]);
        }
    }
    table
}

/// Each thing to do once, however many devices wait for it.
fn remedies(survey: &Survey, screen: Screen) -> Vec<String> {
    let absent = survey.kinds.iter().filter_map(|kind| kind.absent.as_ref());
    let obstacles = survey.kinds.iter().flat_map(|kind| &kind.devices).filter_map(|device| device.obstacle.as_ref());
    let mut said: Vec<String> = Vec::new();
    for obstacle in obstacles.chain(absent) {
        let line =
            format!("{} {}: {}", screen.paint(Tone::Good, "hint:"), plain(&obstacle.what), plain(&obstacle.remedy));
        if !said.contains(&line) {
            said.push(line);
        }
    }
    if let Some(first) = said.first_mut() {
        first.insert(0, '\n');
    }
    said
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn claims(told: &Value) -> Table {
    let mut table = Table::new(&["THING", "GRANT", "KIND", "DEVICE", "TRANSACTIONS", "FAILURES"]);
    let number = |claim: &Value, key: &str| claim.get(key).and_then(Value::as_u64).unwrap_or(0);
    for claim in entries(told, "claims") {
        let failures = number(claim, "failures");
        table.toned([
            (text(claim, "thing"), None),
            (text(claim, "label"), None),
            (text(claim, "kind"), None),
            (text(claim, "place"), None),
            (&number(claim, "transactions").to_string(), None),
            (&failures.to_string(), (failures > 0).then_some(Tone::Doubtful)),
        ]);
    }
    table
}

fn problems(told: &Value) -> Table {
    let mut table = Table::new(&["DEVICE", "PROBLEM"]);
    for device in ["i2c", "spi", "gpio", "pwm"].iter().flat_map(|kind| entries(told, kind)) {
        if let Some(problem) = device.get("problem").and_then(Value::as_str) {
            table.toned([(text(device, "path"), None), (problem, Some(Tone::Bad))]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use things::{DeviceSurvey, KindSurvey, LineSurvey, Obstacle};

    use super::*;

    #[test]
    fn what_is_missing_is_said_once_with_its_command() {
        let obstacle = || Some(Obstacle { what: "no right".to_owned(), remedy: "sudo usermod".to_owned() });
        let device = |path: &str| DeviceSurvey {
            path: path.to_owned(),
            name: Some("chip\x1b[2J".to_owned()),
            grant: format!("chip = \"{path}\""),
            obstacle: obstacle(),
            lines: vec![LineSurvey { line: 4, name: "GPIO4".to_owned(), consumer: Some("fan".to_owned()) }],
        };
        let devices = vec![device("/dev/gpiochip0"), device("/dev/gpiochip1")];
        let kinds = vec![KindSurvey { kind: things::GrantKind::Gpio, devices, absent: None }];
        let survey = Survey { model: "m".to_owned(), is_raspberry_pi: false, kinds };
        let screen = Screen::of(false, usize::MAX);
        assert_eq!(remedies(&survey, screen), ["\nhint: no right: sudo usermod"]);
        let shown = super::devices(&survey).show(screen);
        assert!(shown.contains("chip\\u{1b}[2J") && shown.contains("no right"), "{shown}");
        assert_eq!(lines(&survey, false).show(screen).lines().count(), 3);
        let told =
            json!({"i2c": [{"path": "/dev/i2c-1", "problem": "EACCES"}], "claims": [{"thing": "x", "failures": 2}]});
        assert!(problems(&told).show(screen).contains("EACCES") && claims(&told).show(screen).contains("x"));
    }
}
