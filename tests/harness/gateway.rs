//! A running gateway: the real program in its own process, ended with its guard.
//!
//! It is ready when it says where it listens; its output is kept for the report of a failed test.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{Client, Site, eventually, guard::Guard, lines::Lines};

/// Compiling handlers without a cache on a slow, busy machine is part of a start.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Streams end and requests drain on a clean stop.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A free port of the loopback.
const ANY_PORT: &str = "127.0.0.1:0";

/// How a gateway is started otherwise than plainly.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// A program with its first arguments that becomes the gateway, such as [`crate::strace::killing`].
    pub runner: Vec<OsString>,
}

/// What a start came to that a kill may have ended.
#[derive(Debug)]
pub enum Launched {
    /// It says where it listens.
    Serves(Box<Gateway>),
    /// It ended before.
    Ended {
        /// The site remains.
        site: Site,
        /// How it ended.
        status: ExitStatus,
        /// What it had written.
        output: String,
    },
}

/// A gateway process.
#[derive(Debug)]
pub struct Gateway {
    process: Guard,
    lines: Lines,
    client: Client,
    site: Site,
}

impl Gateway {
    /// Starts the program under test as `tidegate serve` on a free port and waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends or stays silent: its output is in the error.
    pub fn start(site: Site) -> Result<Self> {
        Self::start_as(&path()?, &["serve"], site)
    }

    /// Starts the program under test where another one was, so that its clients find it again.
    ///
    /// # Errors
    /// When it ends or stays silent: its output is in the error.
    pub fn start_at(site: Site, address: &str) -> Result<Self> {
        Self::begin(&path()?, &["serve"], site, address)
    }

    /// Starts `program`, with these arguments before those that name the site, on a free port of the loopback. A
    /// `demo` makes its own configuration.
    ///
    /// # Errors
    /// When it ends or stays silent: its output is in the error.
    pub fn start_as(program: &Path, arguments: &[&str], site: Site) -> Result<Self> {
        Self::begin(program, arguments, site, ANY_PORT)
    }

    fn begin(program: &Path, arguments: &[&str], site: Site, listen: &str) -> Result<Self> {
        let mut command = command(program)?;
        command.args(arguments);
        let (process, lines) = spawn(&mut command, arguments.first() == Some(&"demo"), listen, &site)?;
        let address =
            lines.first(START_DEADLINE, address_in).with_context(|| format!("no address; output:\n{lines}"))?;
        Ok(Self { process, lines, client: Client::new(address), site })
    }

    /// Starts the program under test as [`start`](Self::start) does, but in another way; it may end before it listens.
    ///
    /// # Errors
    /// When it cannot be started, or is silent.
    pub fn launch(site: Site, launch: &Launch) -> Result<Launched> {
        let program = path()?;
        let mut command = match launch.runner.split_first() {
            Some((runner, arguments)) => {
                let mut command = Command::new(runner);
                command.args(arguments).arg(&program);
                command
            }
            None => command(&program)?,
        };
        command.arg("serve").envs(launch.environment.iter().map(|(name, value)| (name, value)));
        let (mut process, lines) = spawn(&mut command, false, ANY_PORT, &site)?;
        match lines.first(START_DEADLINE, address_in) {
            Ok(address) => Ok(Launched::Serves(Box::new(Self { process, lines, client: Client::new(address), site }))),
            Err(error) => {
                let ended = eventually("the gateway ends", STOP_DEADLINE, || Ok(process.0.try_wait()?));
                let status = ended.with_context(|| format!("{error:#}; output:\n{lines}"))?;
                Ok(Launched::Ended { site, status, output: lines.to_string() })
            }
        }
    }

    /// Whether its process has ended.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.process.0.try_wait()?.is_some())
    }

    /// kill -9, unless it has ended by itself.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_now(&mut self) -> Result<()> {
        if !self.has_ended()? {
            self.process.0.kill()?;
            self.process.0.wait()?;
        }
        Ok(())
    }

    /// The same; the site remains.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn end(mut self) -> Result<Site> {
        self.kill_now()?;
        Ok(self.site)
    }

    /// Requests to this gateway.
    pub fn client(&self) -> Client {
        self.client
    }

    /// Where its MQTT endpoint listens: a demo has one, any other gateway when its site is so configured.
    ///
    /// # Errors
    /// When it does not say so.
    pub fn mqtt(&self) -> Result<SocketAddr> {
        let in_line = |line: &str| line.contains("listening for MQTT").then(|| address_in(line)).flatten();
        self.lines.first(START_DEADLINE, in_line)
    }

    /// The site it runs on.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        self.lines.to_string()
    }

    /// How much it has written so far, in bytes.
    pub fn written_bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// kill -9: it gets no chance to write or close anything. The site remains.
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub fn kill(mut self) -> Result<Site> {
        ensure!(self.process.0.try_wait()?.is_none(), "the gateway had ended:\n{}", self.lines);
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(self.site)
    }

    /// Asks it to end (SIGTERM) and waits until it has. The site remains.
    ///
    /// # Errors
    /// When it does not within the deadline.
    pub fn stop(mut self) -> Result<(ExitStatus, Site)> {
        let status = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status()?;
        ensure!(status.success(), "there is no process {}", self.id());
        let status = eventually("the gateway ends", STOP_DEADLINE, || Ok(self.process.0.try_wait()?))
            .with_context(|| format!("output:\n{}", self.lines))?;
        Ok((status, self.site))
    }
}

/// Starts the process of a gateway of this site; a demo makes its own configuration.
fn spawn(command: &mut Command, demo: bool, listen: &str, site: &Site) -> Result<(Guard, Lines)> {
    command.args(["--listen", listen]);
    if demo {
        command.args(["--mqtt-listen", ANY_PORT]);
    } else {
        command.arg("--config").arg(site.config());
    }
    command.arg("--data-dir").arg(site.data_dir()).arg("--handlers").arg(site.handlers());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = Lines::of(&mut child);
    Ok((Guard(child), lines))
}

/// Runs the program to its end, e.g. `check --config F`.
///
/// # Errors
/// When it cannot be started.
pub fn run(arguments: &[&str]) -> Result<Output> {
    Ok(program()?.args(arguments).stdin(Stdio::null()).output()?)
}

/// The program under test, to be given arguments, a folder and an environment.
///
/// # Errors
/// When it was not built.
pub fn program() -> Result<Command> {
    command(&path()?)
}

fn command(program: &Path) -> Result<Command> {
    ensure!(program.is_file(), "{} is missing: `cargo xtask test` and `cargo xtask bench` build it", program.display());
    let mut command = Command::new(program);
    command.env_remove("NOTIFY_SOCKET");
    Ok(command)
}

/// The program under test: beside this test's folder, under the name that tests/Cargo.toml gives it.
fn path() -> Result<PathBuf> {
    Ok(profile_folder()?.join("tidegate-under-test"))
}

/// Where cargo puts the programs of this build: this test or bench lies in its folder `deps`.
///
/// # Errors
/// When this program does not know where it lies.
pub fn profile_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).with_context(|| format!("where is {}?", program.display()))?;
    Ok(folder.to_path_buf())
}

/// The first `127.0.0.1:PORT` of a line, whatever stands around it: text, JSON, a URL.
fn address_in(line: &str) -> Option<SocketAddr> {
    const LOOPBACK: &str = "127.0.0.1:";
    let from = line.find(LOOPBACK)?;
    let digits = from + LOOPBACK.len();
    let end = line[digits..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| digits + length);
    line[from..end].parse().ok().filter(|address: &SocketAddr| address.port() != 0)
}
