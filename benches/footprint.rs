//! What a gateway costs that has little to do: start, memory per Thing, processor time with twenty sensors; with all the
//! address space that there is, and with 2 GiB of it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use benches::{Table, machine, measure_for, median};
use tests::{
    Gateway, Site, eventually,
    gateway::profile_folder,
    site::{CLIMATE, HOST_MONITOR},
};

const PRLIMIT: &str = "/usr/bin/prlimit";
const ADDRESS_SPACE: &str = "--as=2147483648";
const STARTS: usize = 10;
const FEW: usize = 5;
const MANY: usize = 25;
const SENSORS: usize = 20;
const IDLE: Duration = Duration::from_secs(60);

const START_MS: f64 = 100.0;
const THING_KIB: f64 = 256.0;
const IDLE_PERCENT: f64 = 1.0;

/// How the gateway is started.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    limited: bool,
}

impl Way {
    fn start(self, site: Site) -> Result<Gateway> {
        let program = profile_folder()?.join("tidegate");
        if !self.limited {
            return Gateway::start_as(&program, &["serve"], site);
        }
        let program = program.to_str().context("a path that is no text")?;
        Gateway::start_as(Path::new(PRLIMIT), &[ADDRESS_SPACE, program, "serve"], site)
    }
}

fn main() -> Result<()> {
    let columns = ["address space", "start to first read, ms", "a further Thing, KiB", "20 sensors, % of a core"];
    let mut table = Table::new("footprint", "What an idle gateway costs", &columns);
    let mut worst = [0.0_f64; 3];
    for way in [Way { name: "all", limited: false }, Way { name: "2 GiB", limited: true }] {
        let measured = [start_ms(way)?, thing_kib(way)?, idle_percent(way)?];
        let cells = [format!("{:.1}", measured[0]), format!("{:.0}", measured[1]), format!("{:.2}", measured[2])];
        table.row([vec![way.name.to_owned()], cells.to_vec()].concat());
        worst.iter_mut().zip(measured).for_each(|(worst, measured)| *worst = worst.max(measured));
    }
    let promises = [
        (format!("start <= {START_MS} ms"), START_MS),
        (format!("a further Thing <= {THING_KIB} KiB"), THING_KIB),
        (format!("20 sensors every 10 s <= {IDLE_PERCENT} % of a core"), IDLE_PERCENT),
    ];
    for ((what, most), worst) in promises.iter().zip(worst) {
        table.promise(what, worst, worst <= *most);
    }
    table.note(format!(
        "start: median of {STARTS} with a warm cache; a Thing: host-monitor, {MANY} of them against {FEW}"
    ));
    table.note(format!(
        "sensors: {SENSORS} handlers bme280 on one simulated chip, each sampling every 10 s, over {} s",
        IDLE.as_secs()
    ));
    table.publish()
}

fn start_ms(way: Way) -> Result<f64> {
    let mut site = Site::new()?;
    site.thing("machine", HOST_MONITOR)?;
    let mut took = Vec::new();
    // The first start compiles.
    for start in 0..=STARTS {
        let began = Instant::now();
        let gateway = way.start(site)?;
        gateway.client().value("/things/machine/properties/load1")?;
        took.extend((start > 0).then(|| began.elapsed().as_secs_f64() * 1e3));
        site = gateway.stop()?.1;
    }
    Ok(median(took))
}

/// Resident memory, with the handlers' code compiled before: each Thing is read once.
fn thing_kib(way: Way) -> Result<f64> {
    let resident = |things: usize| -> Result<f64> {
        let site = Site::new()?;
        for number in 0..things {
            site.thing(&format!("machine-{number}"), HOST_MONITOR)?;
        }
        let site = way.start(site)?.stop()?.1;
        let gateway = way.start(site)?;
        for number in 0..things {
            gateway.client().value(&format!("/things/machine-{number}/properties/load1"))?;
        }
        machine::resident_mb(gateway.id()).context("the gateway has ended")
    };
    Ok((resident(MANY)? - resident(FEW)?) * 1e6 / 1_024.0 / f64::from(u32::try_from(MANY - FEW)?))
}

fn idle_percent(way: Way) -> Result<f64> {
    let site = Site::new()?;
    let shared = CLIMATE.replace("address = 0x76", "address = 0x76\nshared = true").replace("= 200", "= 10000");
    for number in 0..SENSORS {
        site.thing(&format!("climate-{number}"), &shared)?;
    }
    let gateway = way.start(site)?;
    let client = gateway.client();
    eventually("the last sensor has sampled", Duration::from_secs(30), || {
        let read = client.get(&format!("/things/climate-{}/properties/temperature", SENSORS - 1))?;
        Ok((read.status == 200).then_some(()))
    })?;
    let (began, before) = (Instant::now(), processor_seconds(gateway.id())?);
    measure_for(IDLE);
    let used = processor_seconds(gateway.id())? - before;
    let reading = client.value("/things/climate-0/properties/temperature")?;
    ensure!(reading.is_number(), "the sensors do not sample: {reading}");
    Ok(used / began.elapsed().as_secs_f64() * 100.0)
}

/// User and system time of a process: fields 14 and 15 of `/proc/PID/stat` in ticks of 10 ms (proc(5)).
fn processor_seconds(process_id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no process name")?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
