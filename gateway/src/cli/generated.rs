//! What is made from the command line's own definition: completions for shells, and man pages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit, Failure, console};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Folder to write into; it is made when it is missing
    folder: PathBuf,
}

pub(super) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "tidegate", &mut script);
    console::print_bytes(&script)
}

pub(super) fn man(arguments: &Man) -> Result<(), Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| unwritable(folder, &error))?;
    console::print(format!("Written; `man -l {}` shows the first page.", folder.join("tidegate.1").display()))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), error)
        .with_hint("name a folder that you may write to")
}
