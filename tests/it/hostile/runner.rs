//! Goes through a table of cases with one gateway: the hostile Thing, its neighbour, and the gateway's own Things.
//!
//! All cases are tried, and all broken promises are told together. The table is gone through several times: after the first
//! round everything has been compiled and every room was needed once, so what grows from then on grows for ever.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{
    Gateway, Site, eventually, handlers,
    http::{Request, Response},
    site::RELAY,
};

use super::{
    case::{Case, MODEL, Promise, Step, Strike},
    neighbour::Neighbour,
    written::Guest,
};

const SOON: Duration = Duration::from_secs(20);
const THING: &str = "/things/victim";
const NEIGHBOUR: &str = "/things/neighbour/properties/on";
const ROUNDS: usize = 3;
/// By how much the resident memory of the gateway may grow from the second round to the last.
const GROWTH_MAX: u64 = 24 << 20;
/// What a round may write to the log.
const LOG_BYTES_MAX: u64 = 4 << 20;
/// What the data folder may hold, the compiled handlers left out.
const DATA_BYTES_MAX: u64 = 64 << 20;

/// A problem is a few lines, whoever wrote the sentence in it.
const PROBLEM_BYTES_MAX: usize = 16 << 10;

/// What the deployment grants to the hostile Thing: the button, the climate sensor's chip but not all of its registers, and
/// one file.
const DECLARATION: &str = r#"
handler = "tame"
[grants.button]
kind = "gpio"
chip = "board:gpio"
line = 22
direction = "input"
active-low = true
[grants.chip]
kind = "i2c"
bus = "board:i2c-1"
address = 0x76
write-registers = [0xF4]
[grants.file]
kind = "sysfs"
path = "/proc/loadavg"
"#;

/// Goes through the cases; `budgets` stands in the declaration of the hostile Thing.
pub(super) fn run(cases: &[Case], budgets: &str) -> Result<()> {
    rounds(cases, budgets, ROUNDS)
}

/// The same, once: for what takes long.
pub(super) fn run_once(cases: &[Case], budgets: &str) -> Result<()> {
    rounds(cases, budgets, 1)
}

fn rounds(cases: &[Case], budgets: &str, rounds: usize) -> Result<()> {
    let gateway = gateway(budgets)?;
    let tame = Guest::new().model(MODEL).component();
    let (mut broken, mut reports) = (Vec::new(), Vec::new());
    let (mut resident, mut written) = (Vec::new(), 0);
    for round in 0..rounds {
        let neighbour = Neighbour::of(gateway.client(), NEIGHBOUR);
        for case in cases {
            // A read of the neighbour that fails is the fault of the case in which it does: said with its name.
            if let Err(error) = try_case(&gateway, case) {
                broken.push(format!("round {round}, {}: {error:#}", case.name));
            }
            if let Err(error) = own_things_answer(&gateway) {
                broken.push(format!("round {round}, after {}: {error:#}", case.name));
            }
        }
        push(&gateway, &tame)?.expect(200)?;
        let seen = neighbour.report();
        let log = gateway.written_bytes() - written;
        written += log;
        resident.push(resident_bytes(gateway.id())?);
        reports.push(format!("round {round}: {seen:?}, {} KiB resident, {log} bytes of log", resident[round] >> 10));
        if let Err(error) = seen {
            broken.push(format!("round {round}: {error:#}"));
        }
        if log > LOG_BYTES_MAX {
            broken.push(format!("round {round}: {log} bytes of log"));
        }
    }
    // What the last uploads took is given back a little later.
    let after = resident.get(1).map_or(u64::MAX, |second| second + GROWTH_MAX);
    let returned = eventually("the memory is as it was after the second round", SOON, || {
        Ok((resident_bytes(gateway.id())? <= after).then_some(()))
    });
    if returned.is_err() {
        broken.push(format!("{} bytes of memory in the end: {resident:?}", resident_bytes(gateway.id())?));
    }
    let kept = folder_bytes(&gateway.site().data_dir())?;
    if kept > DATA_BYTES_MAX {
        broken.push(format!("{kept} bytes in the data folder"));
    }
    let output = gateway.output();
    if let Some(line) = output.lines().find(|line| line.contains("panicked")) {
        broken.push(line.to_owned());
    }
    let (status, _) = gateway.stop()?;
    ensure!(status.success(), "the gateway ended with {status}");
    let (count, broken, reports) = (broken.len(), broken.join("\n"), reports.join("\n"));
    ensure!(count == 0, "{count} promises were broken:\n{broken}\n{reports}");
    Ok(())
}

/// A gateway whose handlers folder holds the relay and a tame handler. New versions are not watched: what is promised of a
/// canary is another matter, and it would answer in the place of the hostile one.
pub(super) fn gateway(budgets: &str) -> Result<Gateway> {
    let mut site = Site::new()?;
    let folder = site.own_handlers()?.to_owned();
    fs::write(folder.join("relay.wasm"), handlers::component("relay")?)?;
    fs::write(folder.join("tame.wasm"), Guest::new().model(MODEL).component())?;
    site.configure("[board]\nsimulated = true\n[canary]\ncalls = 0\nseconds = 0\n")?;
    site.thing("neighbour", RELAY)?.thing("victim", &format!("{DECLARATION}{budgets}"))?;
    site.start()
}

fn try_case(gateway: &Gateway, case: &Case) -> Result<()> {
    let answer = push(gateway, &case.component)?;
    let problem = kept(&answer, &case.pushed).context("when it was pushed")?;
    let detail = problem["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains(case.refused_with), "refused with other words: {problem}");
    if case.steps.is_empty() {
        return Ok(());
    }
    let mut invocation = None;
    for step in &case.steps {
        for time in 0..step.times {
            take(gateway, step, &mut invocation).with_context(|| format!("{:?}, time {time}", step.strike))?;
        }
    }
    Ok(())
}

/// One strike, and what it was promised.
fn take(gateway: &Gateway, step: &Step, invocation: &mut Option<String>) -> Result<()> {
    let client = gateway.client();
    let answer = match &step.strike {
        Strike::Read(name) => client.get(&format!("{THING}/properties/{name}"))?,
        Strike::Write(name, value) => client.json("PUT", &format!("{THING}/properties/{name}"), value)?,
        Strike::Invoke(name, input) => {
            let answer = client.json("POST", &format!("{THING}/actions/{name}"), input)?;
            let status = answer.value().unwrap_or_default();
            if let Some(href) = status["href"].as_str() {
                *invocation = Some(href.to_owned());
            }
            answer
        }
        Strike::Cancel => {
            let href = invocation.as_deref().context("no action was invoked")?;
            client.send(&Request::new("DELETE", href))?
        }
        Strike::Press => {
            let press = json!({ "part": "button", "duration": 1 });
            client.json("POST", "/things/board/actions/press", &press)?
        }
        Strike::Stands(state) => return stands(gateway, state),
        Strike::Describe => client.get(THING)?,
        Strike::Faults => client.get(&format!("{THING}/handler/properties/faults"))?,
    };
    kept(&answer, &step.promises)?;
    let text = answer.text();
    let shown = || text.chars().take(400).collect::<String>();
    for words in &step.says {
        ensure!(text.contains(words), "`{words}` is not said: {}", shown());
    }
    for words in &step.never {
        ensure!(!text.contains(words), "`{words}` is said: {}", shown());
    }
    Ok(())
}

/// Answers the problem document, where the answer is one.
fn kept(answer: &Response, promises: &[Promise]) -> Result<Value> {
    let problem = if answer.status >= 400 { answer.clone().problem(answer.status)? } else { Value::Null };
    let kind = problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default();
    let detail: String = answer.text().chars().take(400).collect();
    ensure!(problem == Value::Null || answer.body.len() <= PROBLEM_BYTES_MAX, "{} bytes of problem", answer.body.len());
    ensure!(promises.contains(&(answer.status, kind)), "promised {promises:?}, got {} {kind}: {detail}", answer.status);
    let retry = answer.header("retry-after");
    ensure!(answer.status != 503 || retry.is_some(), "503 without Retry-After: {detail}");
    Ok(problem)
}

pub(super) fn push(gateway: &Gateway, component: &[u8]) -> Result<Response> {
    let path = format!("{THING}/handler/actions/replace?approve=true");
    let answer = gateway.client().send(&Request::new("POST", &path).body("application/wasm", component))?;
    if answer.status == 200 {
        stands(gateway, "running")?;
    }
    Ok(answer)
}

fn stands(gateway: &Gateway, state: &str) -> Result<()> {
    eventually(&format!("the handler is {state}"), SOON, || {
        let status = gateway.client().value(&format!("{THING}/handler/properties/status"))?;
        Ok((status["state"] == state).then_some(()))
    })
}

fn own_things_answer(gateway: &Gateway) -> Result<()> {
    for path in ["/things/gateway/properties/health", "/things/board/properties/state", "/things/neighbour", THING] {
        gateway.client().get(path)?.expect(200).context(path)?;
    }
    Ok(())
}

/// `VmRSS` of a process (proc(5)), in bytes.
fn resident_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

/// Bytes of all files in a folder but for compiled handlers, whose folder has a bound of its own.
fn folder_bytes(folder: &std::path::Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sum += folder_bytes(&path)?;
        } else if path.extension().is_none_or(|extension| extension != "compiled") {
            sum += fs::metadata(&path)?.len();
        }
    }
    Ok(sum)
}
