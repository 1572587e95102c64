//! The project's own commands: `cargo xtask demo | test | lint | bench | crash | handlers`.
//!
//! Each task sets up what it needs and only what is missing, says what it does and how long it took, and may be run
//! again at once. One file per task; `setup` holds what is fetched, `step` how a command is run and reported.

mod bench;
mod crash;
mod demo;
mod handlers;
mod lint;
mod setup;
mod step;
mod test;
mod workspace;

use std::process::ExitCode;

use step::say;

const USAGE: &str = "\
The project's own commands. Each sets up by itself whatever it needs.

  cargo xtask demo [ARGS]      build everything and run a gateway with real and simulated Things
                               (ARGS go to `tidegate demo`, e.g. --listen 127.0.0.1:9000)
  cargo xtask test [ARGS]      install what the tests need and run all of them (ARGS go to `cargo test`)
  cargo xtask lint             format, clippy and rustdoc, warnings denied
  cargo xtask bench [NAME]     run the benches, or one of them; tables land in benches/results/
  cargo xtask crash [--minutes N] [--seed S]
                               kill the gateway at every step of what it keeps, and look for losses (10 minutes)
  cargo xtask handlers         only build the handlers, into target/handlers/
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "demo" => demo::run(&rest),
        "test" => test::run(&rest),
        "lint" => lint::run(),
        "bench" => bench::run(&rest),
        "crash" => crash::run(&rest),
        "handlers" => handlers::build().map(|_| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            say(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        unknown => Err(anyhow::anyhow!("there is no task `{unknown}`\n\n{USAGE}")),
    };
    outcome.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
