//! Whether system calls may be traced on this machine: tests that let them fail or kill need it.

use std::process::Command;

use crate::step::{self, say};

/// What the tests take for "a person was told" (`tests::strace`).
const NOT_PERMITTED: &str = "TIDEGATE_NO_STRACE";

/// Tries it. Where it is not permitted, says so, lets `runner` leave out what needs it, and returns the line to say again
/// at the end.
pub(crate) fn permits(runner: &mut Command) -> Option<&'static str> {
    if step::first_line("strace", &["-f", "-qq", "-o", "/dev/null", "true"]).is_some() {
        return None;
    }
    const LEFT_OUT: &str = "LEFT OUT: this machine does not permit ptrace, so system calls neither fail nor kill in the \
        tests (tests/it/crash at named steps only, tests/it/disk_full not at all)";
    say(LEFT_OUT);
    runner.env(NOT_PERMITTED, "1");
    Some(LEFT_OUT)
}
