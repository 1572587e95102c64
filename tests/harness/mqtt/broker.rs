//! A mosquitto of the test's own, on a free port of the loopback.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{guard::Guard, lines::Lines, program};

const START_DEADLINE: Duration = Duration::from_secs(20);
/// A free port may be taken by another before the broker has it: then the next one is tried.
const PORTS_MAX: usize = 5;

/// A broker process; it keeps nothing on disk, so that a kill loses what was retained.
#[derive(Debug)]
pub struct Mosquitto {
    address: SocketAddr,
    folder: TempDir,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Guard,
    lines: Lines,
}

impl Mosquitto {
    /// Starts a broker that lets everybody in and waits until it listens.
    ///
    /// # Errors
    /// When it does not: its output is in the error.
    pub fn start() -> Result<Self> {
        Self::start_with("allow_anonymous true\n")
    }

    /// The same, with these lines of mosquitto.conf after those that say where it listens.
    ///
    /// # Errors
    /// When it does not: its output is in the error.
    pub fn start_with(configuration: &str) -> Result<Self> {
        let mut failure = None;
        for _ in 0..PORTS_MAX {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let folder = TempDir::with_prefix("mosquitto-")?;
            let listener = format!("listener {} 127.0.0.1\n", address.port());
            let log = "log_type all\nlog_dest stderr\npersistence false\n";
            fs::write(folder.path().join("mosquitto.conf"), format!("{listener}{log}{configuration}"))?;
            let mut broker = Self { address, folder, running: None };
            match broker.restart() {
                Ok(()) => return Ok(broker),
                Err(error) if format!("{error:#}").contains("Address already in use") => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.context("no port was tried")?)
    }

    /// Where it listens, also while it is killed.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far.
    pub fn output(&self) -> String {
        self.running.as_ref().map(|running| running.lines.to_string()).unwrap_or_default()
    }

    /// kill -9; its clients see their connections end without a DISCONNECT.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(&mut self) -> Result<()> {
        let mut running = self.running.take().context("the broker was killed before")?;
        if let Some(status) = running.process.0.try_wait()? {
            bail!("the broker had ended with {status}:\n{}", running.lines);
        }
        Ok(())
    }

    /// Starts it on the same port; one that runs is killed first.
    ///
    /// # Errors
    /// When it does not start: its output is in the error.
    pub fn restart(&mut self) -> Result<()> {
        drop(self.running.take());
        let mut command = Command::new("mosquitto");
        // Debian puts it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin"));
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = program::spawn(&mut command)?;
        let lines = Lines::of(&mut process.0);
        let running = |line: &str| line.ends_with(" running").then_some(());
        lines.first(START_DEADLINE, running).with_context(|| format!("the broker does not start; output:\n{lines}"))?;
        self.running = Some(Running { process, lines });
        Ok(())
    }
}
