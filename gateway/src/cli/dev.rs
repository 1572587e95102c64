//! `tidegate dev`: rebuilds a handler at each save, replaces it on a running gateway, and shows its log.
//!
//! One build at a time, off the runtime; a save meanwhile is built after it. What does not compile or is refused is told, and
//! the version that runs goes on. A gateway that is not there is waited for. Ctrl-C ends it: the handler stays.

mod saves;
mod shown;
mod watch;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Args;
use handler_build::{Built, Sources};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinHandle,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    Exit, Failure,
    access::GatewayArgs,
    build, console,
    handler_log::HandlerLog,
    inspect,
    push::{self, Replacing},
    serve,
};
use crate::names::ThingName;
use shown::Shown;

/// How often the log is read, and a gateway that was not there is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Below the crate, and not where a gateway may watch: what is built here is pushed.
const OUT: &str = "target/dev";

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// The name of the Thing whose handler it is.
    thing: ThingName,
    /// The handler's crate [default: here].
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    folder: PathBuf,
    /// Accept that a version offers less than the one before.
    #[arg(long)]
    approve: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn dev(arguments: &Dev) -> Result<(), Failure> {
    let sources = build::sources(&arguments.folder)?;
    // Before the first build, so that no save is missed.
    let saved = watch::begin(&sources).map_err(|error| {
        Failure::caused(Exit::Failed, format!("cannot watch {}", sources.manifest_dir.display()), &error)
            .with_hint("is fs.inotify.max_user_watches or max_user_instances used up? `sysctl` shows and raises them")
    })?;
    serve::runtime()?.block_on(async {
        let ended = Ended::listen()?;
        Session::new(arguments, sources).run(saved, ended).await
    })
}

/// The signals that end it.
struct Ended {
    interrupt: Signal,
    terminate: Signal,
}

impl Ended {
    fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::caused(Exit::Failed, "cannot listen for signals", &error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

type Building = JoinHandle<(Duration, Result<Built, Failure>)>;

/// What goes on between the first build and Ctrl-C.
struct Session<'a> {
    arguments: &'a Dev,
    sources: Sources,
    log: HandlerLog,
    /// The build that is under way.
    building: Option<Building>,
    /// Something was saved since that build began.
    again: bool,
    /// The component that was built last and is not at the gateway.
    waiting: Option<Built>,
    /// The digest that the gateway has answered for, taken or refused.
    answered: Option<String>,
    /// The gateway was there when it was asked last.
    reachable: bool,
    /// A version of this session runs.
    runs: bool,
    shown: Shown,
}

impl<'a> Session<'a> {
    fn new(arguments: &'a Dev, sources: Sources) -> Self {
        let log = HandlerLog::of(&arguments.gateway, &arguments.thing);
        let (building, waiting, answered) = (None, None, None);
        let (runs, shown) = (false, Shown::default());
        Self { arguments, sources, log, building, again: false, waiting, answered, reachable: true, runs, shown }
    }

    async fn run(mut self, mut saved: mpsc::Receiver<()>, mut ended: Ended) -> Result<(), Failure> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.log.begin().await;
        self.build()?;
        loop {
            tokio::select! {
                () = ended.wait() => return self.end(),
                step = self.step(&mut saved, &mut look) => step?,
            }
        }
    }

    async fn step(&mut self, saved: &mut mpsc::Receiver<()>, look: &mut Interval) -> Result<(), Failure> {
        tokio::select! {
            news = saved.recv() => match news {
                Some(()) => self.build(),
                None => Err(Failure::new(Exit::Failed, "the crate's folder can no longer be watched")
                    .with_hint("was it moved or removed? Start `tidegate dev` where it is now")),
            },
            built = of(&mut self.building) => self.built(built).await,
            _ = look.tick() => self.look().await,
        }
    }

    fn build(&mut self) -> Result<(), Failure> {
        if self.building.is_some() {
            self.again = true;
            return Ok(());
        }
        self.again = false;
        console::print(format_args!("building {}", self.sources.name))?;
        let (sources, out) = (self.sources.clone(), self.sources.manifest_dir.join(OUT));
        self.building = Some(tokio::task::spawn_blocking(move || build_once(&sources, &out)));
        Ok(())
    }

    async fn built(&mut self, (took, built): (Duration, Result<Built, Failure>)) -> Result<(), Failure> {
        self.building = None;
        match built {
            Err(failure) => {
                console::report(&failure);
                let stays = if self.runs { "; the version before goes on" } else { "" };
                console::print(format_args!("waiting for a save{stays}"))?;
            }
            Ok(built) if self.answered.as_ref() == Some(&built.digest) => {
                console::print("the same component as before: nothing to replace")?;
            }
            Ok(built) => {
                let (size, took) = (built.bytes.len(), took.as_secs_f64());
                console::print(format_args!("built {}: {size} bytes in {took:.1} s", built.name))?;
                self.waiting = Some(built);
                self.push().await?;
            }
        }
        if self.again { self.build() } else { Ok(()) }
    }

    /// Replaces the handler by what waits. A gateway that is not there is told once, and asked again.
    async fn push(&mut self) -> Result<(), Failure> {
        let Some(built) = self.waiting.take() else { return Ok(()) };
        let Dev { thing, approve, gateway, .. } = self.arguments;
        let asked = Replacing { thing: thing.as_str(), approve: *approve, expect: None, quiet: true };
        let pushed = push::replace(gateway, asked, Bytes::from(built.bytes.clone())).await;
        match pushed {
            Err(failure) if failure.exit == Exit::Unreachable => {
                if std::mem::replace(&mut self.reachable, false) {
                    console::report(&failure);
                    console::print("waiting for the gateway")?;
                }
                self.waiting = Some(built);
                return Ok(());
            }
            Err(failure) if failure.exit == Exit::Usage => return Err(failure),
            Err(failure) => console::report(&advised(failure, self.arguments, &self.sources)),
            Ok(result) => {
                self.shown.others_follow()?;
                let version = result.get("version").map(ToString::to_string).unwrap_or_default();
                console::print(format_args!("{} runs version {version}", self.arguments.thing))?;
                (self.runs, self.shown) = (true, Shown::default());
            }
        }
        self.reachable = true;
        self.answered = Some(built.digest);
        Ok(())
    }

    /// What the handler logged, and a gateway that may have come back.
    async fn look(&mut self) -> Result<(), Failure> {
        for line in self.log.news().await {
            self.shown.show(line.said(), &line)?;
        }
        self.push().await
    }

    /// The build that runs ends by itself: in a terminal, Ctrl-C has reached cargo too.
    fn end(mut self) -> Result<(), Failure> {
        self.shown.others_follow()?;
        let Dev { thing, .. } = self.arguments;
        console::print(if self.runs {
            format!("ended; {thing} keeps the version that runs")
        } else {
            "ended".to_owned()
        })
    }
}

/// The end of a build; never, while there is none.
async fn of(building: &mut Option<Building>) -> (Duration, Result<Built, Failure>) {
    match building {
        Some(build) => build.await.unwrap_or_else(|error| {
            (Duration::ZERO, Err(Failure::caused(Exit::Failed, "the build has stopped", &error)))
        }),
        None => std::future::pending().await,
    }
}

/// Compiles, and admits as the gateway would: its hints are better near the source.
fn build_once(sources: &Sources, out: &Path) -> (Duration, Result<Built, Failure>) {
    let begun = Instant::now();
    let built = build::component(sources, out);
    let admitted = built.and_then(|built| inspect::component(&built.bytes).map(|_| built));
    (begun.elapsed(), admitted)
}

/// What a developer can do about a refusal.
fn advised(failure: Failure, arguments: &Dev, sources: &Sources) -> Failure {
    let (thing, said) = (&arguments.thing, format!("{} {}", failure.what, failure.causes.join(" ")));
    let hint = if failure.exit == Exit::Unknown {
        format!(
            "declare the Thing: things.d/{thing}.toml beside the gateway's tidegate.toml, with `handler = \"{0}\"`, and \
             {0}.wasm in its handlers folder (`tidegate build` makes it); then start the gateway again. `tidegate new` \
             makes such a file, and `tidegate serve --config tidegate.toml` a gateway that reads it",
            sources.name
        )
    } else if said.contains("approve=true") {
        "start `tidegate dev` with --approve, if that is meant".to_owned()
    } else if said.contains("was not granted") {
        format!(
            "grant it: `[grants.LABEL]` in the declaration of `{thing}`, with the label of `tidegate:wants`, which counts when \
             the gateway starts; or at once by the action `configure` of the Thing `gateway`"
        )
    } else if let Some(hint) = inspect::contract_hint(std::slice::from_ref(&said)) {
        hint
    } else if said.contains("rehearsal") {
        "the handler was started once on trial: `start` and the first steps of `run` have to succeed while devices \
         answer `busy`"
            .to_owned()
    } else {
        return failure;
    };
    failure.with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_that_a_developer_meets_has_its_advice() {
        let arguments =
            Dev { thing: "lamp".parse().unwrap(), folder: ".".into(), gateway: GatewayArgs::default(), approve: false };
        let sources = Sources { name: "relay".into(), manifest_dir: ".".into(), model: "relay.tm.json".into() };
        let rows = [
            (Exit::Unknown, "there is no Thing `lamp`", "", "things.d/lamp.toml"),
            (
                Exit::Refused,
                "the gateway refused (409): Conflict",
                "lacks x; push it with approve=true if",
                "--approve",
            ),
            (
                Exit::Refused,
                "the gateway refused (403): x",
                "the handler wants i2c, which this Thing was not granted",
                "[grants.LABEL]",
            ),
            (
                Exit::Refused,
                "the gateway refused (400): x",
                "no gateway provides its imports tidegate:thing/log@2.0.0",
                "SDK",
            ),
            (
                Exit::Refused,
                "the gateway refused (400): x",
                "the component was refused in its rehearsal: trap",
                "on trial",
            ),
        ];
        for (exit, what, cause, hint) in rows {
            let failure = Failure { causes: vec![cause.into()], ..Failure::new(exit, what) };
            let advised = advised(failure, &arguments, &sources).hint.unwrap();
            assert!(advised.contains(hint), "{advised}");
        }
    }
}
