//! Granted files of sysfs and procfs, and the space of file systems.
//!
//! Invariant: what is opened lies below `/sys` or `/proc`, whatever links point elsewhere (`RESOLVE_BENEATH`), and is a
//! regular file, as every attribute is. No read is longer than 64 KiB.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::DeviceError;
use crate::grant::SysfsGrant;
use crate::operation::Space;

/// The longest file that is read whole.
pub(crate) const FILE_BYTES_MAX: usize = 64 * 1024;

/// What to do about a missing permission.
const HINT: &str = "give the user access to this file (a udev rule for /sys)";

/// The files behind one thread; it keeps none of them open, so a device that comes back is found again.
#[derive(Debug)]
pub(crate) struct Files;

impl Files {
    /// Files that may take long wait on a thread of their own: 1-Wire conversions, file systems that hang.
    pub(crate) fn lane(grant: &SysfsGrant) -> &'static str {
        let one_wire = ["/sys/bus/w1/", "/sys/devices/w1_bus_master"];
        if grant.is_space_only() {
            "file systems"
        } else if one_wire.iter().any(|prefix| grant.path.starts_with(prefix)) {
            "1-wire"
        } else {
            "files"
        }
    }
}

/// Reads the file whole.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, DeviceError> {
    let file = open(path, OFlags::RDONLY)?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| DeviceError::from_io(path, error, HINT))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(DeviceError::OutOfRange { what: format!("{path}: longer than {FILE_BYTES_MAX} bytes") });
    }
    Ok(bytes)
}

/// Writes the bytes in one call, as an attribute wants them.
pub(crate) fn write(path: &str, bytes: &[u8]) -> Result<(), DeviceError> {
    let failed = |error| DeviceError::from_io(path, error, HINT);
    let written = open(path, OFlags::WRONLY)?.write(bytes).map_err(failed)?;
    if written == bytes.len() {
        return Ok(());
    }
    Err(failed(std::io::Error::new(std::io::ErrorKind::WriteZero, format!("took {written} of {} bytes", bytes.len()))))
}

/// The size of the file system behind `path`.
pub(crate) fn space(path: &str) -> Result<Space, DeviceError> {
    let stat = rustix::fs::statvfs(path).map_err(|errno| DeviceError::from_io(path, errno.into(), HINT))?;
    Ok(Space { total: stat.f_blocks.saturating_mul(stat.f_frsize), free: stat.f_bavail.saturating_mul(stat.f_frsize) })
}

/// Opens a file below `/sys` or `/proc`.
fn open(path: &str, flags: OFlags) -> Result<File, DeviceError> {
    let (root, rest) = ["/sys/", "/proc/"]
        .into_iter()
        .find_map(|root| Some((root, path.strip_prefix(root)?)))
        .ok_or_else(|| DeviceError::Denied { what: format!("{path}: neither below /sys nor below /proc") })?;
    open_beneath(root, rest, flags).map_err(|error| match error {
        DeviceError::Bus { source, .. } if leads_out(&source) => {
            DeviceError::Denied { what: format!("{path}: leads out of {root}") }
        }
        other => other,
    })
}

/// What `openat2` answers to `..` above the root and to the magic links of a process.
fn leads_out(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::XDEV | Errno::LOOP))
}

/// Opens `rest` below the folder `root`. Links are followed (all of `/sys/class` is links), but not out of `root`.
fn open_beneath(root: &str, rest: &str, flags: OFlags) -> Result<File, DeviceError> {
    let path = format!("{root}{rest}");
    let failed = |errno: Errno| DeviceError::from_io(&path, errno.into(), HINT);
    let folder = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let folder = folder.map_err(failed)?;
    // NONBLOCK: opening must not wait for a device, and a FIFO is refused below rather than waited for.
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(&folder, rest, flags, Mode::empty(), resolve).map_err(failed)?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file).map_err(failed)?.st_mode);
    if kind != FileType::RegularFile {
        return Err(DeviceError::Denied { what: format!("{path}: no regular file but {kind:?}") });
    }
    Ok(File::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_files_are_read() {
        let text = String::from_utf8(read("/proc/meminfo").unwrap()).unwrap();
        assert!(text.starts_with("MemTotal:"), "{text}");
        assert!(!read("/proc/mounts").is_ok_and(|bytes| bytes.is_empty()), "a link within /proc is followed");
    }

    #[test]
    fn a_missing_file_is_no_device() {
        let error = read("/sys/class/thermal/thermal_zone999/temp").unwrap_err();
        assert!(matches!(error, DeviceError::NoDevice { .. }), "{error}");
    }

    #[test]
    fn nothing_leads_out_of_its_root() {
        for path in ["/proc/self/root/etc/hostname", "/proc/../etc/hostname", "/etc/hostname"] {
            let error = read(path).unwrap_err();
            assert!(matches!(error, DeviceError::Denied { .. }), "{path}: {error}");
        }
    }

    #[test]
    fn folders_and_fifos_are_refused() {
        assert!(matches!(read("/sys/class").unwrap_err(), DeviceError::Denied { .. }));
        let folder = tempfile::tempdir().unwrap();
        let root = format!("{}/", folder.path().display());
        rustix::fs::mknodat(CWD, format!("{root}fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = open_beneath(&root, "fifo", OFlags::RDONLY).unwrap_err();
        assert!(matches!(error, DeviceError::Denied { .. }), "{error}");
        std::os::unix::fs::symlink("/etc/passwd", format!("{root}link")).unwrap();
        assert!(open_beneath(&root, "link", OFlags::RDONLY).is_err());
    }

    #[test]
    fn space_has_less_free_than_total() {
        let space = space("/").unwrap();
        assert!(space.total > 0 && space.free <= space.total);
        assert!(matches!(super::space("/no/such/mount").unwrap_err(), DeviceError::NoDevice { .. }));
    }
}
