//! When the gateway is killed: at each named step, at system calls, at any time; from a seed that is printed.

use std::{collections::VecDeque, fmt, time::Duration};

use tests::{Launch, strace};
use tidegate::crash_point::CrashPoint;

/// The calls by which something comes to disk, by strace's names; on some machines rename is renameat.
const CALLS: [&str; 6] = ["fdatasync", "fsync", "/^rename", "pwrite64", "ftruncate", "/^unlink"];
/// A kill at any time comes within this time of load.
const ANY_TIME_MS: u64 = 700;

/// A small generator (`SplitMix64`, Steele et al. 2014): the same numbers from the same seed everywhere.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `end`, without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

/// Where one run of the gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At a step, when it comes to it for the n-th time.
    Step(CrashPoint, u64),
    /// Before a system call, when one thread makes it for the n-th time.
    Call(&'static str, u32),
    /// After a time of load.
    Time(Duration),
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step, n) => write!(f, "{}:{n}", step.name()),
            Self::Call(call, n) => write!(f, "{call}:{n}"),
            Self::Time(time) => write!(f, "{time:?}"),
        }
    }
}

impl Kill {
    /// How the gateway is started so that it ends there.
    pub(crate) fn launch(self) -> Launch {
        match self {
            Self::Step(step, n) => {
                let environment = vec![("TIDEGATE_CRASH_AT", format!("{}:{n}", step.name()))];
                Launch { environment, ..Launch::default() }
            }
            Self::Call(calls, n) => Launch { runner: strace::killing(calls, n), ..Launch::default() },
            Self::Time(_) => Launch::default(),
        }
    }

    /// How long it is left under load at most; `longest` when it is a step's first time.
    pub(crate) fn patience(self, long: Duration, longest: Duration) -> Duration {
        match self {
            Self::Step(_, 1) => longest,
            Self::Step(..) | Self::Call(..) => long,
            Self::Time(time) => time,
        }
    }
}

/// What is killed in turn: first every step and call once, in any order, then any of them.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) chance: Chance,
    first: VecDeque<Kill>,
    calls: bool,
}

impl Plan {
    /// With system calls only where they can be traced.
    pub(crate) fn new(seed: u64, calls: bool) -> Self {
        let mut plan = Self { chance: Chance::new(seed), first: VecDeque::new(), calls };
        let mut all: Vec<Kill> = CrashPoint::ALL.iter().map(|step| plan.at_step(*step)).collect();
        if calls {
            all.extend(CALLS.map(|call| plan.at_call(call)));
        }
        while !all.is_empty() {
            let place = plan.place(all.len());
            plan.first.push_back(all.swap_remove(place));
        }
        plan
    }

    /// At any time, again and again: what a search that knows of no steps would do.
    pub(crate) fn by_time(seed: u64) -> Self {
        Self { first: VecDeque::new(), ..Self::new(seed, false) }
    }

    /// Whether every step and call had its turn.
    pub(crate) fn had_all(&self) -> bool {
        self.first.is_empty()
    }

    /// This one has not been reached, and gets another turn at its first time.
    pub(crate) fn again(&mut self, missed: Kill) {
        match missed {
            Kill::Step(step, _) => self.first.push_back(Kill::Step(step, 1)),
            Kill::Call(call, _) => self.first.push_back(Kill::Call(call, 1)),
            Kill::Time(_) => {}
        }
    }

    pub(crate) fn next(&mut self) -> Kill {
        if let Some(kill) = self.first.pop_front() {
            return kill;
        }
        match self.chance.below(4) {
            0 | 1 => {
                let place = self.place(CrashPoint::ALL.len());
                self.at_step(CrashPoint::ALL[place])
            }
            2 if self.calls => {
                let place = self.place(CALLS.len());
                self.at_call(CALLS[place])
            }
            _ => self.at_time(),
        }
    }

    pub(crate) fn at_time(&mut self) -> Kill {
        Kill::Time(Duration::from_millis(self.chance.below(ANY_TIME_MS)))
    }

    /// A start alone comes to the steps of the store a dozen times.
    fn at_step(&mut self, step: CrashPoint) -> Kill {
        let times = match step {
            CrashPoint::StartCollected => 1,
            _ if step.name().starts_with("store-") => 60,
            _ => 4,
        };
        Kill::Step(step, 1 + self.chance.below(times))
    }

    fn at_call(&mut self, call: &'static str) -> Kill {
        let often = matches!(call, "fdatasync" | "pwrite64");
        Kill::Call(call, 1 + u32::try_from(self.chance.below(if often { 80 } else { 2 })).unwrap_or_default())
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.chance.below(length as u64)).unwrap_or_default()
    }
}

#[test]
fn every_step_and_call_has_its_turn_and_a_seed_is_a_plan() {
    let turns = |seed| {
        let mut plan = Plan::new(seed, true);
        let mut turns = Vec::new();
        while !plan.had_all() {
            turns.push(plan.next());
        }
        turns.extend((0..50).map(|_| plan.next()));
        turns
    };
    let (one, other) = (turns(1), turns(2));
    assert_eq!(one, turns(1));
    assert_ne!(one, other);
    let first = &one[..CrashPoint::ALL.len() + CALLS.len()];
    for step in CrashPoint::ALL {
        assert!(first.iter().any(|kill| matches!(kill, Kill::Step(at, _) if at == step)), "{step:?}");
    }
}
