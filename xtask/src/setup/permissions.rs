//! What this machine may not permit and tests need: tracing system calls, file systems of one's own.
//!
//! Where something is not permitted, what needs it is left out, and that is said before the tests and after them.

use std::process::Command;

use crate::step::{self, say};

/// (program, arguments of a first try, the variable by which the tests know that a person was told, what is left out).
const TRIES: [(&str, &[&str], &str, &str); 2] = [
    (
        "strace",
        &["-f", "-qq", "-o", "/dev/null", "true"],
        "TIDEGATE_NO_STRACE",
        "LEFT OUT: no ptrace here, so system calls neither fail nor kill in tests/it/disk_full and tests/it/crash",
    ),
    (
        "unshare",
        &["-r", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
        "TIDEGATE_NO_NAMESPACES",
        "LEFT OUT: no mount namespaces here, so no disk is really full in tests/it/disk_full",
    ),
];

/// Tries all; lets `runner` leave out what is not permitted, and returns the lines to say again at the end.
pub(crate) fn denied(runner: &mut Command) -> Vec<&'static str> {
    let mut left_out = Vec::new();
    for (program, arguments, variable, line) in TRIES {
        if step::first_line(program, arguments).is_none() {
            say(line);
            runner.env(variable, "1");
            left_out.push(line);
        }
    }
    left_out
}
