//! What this machine has: model, device nodes, permissions, claims. Lists are bounded; nothing is opened.

use std::path::Path;

use rustix::fs::Access;
use serde::Serialize;

use crate::grant::GrantKind;

/// The most entries of one list.
const LIST_MAX: usize = 64;

/// What this machine has, and who holds what.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HardwareReport {
    /// The model: a Raspberry Pi's, what the device tree or the firmware says, or the architecture.
    pub model: String,
    /// Whether the model is a Raspberry Pi whose header `chip = "pi"` can use.
    pub is_raspberry_pi: bool,
    /// `/dev/i2c-*`.
    pub i2c: Vec<DeviceReport>,
    /// `/dev/spidev*`.
    pub spi: Vec<DeviceReport>,
    /// `/dev/gpiochip*` and, on a Raspberry Pi, `/dev/gpiomem*`.
    pub gpio: Vec<DeviceReport>,
    /// `/sys/class/pwm/pwmchip*`.
    pub pwm: Vec<DeviceReport>,
    /// `/sys/class/thermal/thermal_zone*`.
    pub thermal: Vec<DeviceReport>,
    /// The claims of all Things, oldest first.
    pub claims: Vec<ClaimReport>,
}

/// One device node or sysfs folder.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceReport {
    /// Its path.
    pub path: String,
    /// What the kernel calls it, where it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What stands in the way of using it, with what to do about it; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One claim.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimReport {
    /// Name of the Thing.
    pub thing: String,
    /// Label of its grant.
    pub label: String,
    /// Kind of the device.
    pub kind: GrantKind,
    /// The device: bus and address, chip and line, path.
    pub place: String,
    /// Whether other shared claims may meet this one.
    pub shared: bool,
    /// Transactions so far.
    pub transactions: u64,
    /// Those among them that failed on the bus.
    pub failures: u64,
    /// Microseconds for which they held the bus.
    pub bus_time_us: u64,
}

/// Looks at the machine.
pub(super) fn report(claims: Vec<ClaimReport>) -> HardwareReport {
    let pi = rppal::system::DeviceInfo::new().ok();
    let dev = |prefixes: &[&str], group: &str| {
        let mut found: Vec<_> = prefixes.iter().flat_map(|prefix| list(Path::new("/dev"), prefix)).collect();
        for device in &mut found {
            device.problem = problem(&device.path, group);
        }
        found.truncate(LIST_MAX);
        found
    };
    HardwareReport {
        model: pi.as_ref().map_or_else(machine_model, |pi| pi.model().to_string()),
        is_raspberry_pi: pi.is_some(),
        i2c: dev(&["i2c-"], "i2c"),
        spi: dev(&["spidev"], "spi"),
        gpio: dev(&["gpiochip", "gpiomem"], "gpio"),
        pwm: list(Path::new("/sys/class/pwm"), "pwmchip"),
        thermal: list(Path::new("/sys/class/thermal"), "thermal_zone"),
        claims,
    }
}

/// The model of a machine that is no Raspberry Pi known to rppal.
pub(super) fn machine_model() -> String {
    const NAMES: [&str; 3] =
        ["/proc/device-tree/model", "/sys/class/dmi/id/product_name", "/sys/class/dmi/id/board_name"];
    let name = NAMES.iter().find_map(|path| first_line(Path::new(path)));
    name.unwrap_or_else(|| format!("{} machine", std::env::consts::ARCH))
}

/// The entries of `folder` whose names go on after `prefix` with a digit, sorted by name.
pub(super) fn list(folder: &Path, prefix: &str) -> Vec<DeviceReport> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(digit)))
        .take(4 * LIST_MAX)
        .collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names.truncate(LIST_MAX);
    let device = |name: String| {
        let path = folder.join(&name);
        let name = ["name", "type"].iter().find_map(|file| first_line(&path.join(file)));
        DeviceReport { path: path.to_string_lossy().into_owned(), name, problem: None }
    };
    names.into_iter().map(device).collect()
}

fn digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// The first line of a small text file, without the trailing NUL that the device tree writes.
fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line: String = text.lines().next()?.trim_end_matches('\0').trim().chars().take(128).collect();
    (!line.is_empty()).then_some(line)
}

fn problem(path: &str, group: &str) -> Option<String> {
    let access = rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK);
    access.err().map(|errno| format!("{errno}: add the user to the group {group}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_machine_has_a_model() {
        let report = report(Vec::new());
        assert!(!report.model.is_empty());
        assert!(report.i2c.len() <= LIST_MAX && report.thermal.len() <= LIST_MAX);
    }

    #[test]
    fn names_are_listed_in_order_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for name in (0..100).map(|n| format!("i2c-{n}")).chain(["i2c-x".to_owned(), "other".to_owned()]) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = list(folder.path(), "i2c-");
        assert_eq!(found.len(), LIST_MAX);
        assert!(found[10].path.ends_with("i2c-10"), "{}", found[10].path);
    }
}
