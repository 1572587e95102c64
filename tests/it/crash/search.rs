//! The loop: start, check, load, kill, again; on one data directory from the first start to the last.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use tests::{
    Gateway, Launched, Site, eventually,
    site::{BUTTON, CLIMATE, HOST_MONITOR, LABORATORY, RELAY},
};
use tidegate::{crash_point::CrashPoint, names::ComponentDigest};

use super::{
    ledger::Finding,
    plan::{Kill, Plan},
    pushers::{Lamp, Trial},
    writers::{Bell, Configurer, Counter, Ids, Pair, Writer},
};

/// How long a gateway is under load that does not come to its step; then it is killed all the same.
const LOAD_MAX: Duration = Duration::from_secs(4);
/// The same for a step that it has missed, and comes to first of all.
const LOAD_AGAIN_MAX: Duration = Duration::from_secs(15);
/// How often a step may be missed before the search is said not to reach it.
const MISSES_MAX: u32 = 30;
/// A processor that is shared with other tests is no fault of the handler's.
const CONFIGURATION: &str = "\
[board]
simulated = true
[budgets]
read-ms = 5_000
write-ms = 5_000
invoke-ms = 5_000
start-ms = 10_000
wake-ms = 5_000
[canary]
calls = 6
seconds = 3600
";

/// What a search came to that has found nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kills: u32,
    /// Of these: before the gateway listened, so while it recovered.
    pub(crate) in_start: u32,
    /// Steps at which it was killed.
    pub(crate) steps: BTreeSet<CrashPoint>,
    /// System calls at which it was killed.
    pub(crate) calls: BTreeSet<&'static str>,
    /// Answers that promised something.
    pub(crate) acknowledged: u64,
    misses: u32,
}

/// A site with a Thing for everybody who writes.
pub(crate) fn site() -> Result<Site> {
    let site = Site::new()?;
    site.configure(CONFIGURATION)?;
    site.thing("lab", LABORATORY)?.thing("trial", LABORATORY)?.thing("machine", HOST_MONITOR)?;
    site.thing("bell", BUTTON)?.thing("lamp", RELAY)?.thing("climate", CLIMATE)?;
    Ok(site)
}

fn writers() -> Vec<Box<dyn Writer>> {
    vec![
        Box::new(Counter::new("a property", "lab")),
        Box::new(Counter::new("a property of a Thing on trial", "trial")),
        Box::new(Pair::new()),
        Box::new(Bell::new()),
        Box::new(Configurer::new()),
        Box::new(Ids::new()),
        Box::new(Lamp::new()),
        Box::new(Trial::new()),
    ]
}

/// One search, on one data directory.
pub(crate) struct Search {
    plan: Plan,
    writers: Vec<Box<dyn Writer>>,
    tally: Tally,
    /// The store is told to lie.
    early: bool,
}

impl Search {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, writers: writers(), tally: Tally::default(), early: false }
    }

    /// Of a gateway that answers before the commit is on disk.
    pub(crate) fn of_a_liar(plan: Plan) -> Self {
        Self { early: true, ..Self::new(plan) }
    }

    /// Kills and checks until `until` has passed and every step had its turn.
    ///
    /// # Errors
    /// A [`Finding`]; or something that stands in the way of the search.
    pub(crate) fn run(mut self, mut site: Site, until: Instant) -> Result<Tally> {
        while !self.plan.had_all() || Instant::now() < until {
            let (kill, begun) = (self.plan.next(), Instant::now());
            let kills = self.tally.kills;
            site = self.live(site, kill).with_context(|| format!("after {kills} kills, the next at {kill}"))?;
            say(&format!("{:>4} {kill} ({} ms)", self.tally.kills, begun.elapsed().as_millis()));
        }
        let gateway = site.start()?;
        self.check(&gateway).with_context(|| gateway.output())?;
        let (status, _site) = gateway.stop()?;
        ensure!(status.success(), "the clean stop at the end: {status}");
        self.tally.acknowledged = self.writers.iter().map(|writer| writer.acknowledged()).sum();
        let idle = self.writers.iter().filter(|writer| writer.acknowledged() == 0).count();
        ensure!(idle == 0, "{idle} of {} writers were never answered", self.writers.len());
        Ok(self.tally)
    }

    /// One life of the gateway.
    fn live(&mut self, site: Site, kill: Kill) -> Result<Site> {
        let mut launch = kill.launch();
        if self.early {
            launch.environment.push(("TIDEGATE_ANSWER_EARLY", "1".to_owned()));
        }
        let mut gateway = match Gateway::launch(site, &launch)? {
            Launched::Serves(gateway) => *gateway,
            Launched::Ended { site, status, output } => {
                ensure!(status.signal() == Some(9), "it ended by itself: {status}:\n{output}");
                self.tally.in_start += 1;
                self.tally.killed(kill);
                return Ok(site);
            }
        };
        let as_planned = match self.check(&gateway) {
            Ok(()) => self.load(&mut gateway, kill.patience(LOAD_MAX, LOAD_AGAIN_MAX))?,
            Err(error) => {
                // Killed while it was looked at, which is no finding.
                let killed = !error.is::<Finding>() && ends_soon(&mut gateway)?;
                ensure!(killed, error.context(gateway.output()));
                true
            }
        };
        if as_planned {
            self.tally.killed(kill);
        } else {
            self.tally.missed(kill, &mut self.plan)?;
        }
        gateway.end()
    }

    /// Everybody writes until the gateway has ended, or its time is up and it is killed. Whether it ended by itself.
    fn load(&mut self, gateway: &mut Gateway, patience: Duration) -> Result<bool> {
        let (client, done) = (gateway.client(), AtomicBool::new(false));
        thread::scope(|scope| {
            let done = &done;
            let working: Vec<_> = self
                .writers
                .iter_mut()
                .map(|writer| scope.spawn(move || while !done.load(Relaxed) && writer.change(client).is_ok() {}))
                .collect();
            let ended = eventually("it ends", patience, || Ok(gateway.has_ended()?.then_some(())));
            gateway.kill_now()?;
            done.store(true, Relaxed);
            let panicked = working.into_iter().any(|working| working.join().is_err());
            ensure!(!panicked, "a writer panicked");
            Ok(ended.is_ok())
        })
    }

    fn check(&mut self, gateway: &Gateway) -> Result<()> {
        let client = gateway.client();
        self.writers.iter_mut().try_for_each(|writer| writer.check(client))?;
        components_are_whole(&gateway.site().data_dir())
    }
}

#[expect(clippy::print_stderr, reason = "who waits for minutes sees how far it is")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A connection may break a moment before the process is gone.
fn ends_soon(gateway: &mut Gateway) -> Result<bool> {
    let ended = eventually("it ends", Duration::from_secs(2), || Ok(gateway.has_ended()?.then_some(())));
    Ok(ended.is_ok())
}

/// Every component is what its name says, and nothing half is left beside them, nor beside the compiled ones.
fn components_are_whole(data_dir: &Path) -> Result<()> {
    for entry in fs::read_dir(data_dir.join("components"))? {
        let path = entry?.path();
        let digest = ComponentDigest::of(&fs::read(&path)?);
        let named = path.file_name().is_some_and(|name| *name == *format!("{digest}.wasm"));
        ensure!(named, Finding(format!("{} has the digest {digest}", path.display())));
    }
    for entry in fs::read_dir(data_dir.join("cache"))? {
        let path = entry?.path();
        let whole = path.extension().is_some_and(|extension| extension == "compiled");
        ensure!(whole, Finding(format!("{} is left over", path.display())));
    }
    Ok(())
}

impl Tally {
    fn killed(&mut self, kill: Kill) {
        self.kills += 1;
        match kill {
            Kill::Step(step, _) => drop(self.steps.insert(step)),
            Kill::Call(call, _) => drop(self.calls.insert(call)),
            Kill::Time(_) => {}
        }
    }

    /// It gets its turn again. A call that this machine does not make is left alone after a while.
    fn missed(&mut self, missed: Kill, plan: &mut Plan) -> Result<()> {
        self.kills += 1;
        let had_before = match missed {
            Kill::Step(step, _) => self.steps.contains(&step),
            Kill::Call(call, n) => n == 1 || self.calls.contains(call),
            Kill::Time(_) => true,
        };
        if !had_before {
            self.misses += 1;
            ensure!(self.misses <= MISSES_MAX, anyhow!("{missed} is not reached under load"));
            plan.again(missed);
        }
        Ok(())
    }
}
