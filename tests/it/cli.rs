//! The command line: the program itself against a real gateway, as a person and as a script use it.

mod check;
mod doctor;
mod failures;
mod handlers;
mod hostile;
mod https;
mod things;
mod tls_front;

use anyhow::Result;
use tests::{Gateway, Site, command::Said, site};

/// A gateway with a relay, a light and the board.
fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.thing("lamp", site::RELAY)?.thing("led", site::LED)?.thing("climate", site::CLIMATE)?;
    site.start()
}

/// Runs a command against `gateway` to its end.
fn run(gateway: &Gateway, arguments: &[&str]) -> Result<Said> {
    tests::CommandLine::new(arguments)?.of(gateway).run()
}
