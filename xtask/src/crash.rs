//! `cargo xtask crash [--minutes N] [--seed S]`: kills the gateway at every step of what it keeps, for as long as one likes.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::{
    handlers,
    setup::{apt, permissions},
    step::{self, say},
    workspace,
};

/// Of a search whose length is not given.
const MINUTES: u64 = 10;

/// The tests of `tests/it/crash` and `tests/it/disk_full`, with time; their output as it comes.
///
/// # Errors
/// When something cannot be set up or the runner cannot be started; what is found is the exit code.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let asked = Asked::of(arguments)?;
    apt::install(&[apt::STRACE])?;
    handlers::build()?;
    let mut runner = workspace::cargo(&["test", "--workspace", "--test", "it"]);
    runner.args(["--", "crash::", "disk_full::", "--nocapture"]);
    runner.env("TIDEGATE_CRASH_SECONDS", (asked.minutes * 60).to_string());
    if let Some(seed) = asked.seed {
        runner.env("TIDEGATE_CRASH_SEED", seed.to_string());
    }
    let left_out = permissions::denied(&mut runner);
    let status = step::step(&format!("killing for {} min", asked.minutes), || step::status(&mut runner))?;
    left_out.iter().for_each(|what| say(what));
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    minutes: u64,
    seed: Option<u64>,
}

impl Asked {
    fn of(arguments: &[String]) -> Result<Self> {
        let mut asked = Self { minutes: MINUTES, seed: None };
        for pair in arguments.chunks(2) {
            let [name, number] = pair else { bail!("`{}` wants a number", pair.concat()) };
            let number = number.parse().with_context(|| format!("`{name}` wants a number, not `{number}`"))?;
            match name.as_str() {
                "--minutes" => asked.minutes = number,
                "--seed" => asked.seed = Some(number),
                _ => bail!("no such option: `{name}`; there are --minutes N and --seed S"),
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_seed_are_read() {
        let of = |text: &str| Asked::of(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("").unwrap(), Asked { minutes: MINUTES, seed: None });
        assert_eq!(of("--seed 7 --minutes 2").unwrap(), Asked { minutes: 2, seed: Some(7) });
        for wrong in ["--minutes", "--minutes x", "--hours 1"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
