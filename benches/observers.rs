//! Event streams by the thousand: resident memory of each, what is left when all have vanished, and how much more a second
//! wave needs. The gateway is a process of its own; this one is the load.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use benches::Table;
use serde_json::{Value, json};
use tests::{
    Client, Crowd, Gateway, Site,
    crowd::{descriptors, resident_bytes},
    eventually,
    gateway::profile_folder,
    site::LABORATORY,
};

const OBSERVERS: usize = 10_000;
const WAVES: usize = 3;
const OBSERVED: &str = "/things/laboratory/properties/echo";
const BYTES_EACH: f64 = 32.0 * 1024.0;
const GROWTH_PERCENT: f64 = 5.0;
const DEADLINE: Duration = Duration::from_secs(120);

/// What a wave of observers cost.
struct Wave {
    resident: f64,
    opened_in: Duration,
    told_in: Duration,
    gone_in: Duration,
    left: String,
}

fn main() -> Result<()> {
    let count = Crowd::possible(OBSERVERS);
    let gateway = gateway(count)?;
    let client = gateway.client();
    client.json("PUT", OBSERVED, &json!("begin"))?.expect(204)?;
    let before = resident_bytes(gateway.id())? as f64;
    let waves: Vec<Wave> = (0..WAVES).map(|_| wave(&gateway, count)).collect::<Result<_>>()?;
    let columns = ["wave", "resident, MB", "KiB each", "opened in, s", "a change told in, s", "gone in, s", "left"];
    let mut table = Table::new("observers", "Event streams by the thousand", &columns);
    let each = |wave: &Wave| (wave.resident - before) / count as f64;
    for (number, wave) in waves.iter().enumerate() {
        let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
        table.row([
            (number + 1).to_string(),
            format!("{:.1}", wave.resident / 1e6),
            format!("{:.2}", each(wave) / 1024.0),
            seconds(wave.opened_in),
            seconds(wave.told_in),
            seconds(wave.gone_in),
            wave.left.clone(),
        ]);
    }
    let largest = waves.iter().map(each).fold(0.0, f64::max);
    table.promise(&format!("resident bytes of an observer <= {BYTES_EACH}"), largest, largest <= BYTES_EACH);
    let growth = (waves[1].resident / waves[0].resident - 1.0) * 100.0;
    table.promise(&format!("growth by a second wave <= {GROWTH_PERCENT} %"), growth, growth <= GROWTH_PERCENT);
    table.note(format!(
        "{count} streams, all of one property, whose value changes once; resident before: {:.1} MB",
        before / 1e6
    ));
    table.note("left: descriptors and tasks beyond those before, when no observer is left");
    table.publish()
}

fn gateway(count: usize) -> Result<Gateway> {
    let site = Site::new()?;
    site.configure(&format!("[board]\nsimulated = true\n[limits]\nobservers-max = {count}\n"))?;
    site.thing("laboratory", LABORATORY)?;
    Gateway::start_as(&profile_folder()?.join("tidegate"), &["serve"], site)
}

fn own(client: &Client, property: &str) -> Result<Value> {
    client.value(&format!("/things/gateway/properties/{property}"))
}

fn wave(gateway: &Gateway, count: usize) -> Result<Wave> {
    let (client, process) = (gateway.client(), gateway.id());
    let tasks = || -> Result<u64> { own(&client, "health")?["tasks"].as_u64().context("no number of tasks") };
    let (descriptors_before, tasks_before) = (descriptors(process)?, tasks()?);
    let began = Instant::now();
    let mut crowd = Crowd::of_observers(&client, OBSERVED, count)?;
    let opened_in = began.elapsed();
    ensure!(own(&client, "http")?["observers"] == count);
    let began = Instant::now();
    let news = opened_in.as_nanos();
    client.json("PUT", OBSERVED, &json!(news.to_string()))?.expect(204)?;
    crowd.until_all_read(&news.to_string())?;
    let told_in = began.elapsed();
    let resident = resident_bytes(process)? as f64;
    let began = Instant::now();
    drop(crowd);
    eventually("no observer is left", DEADLINE, || Ok((own(&client, "http")?["observers"] == 0).then_some(())))?;
    let gone_in = began.elapsed();
    let left_descriptors = descriptors(process)?.saturating_sub(descriptors_before);
    let left = format!("{left_descriptors}, {}", tasks()?.saturating_sub(tasks_before));
    Ok(Wave { resident, opened_in, told_in, gone_in, left })
}
