//! The program `tidegate`: reads the command line and runs the command.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::cli::{Cli, console, usage};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error, std::env::args_os()),
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::report(&failure);
            failure.exit.into()
        }
    }
}
