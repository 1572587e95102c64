//! Replacing a handler 1,000 times under 200 requests a second: what a caller sees, what fails, what it costs in memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use benches::{Latencies, Table, machine, measure_for};
use serde_json::{Value, json};
use tests::{Client, Gateway, Site, gateway::profile_folder, handlers, http::Request, site::RELAY};

const REPLACEMENTS: u32 = 1_000;
/// Time from one to the next: far less than anybody needs, and none.
const STEADY: Duration = Duration::from_millis(50);
const AT_ONCE: Duration = Duration::ZERO;
/// So many take turns that none of them is still in memory when its turn comes again: each is loaded from the cache.
const VERSIONS: u32 = 8;
/// Uploads of components that were never seen: each is compiled.
const UPLOADS: u32 = 50;
/// Two workers, a read or a write every 10 ms each.
const WORKERS: usize = 2;
const PACE: Duration = Duration::from_millis(10);
const WITHOUT: Duration = Duration::from_secs(10);
const ON: &str = "/things/lamp/properties/on";

const PAUSE_P99_MS: f64 = 1.0;
const UPLOAD_P50_MS: f64 = 100.0;
const GROWTH_PERCENT: f64 = 10.0;

/// Workers that read and write until they are told to stop.
struct Load {
    done: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    workers: Vec<thread::JoinHandle<Vec<Duration>>>,
}

impl Load {
    fn start(client: Client) -> Self {
        let (done, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let workers = (0..WORKERS).map(|_| {
            let (done, failed) = (Arc::clone(&done), Arc::clone(&failed));
            thread::spawn(move || use_it(client, &done, &failed))
        });
        Self { workers: workers.collect(), done, failed }
    }

    /// How long each request took, and how many failed.
    fn stop(self) -> Result<(Latencies, usize, u32)> {
        self.done.store(true, Relaxed);
        let mut took = Vec::new();
        for worker in self.workers {
            took.extend(worker.join().map_err(|_| anyhow!("a worker panicked"))?);
        }
        let requests = took.len();
        Ok((Latencies::from(took), requests, self.failed.load(Relaxed)))
    }
}

fn use_it(client: Client, done: &AtomicBool, failed: &AtomicU32) -> Vec<Duration> {
    let (mut took, mut connection, mut due) = (Vec::new(), client.connect().ok(), Instant::now());
    while !done.load(Relaxed) {
        let request = match took.len() % 4 {
            0 => Request::new("PUT", ON).json(&json!(true)),
            2 => Request::new("PUT", ON).json(&json!(false)),
            _ => Request::new("GET", ON),
        };
        let began = Instant::now();
        let answered = connection.as_mut().and_then(|connection| connection.send(&request).ok());
        took.push(began.elapsed());
        if answered.is_none_or(|answer| answer.status >= 300) {
            failed.fetch_add(1, Relaxed);
            connection = client.connect().ok();
        }
        due += PACE;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    took
}

fn main() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    let gateway = Gateway::start_as(&profile_folder()?.join("tidegate"), &["serve"], site)?;
    let client = gateway.client();
    let load = Load::start(client);
    measure_for(WITHOUT);
    let (without, _, failed_without) = load.stop()?;
    let load = Load::start(client);
    let (pauses, growth) = replacements(&gateway, STEADY)?;
    let (during, requests, failed) = load.stop()?;
    let load = Load::start(client);
    let (pauses_at_once, growth_at_once) = replacements(&gateway, AT_ONCE)?;
    let (at_once, requests_at_once, failed_at_once) = load.stop()?;
    let uploads = uploads(client)?;
    let ms = |latencies: &Latencies, per_mille| latencies.within(per_mille).as_secs_f64() * 1e3;
    let columns = ["what, ms", "p50", "p99", "worst"];
    let mut table = Table::new("replace", "Replacing a handler under load", &columns);
    let rows = [
        ("a request, nothing is replaced", &without),
        ("a request, the handler is replaced 20 times a second", &during),
        ("a request, it is replaced as often as can be done", &at_once),
        ("the Thing takes no request (pause), 20 times a second", &pauses),
        ("the same, as often as can be done", &pauses_at_once),
        ("upload of a component never seen before, until it serves", &uploads),
    ];
    for (what, latencies) in rows {
        let cells = [500, 990, 1000].map(|per_mille| format!("{:.2}", ms(latencies, per_mille)));
        table.row([vec![what.to_owned()], cells.to_vec()].concat());
    }
    let pause = ms(&pauses, 990);
    table.promise(&format!("pause p99 <= {PAUSE_P99_MS} ms, 20 times a second"), pause, pause <= PAUSE_P99_MS);
    let (loses, with) = (ms(&during, 990) - ms(&without, 990), ms(&during, 990));
    table.promise(
        &format!("a request at p99 loses <= {PAUSE_P99_MS} ms by 20 replacements a second, here of {with:.2} ms"),
        loses,
        loses <= PAUSE_P99_MS,
    );
    let (requests, growth) = (requests + requests_at_once, growth.max(growth_at_once));
    let failures = f64::from(failed + failed_without + failed_at_once);
    table.promise(&format!("0 of {requests} reads and writes fail"), failures, failures == 0.0);
    table.promise(&format!("memory grows by <= {GROWTH_PERCENT} %"), growth, growth <= GROWTH_PERCENT);
    let upload = ms(&uploads, 500);
    table.promise(&format!("upload to serving p50 <= {UPLOAD_P50_MS} ms"), upload, upload <= UPLOAD_P50_MS);
    let kib = handlers::component("relay")?.len() >> 10;
    table.note(format!(
        "twice {REPLACEMENTS} replacements of a component of {kib} KiB by {VERSIONS} versions in turn, {UPLOADS} uploads"
    ));
    table.note(
        "as often as can be done: what compiles and loads, the clients and the gateway share two processors, so a request \
         waits for them; no promise",
    );
    table.note("memory: resident after all replacements against after the first tenth of them");
    table.note("the program that this one succeeds took 1.4 s for a replacement, and lost the state");
    gateway.stop()?;
    table.publish()
}

fn replace(client: Client, component: &[u8]) -> Result<Value> {
    let request = Request::new("POST", "/things/lamp/handler/actions/replace").body("application/wasm", component);
    client.send(&request)?.expect(200)?.value()
}

/// The pauses that the gateway tells, and by how many per cent its memory grew.
fn replacements(gateway: &Gateway, pace: Duration) -> Result<(Latencies, f64)> {
    let versions = (0..VERSIONS).map(|number| handlers::variant("relay", &format!("version {number}")));
    let versions = versions.collect::<Result<Vec<_>>>()?;
    let resident = || machine::resident_mb(gateway.id()).context("the gateway has ended");
    let (mut pauses, mut early, mut due) = (Vec::new(), 0.0, Instant::now());
    for (round, version) in (0..REPLACEMENTS).zip(versions.iter().cycle()) {
        due += pace;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
        let replaced = replace(gateway.client(), version)?;
        let pause = replaced["timings"]["pause"].as_f64().context("no pause is told")?;
        pauses.push(Duration::from_secs_f64(pause / 1e3));
        if round == REPLACEMENTS / 10 {
            early = resident()?;
        }
    }
    ensure!(early > 0.0, "too few replacements");
    Ok((Latencies::from(pauses), (resident()? / early - 1.0) * 100.0))
}

fn uploads(client: Client) -> Result<Latencies> {
    let mut took = Vec::new();
    for number in 0..UPLOADS {
        let component = handlers::variant("relay", &format!("upload {number}"))?;
        let began = Instant::now();
        replace(client, &component)?;
        took.push(began.elapsed());
    }
    Ok(Latencies::from(took))
}
