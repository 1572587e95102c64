//! The grant of one file of sysfs or procfs, or of the space of one file system.

use serde::{Deserialize, Serialize};

/// One file below `/sys` or `/proc`, or any path whose file system's space may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SysfsGrant {
    /// An absolute path without `.`, `..` and empty parts. Below `/sys` or `/proc` the file may be read; anywhere else
    /// only the space of its file system may be asked for. Processes (`/proc/self`, `/proc/1`) are no devices.
    pub path: String,
    /// Whether the file may be written: below `/sys` and `/proc/sys` only.
    #[serde(default)]
    pub write: bool,
    /// The most operations per second; absent: no limit.
    #[serde(default)]
    pub hz_max: Option<u32>,
    /// Whether other Things with a shared grant may write this file too. Reading needs no sharing.
    #[serde(default)]
    pub shared: bool,
}

impl SysfsGrant {
    /// Whether the grant allows no more than asking for the space of the file system.
    pub(crate) fn is_space_only(&self) -> bool {
        !below(&self.path, "/sys") && !below(&self.path, "/proc")
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let bad = |why: &str| Err(format!("path = {:?}: {why}", self.path));
        let Some(rest) = self.path.strip_prefix('/') else { return bad("an absolute path") };
        if self.path.len() > 1024 || self.path.contains('\0') {
            return bad("at most 1024 bytes, none of them 0");
        }
        if !rest.is_empty() && rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return bad("no \".\", \"..\" or empty parts");
        }
        let process = self.path.strip_prefix("/proc/").and_then(|rest| rest.split('/').next());
        if process.is_some_and(|part| {
            matches!(part, "self" | "thread-self" | "kcore" | "kmsg") || part.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return bad("a process or the kernel's memory is no device");
        }
        if self.write && !below(&self.path, "/sys") && !below(&self.path, "/proc/sys") {
            return bad("only files below /sys and /proc/sys can be written");
        }
        Ok(())
    }
}

/// Whether `path` lies below the folder `root`.
pub(crate) fn below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}
