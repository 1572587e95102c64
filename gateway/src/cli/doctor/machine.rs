//! The machine under the gateway: the data directory, the clock, the user.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Findings, running::Running, serve};
use crate::store::{Glance, StoreError};

/// With less free space durable writes will soon be refused.
const FREE_FEW: u64 = 200 << 20;
const FREE_NONE: u64 = 16 << 20;
/// No clock that is set shows an earlier time: 2026-01-01.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// The data directory can be written, has room, and holds a store that would open; one that a running gateway holds is left
/// alone.
pub(super) fn store(folder: &Path, running: &Running, findings: &mut Findings) {
    const CHECK: &str = "store";
    let shown = folder.display();
    if !folder.exists() {
        let parent = folder.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
        match rustix::fs::access(parent, rustix::fs::Access::WRITE_OK) {
            Ok(()) => findings.ok(CHECK, format!("{shown} is not there yet: the first start makes it")),
            Err(error) => {
                let todo = "make it for the gateway's user, or choose another place with `data-dir` or --data-dir";
                findings.fail(CHECK, format!("{shown} is not there, and this user cannot make it: {error}"), todo);
            }
        }
        return;
    }
    let rights = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    if let Err(error) = rustix::fs::access(folder, rights) {
        let todo = "run the doctor as the gateway's user (`sudo -u USER tidegate doctor`), or give it the folder";
        return findings.fail(CHECK, format!("{shown} cannot be used by this user: {error}"), todo);
    }
    space(folder, findings);
    match Glance::at(folder) {
        Ok(None) => findings.ok(CHECK, format!("{shown} holds nothing yet")),
        Ok(Some(_)) => findings.ok(CHECK, format!("{shown} is sound, and no gateway holds it")),
        Err(StoreError::InUse { holder }) if running.answers => {
            findings.ok(CHECK, format!("{shown} is held by the gateway that runs ({holder}): its health counts"));
        }
        Err(StoreError::InUse { holder }) => {
            let what = format!("{shown} is held by another gateway ({holder}), which does not answer at this address");
            findings.warn(CHECK, what, "name it with `--gateway URL`, or stop it");
        }
        Err(error) => findings.fail(CHECK, format!("{shown}: {}", error.reason()), serve::store_hint(&error)),
    }
}

fn space(folder: &Path, findings: &mut Findings) {
    const CHECK: &str = "disk";
    let Ok(about) = rustix::fs::statvfs(folder) else { return };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let what = format!("{} MB are free for {}", free / 1_000_000, folder.display());
    match free {
        free if free < FREE_NONE => findings.fail(CHECK, what, "make room: settings and state cannot be kept"),
        free if free < FREE_FEW => findings.warn(CHECK, what, "make room before settings and state cannot be kept"),
        _ => findings.ok(CHECK, what),
    }
}

/// Readings carry the time of day: it is set, and something keeps it right.
pub(super) fn clock(root: &Path, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let now = SystemTime::now();
    let shown = crate::utc::Rfc3339(now);
    if now.duration_since(UNIX_EPOCH).unwrap_or_default() < EARLIEST {
        return findings.fail(CHECK, format!("it says {shown}: it is not set"), "sudo timedatectl set-ntp true");
    }
    // systemd-timesyncd leaves its mark when it has synchronized; chrony and ntpsec a folder or a drift file.
    let marks =
        ["run/systemd/timesync/synchronized", "run/chrony", "var/lib/ntpsec/ntp.drift", "var/lib/ntp/ntp.drift"];
    match marks.iter().any(|mark| root.join(mark).exists()) {
        true => findings.ok(CHECK, format!("it says {shown}, and is kept right by a time server")),
        false => findings.warn(
            CHECK,
            format!("it says {shown}; nothing shows that a time server keeps it right"),
            "`timedatectl` shows it, `sudo timedatectl set-ntp true` switches it on",
        ),
    }
}

/// Rights that were found are those of this user.
pub(super) fn user(findings: &mut Findings) {
    if rustix::process::getuid().is_root() {
        let todo = "run the doctor as the user that runs the gateway, to see its rights";
        findings.warn(
            "user",
            "this is root, who may everything: missing rights of the gateway's user are not seen",
            todo,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_store_is_looked_at_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let verdicts = |folder: &Path| {
            let mut findings = Findings::default();
            store(folder, &Running::default(), &mut findings);
            findings.0.iter().filter(|found| found.check == "store").map(|found| found.verdict).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&folder.path().join("new")), [Verdict::Ok]);
        assert_eq!(verdicts(folder.path()), [Verdict::Ok]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(Store::open(folder.path()).unwrap());
        assert_eq!(verdicts(folder.path()), [Verdict::Ok]);
        let held = Store::open(folder.path()).unwrap();
        assert_eq!(verdicts(folder.path()), [Verdict::Warn]);
        drop(held);
        std::fs::write(folder.path().join("state.redb"), "broken").unwrap();
        assert_eq!(verdicts(folder.path()), [Verdict::Fail]);
    }

    #[test]
    fn a_clock_that_a_server_keeps_is_right() {
        let root = tempfile::tempdir().unwrap();
        let verdict = || {
            let mut findings = Findings::default();
            clock(root.path(), &mut findings);
            findings.0[0].verdict
        };
        assert_eq!(verdict(), Verdict::Warn);
        std::fs::create_dir_all(root.path().join("run/chrony")).unwrap();
        assert_eq!(verdict(), Verdict::Ok);
    }
}
