//! Kills the process at the step that the environment names. Not part of a release build.

use std::env;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use super::CrashPoint;

/// `STEP:N`.
const STEP: &str = "TIDEGATE_CRASH_AT";
/// Any value.
const EARLY: &str = "TIDEGATE_ANSWER_EARLY";

struct Armed {
    step: CrashPoint,
    left: AtomicU64,
}

static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| env::var(STEP).ok().and_then(|text| parse(&text)));
static ANSWERS_EARLY: LazyLock<bool> = LazyLock::new(|| env::var_os(EARLY).is_some());

fn parse(text: &str) -> Option<Armed> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    let step = CrashPoint::ALL.iter().copied().find(|step| step.name() == name);
    let armed = step.zip(count.parse().ok());
    if armed.is_none() {
        tracing::error!("{STEP} names no step and count: {text}");
    }
    armed.map(|(step, count)| Armed { step, left: AtomicU64::new(count) })
}

pub(super) fn pass(step: CrashPoint) {
    let Some(armed) = ARMED.as_ref().filter(|armed| armed.step == step) else { return };
    if armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        && let Err(error) = kill_process(getpid(), Signal::KILL)
    {
        tracing::error!(%error, step = step.name(), "the process could not be killed");
    }
}

pub(super) fn answers_early() -> bool {
    *ANSWERS_EARLY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_with_its_count() {
        for step in CrashPoint::ALL {
            let armed = parse(&format!("{}:3", step.name())).unwrap();
            assert_eq!((armed.step, armed.left.into_inner()), (*step, 3));
        }
        assert_eq!(parse("component-kept").unwrap().left.into_inner(), 1);
        assert!(parse("nowhere:1").is_none() && parse("component-kept:x").is_none());
    }
}
