//! From the start of the process to the first 200 of host-monitor's load average, and the memory of the demo's Things.
//!
//! The cache of compiled handlers is warm, as at every start but the first.

use std::time::Instant;

use anyhow::{Context as _, Result};
use benches::{Latencies, Table, machine};
use tests::{Gateway, Site, gateway::profile_folder, site::HOST_MONITOR};

const STARTS: usize = 20;
const START_MS: f64 = 100.0;
const RESIDENT_MB: f64 = 40.0;

fn main() -> Result<()> {
    let columns = ["what", "median", "worst"];
    let mut table = Table::new("startup", "Start and resident memory", &columns);
    let starts = starts()?;
    let milliseconds = |per_mille| starts.within(per_mille).as_secs_f64() * 1e3;
    let median = milliseconds(500);
    let what = "start to the first 200 of the load average, ms";
    table.row([what.to_owned(), format!("{median:.1}"), format!("{:.1}", milliseconds(1000))]);
    let (first, site) = demo_resident_mb(Site::new()?)?;
    table.row([
        "resident memory with the demo's Things, first start, MB".to_owned(),
        format!("{first:.1}"),
        String::new(),
    ]);
    let (resident, _) = demo_resident_mb(site)?;
    table.row(["the same, any later start, MB".to_owned(), format!("{resident:.1}"), String::new()]);
    table.promise(&format!("start <= {START_MS} ms"), median, median <= START_MS);
    table.promise(&format!("resident <= {RESIDENT_MB} MB"), resident, resident <= RESIDENT_MB);
    table.note(format!(
        "{STARTS} starts with a warm cache, each after a clean stop; the first start of the demo compiles all handlers"
    ));
    table.publish()
}

fn starts() -> Result<Latencies> {
    let mut site = Site::new()?;
    site.thing("machine", HOST_MONITOR)?;
    // The first start compiles.
    (site, _) = timed(site)?;
    let mut durations = Vec::new();
    for _ in 0..STARTS {
        let (stopped, duration) = timed(site)?;
        site = stopped;
        durations.push(duration);
    }
    Ok(Latencies::from(durations))
}

fn timed(site: Site) -> Result<(Site, std::time::Duration)> {
    let program = profile_folder()?.join("tidegate");
    let began = Instant::now();
    let gateway = Gateway::start_as(&program, &["serve"], site)?;
    gateway.client().value("/things/machine/properties/load1")?;
    let duration = began.elapsed();
    Ok((gateway.stop()?.1, duration))
}

/// After every Thing has been read once.
fn demo_resident_mb(site: Site) -> Result<(f64, Site)> {
    let gateway = Gateway::start_as(&profile_folder()?.join("tidegate"), &["demo"], site)?;
    let client = gateway.client();
    let things = client.value("/things")?;
    for thing in things.as_array().context("the directory is no list")? {
        let forms = thing["forms"].as_array().context("a Thing without forms")?;
        let reads_all = |form: &&serde_json::Value| form["op"].to_string().contains("readallproperties");
        if let Some(href) = forms.iter().find(reads_all).and_then(|form| form["href"].as_str()) {
            client.get(href)?;
        }
    }
    let resident = machine::resident_mb(gateway.id()).context("the gateway has ended")?;
    Ok((resident, gateway.stop()?.1))
}
