//! System calls that fail, or kill, at will (strace(1), fault injection): what no file permission and no full disk does so
//! exactly.
//!
//! Where tracing is not permitted (a container without `CAP_SYS_PTRACE`, a strict Yama) nothing of this can be shown. Who
//! runs the tests has to say so, by the variable [`NOT_PERMITTED`], as `cargo xtask test` does on its console.

use std::{
    env,
    ffi::OsString,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::NamedTempFile;

use crate::{eventually, guard::Guard, lines::Lines};

/// Set by who runs the tests, where tracing is not permitted and a person was told so.
pub const NOT_PERMITTED: &str = "TIDEGATE_NO_STRACE";
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether calls can be traced. `false` only where [`NOT_PERMITTED`] says that this is known.
///
/// # Errors
/// When they cannot, and nobody has said so: a test that shows nothing must not pass in silence.
pub fn is_permitted() -> Result<bool> {
    let traced = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let reason = match traced {
        Ok(output) if output.status.success() => return Ok(true),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("{error}; `cargo xtask test` installs it"),
    };
    if env::var_os(NOT_PERMITTED).is_some() {
        return Ok(false);
    }
    bail!("system calls cannot be traced here: {reason}\nset {NOT_PERMITTED} to leave out what needs it")
}

/// What runs a program until one of its threads makes one of these calls for the n-th time: then the program is killed
/// before the call is carried out. The program keeps the process id; the tracer is its child. (Not with `--seccomp-bpf`:
/// strace 6.1 injects no signal then.)
pub fn killing(calls: &str, n: u32) -> Vec<OsString> {
    let arguments = ["-D", "-f", "-qq", "-o", "/dev/null", "-e"];
    let mut runner: Vec<OsString> = vec!["strace".into()];
    runner.extend(arguments.map(OsString::from));
    runner.extend(
        [format!("trace={calls}"), "-e".into(), format!("inject={calls}:signal=SIGKILL:when={n}")].map(OsString::from),
    );
    runner
}

/// Calls of a running process that fail as long as this is held.
#[derive(Debug)]
pub struct Failing(Tracer);

impl Failing {
    /// Lets these calls (`fdatasync,pwrite64`) of a process fail with an error (`ENOSPC`), until [`end`](Self::end).
    ///
    /// # Errors
    /// When the process cannot be traced.
    pub fn begin(process: u32, calls: &str, error: &str) -> Result<Self> {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
        Tracer::attach(process, &["-o", "/dev/null", "-e", &trace, "-e", &inject]).map(Self)
    }

    /// The calls work again.
    ///
    /// # Errors
    /// When the tracer does not let go.
    pub fn end(self) -> Result<()> {
        self.0.end()
    }
}

/// Calls of a running process that are written down.
#[derive(Debug)]
pub struct Recording {
    tracer: Tracer,
    lines: NamedTempFile,
}

impl Recording {
    /// Writes down these calls, with the paths of their files, until [`end`](Self::end).
    ///
    /// # Errors
    /// When the process cannot be traced.
    pub fn begin(process: u32, calls: &str) -> Result<Self> {
        let lines = NamedTempFile::new()?;
        let (path, trace) = (lines.path().to_string_lossy().into_owned(), format!("trace={calls}"));
        Ok(Self { tracer: Tracer::attach(process, &["-y", "-o", &path, "-e", &trace])?, lines })
    }

    /// The calls, in the order in which they were done.
    ///
    /// # Errors
    /// When the tracer does not let go.
    pub fn end(self) -> Result<Vec<String>> {
        self.tracer.end()?;
        Ok(fs::read_to_string(self.lines.path())?.lines().map(str::to_owned).collect())
    }
}

/// A tracer that is attached to a process.
#[derive(Debug)]
struct Tracer(Guard);

impl Tracer {
    fn attach(process: u32, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-p"]).arg(process.to_string()).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = Lines::of(&mut child);
        let tracer = Self(Guard(child));
        let attached = |line: &str| line.contains("attached").then_some(());
        lines.first(DEADLINE, attached).with_context(|| format!("strace does not attach:\n{lines}"))?;
        Ok(tracer)
    }

    fn end(mut self) -> Result<()> {
        let status = Command::new("kill").arg("-INT").arg(self.0.0.id().to_string()).status()?;
        ensure!(status.success(), "the tracer had ended");
        eventually("the tracer lets go", DEADLINE, || Ok(self.0.0.try_wait()?)).map(drop)
    }
}
