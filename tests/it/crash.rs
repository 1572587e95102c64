//! kill -9 at every named step of store and replacement, at the system calls below them, and at any time: nothing that was
//! acknowledged is lost, nothing is torn, and the gateway starts again unattended.
//!
//! `TIDEGATE_CRASH_SECONDS` is how long it searches (at least until every step had its turn), `TIDEGATE_CRASH_SEED` repeats
//! a search; `cargo xtask crash` sets both. Without ptrace the system calls are left out: see `tests::strace`.

mod ledger;
mod order;
mod plan;
mod pushers;
mod search;
mod writers;

use std::{
    env,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use tests::strace;
use tidegate::crash_point::CrashPoint;

use ledger::Finding;
use plan::Plan;
use search::{Search, say};

/// Of a search that nobody has asked to be longer.
const SECONDS: u64 = 45;
/// Within this time a store that answers too early has to be found out.
const LIE_MAX: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = env::var(variable) else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("{variable} is no number: {text}"))
}

fn seed() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    Ok(number("TIDEGATE_CRASH_SEED")?.unwrap_or(u64::try_from(now)?))
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_torn_by_kill_9() -> Result<()> {
    let seed = seed()?;
    let until = Instant::now() + Duration::from_secs(number("TIDEGATE_CRASH_SECONDS")?.unwrap_or(SECONDS));
    let calls = strace::is_permitted()?;
    say(&format!("TIDEGATE_CRASH_SEED={seed}"));
    let tally = Search::new(Plan::new(seed, calls))
        .run(search::site()?, until)
        .with_context(|| format!("TIDEGATE_CRASH_SEED={seed} repeats the plan"))?;
    say(&format!("{tally:?}"));
    ensure!(tally.steps.len() == CrashPoint::ALL.len(), "not at every step: {:?}", tally.steps);
    ensure!(!calls || !tally.calls.is_empty(), "at no system call");
    Ok(())
}

/// The negative control: a store that answers before the commit is on disk is found out by the same search.
#[test]
fn a_store_that_answers_before_the_commit_is_found_out() -> Result<()> {
    let seed = seed()?;
    let found = Search::of_a_liar(Plan::by_time(seed)).run(search::site()?, Instant::now() + LIE_MAX);
    let Err(error) = found else { bail!("seed {seed}: a store that lies was not found out") };
    ensure!(error.is::<Finding>(), error.context("the search broke off"));
    Ok(())
}
