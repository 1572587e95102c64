//! A property read over HTTP, 64 connections: a published reading, a number and an object that the guest computes, against
//! a constant behind the same layers, the bare axum route, and node-wot's servient. Many short interleaved rounds: a ratio
//! is the median of the rounds' ratios, because what else the machine does changes from second to second.
//!
//! The routes without a Thing run in this process with as many workers as the gateway has.

use std::{future::pending, path::PathBuf};

use anyhow::{Context as _, Result};
use axum::{Json, Router, routing::get};
use benches::{Table, median, peer::NodeWot, wrk};
use tests::{
    Gateway, Site,
    gateway::profile_folder,
    site::{HOST_MONITOR, LABORATORY},
};
use tidegate::binding_http::{behind_layers, serve};

const ROUNDS: usize = 12;
const SECONDS: u32 = 2;

/// One of those that are compared.
struct Contestant {
    name: &'static str,
    url: String,
    rounds: Vec<wrk::Run>,
}

impl Contestant {
    fn new(name: &'static str, url: String) -> Self {
        Self { name, url, rounds: Vec::new() }
    }

    fn per_second(&self) -> f64 {
        median(self.rounds.iter().map(|run| run.per_second).collect())
    }

    /// Requests per second as a share of the other's, round by round.
    fn share_of(&self, other: &Self) -> f64 {
        let rounds = self.rounds.iter().zip(&other.rounds);
        median(rounds.map(|(ours, theirs)| ours.per_second / theirs.per_second).collect())
    }

    fn p99_ms(&self) -> f64 {
        median(self.rounds.iter().map(|run| run.p99_ms).collect())
    }
}

fn main() -> Result<()> {
    let gateway = gateway()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let constant = runtime.block_on(constant_routes())?;
    let peer = NodeWot::start()?;
    let of_gateway = |path: &str| format!("http://{}/things/{path}", gateway.client().address());
    let mut contestants = [
        Contestant::new("bare axum route", format!("{constant}/bare")),
        Contestant::new(
            "a constant on the same path, behind the same layers",
            format!("{constant}/things/machine/properties/load1"),
        ),
        Contestant::new("published reading", of_gateway("machine/properties/load1")),
        Contestant::new("number computed by the guest", of_gateway("laboratory/properties/number")),
        Contestant::new("object computed by the guest", of_gateway("laboratory/properties/object")),
        Contestant::new("node-wot 0.9.2, integer", format!("{}/properties/count", peer.url)),
        Contestant::new("node-wot 0.9.2, object", format!("{}/properties/state", peer.url)),
    ];
    for contestant in &contestants {
        wrk::run(&contestant.url, 1).with_context(|| contestant.name)?;
    }
    for _ in 0..ROUNDS {
        for contestant in &mut contestants {
            contestant.rounds.push(wrk::run(&contestant.url, SECONDS)?);
        }
    }
    report(&contestants)
}

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("machine", HOST_MONITOR)?.thing("laboratory", LABORATORY)?;
    let program: PathBuf = profile_folder()?.join("tidegate");
    let gateway = Gateway::start_as(&program, &["serve"], site)?;
    for property in ["machine/properties/load1", "laboratory/properties/number"] {
        gateway.client().value(&format!("/things/{property}"))?;
    }
    Ok(gateway)
}

/// Serves one constant twice, on `/bare` by axum alone and, on the path of a property, behind all layers of the gateway's.
async fn constant_routes() -> Result<String> {
    let constant = || get(async || Json(21.5));
    let config = tidegate::config::Config::default();
    let layered = Router::new().route("/things/{thing}/properties/{name}", constant());
    let layered = behind_layers(layered, Router::new(), &config);
    let router = Router::new().route("/bare", constant()).merge(layered);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, router, pending(), config.limits));
    Ok(format!("http://{address}"))
}

fn report(contestants: &[Contestant; 7]) -> Result<()> {
    let [_, constant, published, number, object, node_number, node_object] = contestants;
    let columns = ["GET of a property", "requests/s", "p99 ms", "of the constant", "of node-wot"];
    let mut table = Table::new("property_read", "A property read over HTTP, 64 connections", &columns);
    for contestant in contestants {
        let peer = if std::ptr::eq(contestant, object) || std::ptr::eq(contestant, node_object) {
            node_object
        } else {
            node_number
        };
        let ratio = |other: &Contestant| format!("{:.2}", contestant.share_of(other));
        let cells = [format!("{:.0}", contestant.per_second()), format!("{:.2}", contestant.p99_ms())];
        let [per_second, p99] = cells;
        table.row([contestant.name.to_owned(), per_second, p99, ratio(constant), ratio(peer)]);
    }
    let promises = [
        (published, constant, 0.9),
        (number, constant, 0.7),
        (object, constant, 0.6),
        (published, node_number, 4.0),
        (number, node_number, 4.0),
        (object, node_object, 3.0),
    ];
    for (ours, other, wanted) in promises {
        let ratio = ours.share_of(other);
        table.promise(&format!("{} >= {wanted} x {}", ours.name, other.name), ratio, ratio >= wanted);
    }
    table.note(format!("wrk, 2 threads, {ROUNDS} interleaved rounds of {SECONDS} s each, medians of the rounds"));
    table.publish()
}
