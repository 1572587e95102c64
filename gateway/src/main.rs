//! The program `tidegate`: reads the command line and runs the command.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::cli::{Cli, console};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::report(&failure);
            failure.exit.into()
        }
    }
}
