//! What a configuration may use on this machine, and what stands in the way, each with the command that removes it.
//!
//! It looks at names and rights, and asks GPIO chips for their lines; no bus is used, no line is taken.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::Access;
use serde::Serialize;

use super::report::{list, machine_model};
use crate::grant::{GrantKind, PI, header_or};

/// The most lines of one chip that are listed.
const LINES_MAX: u32 = 512;
/// Longest /etc/group that is read.
const GROUPS_BYTES_MAX: u64 = 1 << 20;

/// What a machine has for grants.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// The model of the machine.
    pub model: String,
    /// Whether `chip = "pi"` can be used.
    pub is_raspberry_pi: bool,
    /// One entry per kind of device.
    pub kinds: Vec<KindSurvey>,
}

/// All devices of one kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindSurvey {
    /// The kind, as grants name it.
    pub kind: GrantKind,
    /// What was found, by path.
    pub devices: Vec<DeviceSurvey>,
    /// Why there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<Obstacle>,
}

/// One device.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSurvey {
    /// Its path.
    pub path: String,
    /// What the kernel calls it, where it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How a grant names it, as TOML.
    pub grant: String,
    /// Why it cannot be used; absent: it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// Lines of a GPIO chip that may be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineSurvey>,
}

/// One line of a GPIO chip.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineSurvey {
    /// Its offset on the chip.
    pub line: u32,
    /// Its name; may be empty.
    pub name: String,
    /// Who holds it; absent: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Obstacle {
    /// What it is.
    pub what: String,
    /// What to type, or to do.
    pub remedy: String,
}

impl Obstacle {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Where devices of one kind lie, and whose they usually are.
struct Place {
    kind: GrantKind,
    folder: &'static str,
    prefix: &'static str,
    /// The file whose rights decide, below the device.
    file: &'static str,
    group: &'static str,
    subsystem: &'static str,
}

const PLACES: [Place; 4] = [
    Place { kind: GrantKind::I2c, folder: "dev", prefix: "i2c-", file: "", group: "i2c", subsystem: "i2c-dev" },
    Place { kind: GrantKind::Spi, folder: "dev", prefix: "spidev", file: "", group: "spi", subsystem: "spidev" },
    Place { kind: GrantKind::Gpio, folder: "dev", prefix: "gpiochip", file: "", group: "gpio", subsystem: "gpio" },
    Place {
        kind: GrantKind::Pwm,
        folder: "sys/class/pwm",
        prefix: "pwmchip",
        file: "export",
        group: "gpio",
        subsystem: "pwm",
    },
];

/// Looks at this machine, with the rights of this process.
#[must_use]
pub fn survey() -> Survey {
    let pi = rppal::system::DeviceInfo::new().ok();
    let model = pi.as_ref().map_or_else(machine_model, |pi| pi.model().to_string());
    survey_of(Path::new("/"), model, pi.is_some())
}

/// Why a device cannot be used by this process, if it cannot; `path` as a grant names it.
#[must_use]
pub fn obstacle(kind: GrantKind, path: &str) -> Option<Obstacle> {
    let place = PLACES.iter().find(|place| place.kind == kind)?;
    // `pi` is the header of a Raspberry Pi, whose chip has no fixed name.
    if path == PI {
        let found = survey();
        let kind = found.kinds.into_iter().find(|surveyed| surveyed.kind == kind)?;
        let usable = kind.devices.iter().any(|device| device.obstacle.is_none());
        return match found.is_raspberry_pi {
            false => Some(Obstacle::new("this machine is no Raspberry Pi", "name the chip by its path")),
            true if usable => None,
            true => kind.absent.or_else(|| kind.devices.into_iter().find_map(|device| device.obstacle)),
        };
    }
    let path = Path::new(path);
    match path.exists() {
        true => in_the_way(Path::new("/"), place, path),
        false => Some(Obstacle::new(
            format!("{} is not there", path.display()),
            "`tidegate hardware` shows what this machine has, and how to switch on what it has not",
        )),
    }
}

fn survey_of(root: &Path, model: String, is_raspberry_pi: bool) -> Survey {
    let kinds = PLACES.iter().map(|place| {
        let folder = root.join(place.folder);
        let devices: Vec<_> = list(&folder, place.prefix)
            .into_iter()
            .map(|device| {
                let obstacle = in_the_way(root, place, Path::new(&device.path));
                let asked = place.kind == GrantKind::Gpio && obstacle.is_none();
                let lines = if asked { lines(&device.path) } else { Vec::new() };
                DeviceSurvey {
                    grant: grant(place, &device.path),
                    obstacle,
                    lines,
                    path: device.path,
                    name: device.name,
                }
            })
            .collect();
        let absent = devices.is_empty().then(|| absent(root, place.kind, is_raspberry_pi));
        KindSurvey { kind: place.kind, devices, absent }
    });
    Survey { model, is_raspberry_pi, kinds: kinds.collect() }
}

fn grant(place: &Place, path: &str) -> String {
    match place.kind {
        GrantKind::I2c | GrantKind::Spi => format!("bus = \"{path}\""),
        GrantKind::Gpio => format!("chip = \"{}\"", header_or(path.to_owned())),
        GrantKind::Pwm | GrantKind::Sysfs => format!("chip = \"{path}\""),
    }
}

/// What keeps this process from a device that is there.
fn in_the_way(root: &Path, place: &Place, device: &Path) -> Option<Obstacle> {
    let file = if place.file.is_empty() { device.to_owned() } else { device.join(place.file) };
    let wanted = if place.file.is_empty() { Access::READ_OK | Access::WRITE_OK } else { Access::WRITE_OK };
    rustix::fs::access(&file, wanted).err()?;
    let Ok(about) = std::fs::metadata(&file) else {
        return Some(Obstacle::new(format!("{} cannot be looked at", file.display()), "run it as another user"));
    };
    let groups = Groups::of(root);
    let own = rustix::process::getgroups().unwrap_or_default();
    let own = own.iter().any(|group| group.as_raw() == about.gid());
    Some(missing_right(place, about.gid(), about.mode(), &groups, own))
}

/// Which right is missing. `own`: this process is in the file's group.
fn missing_right(place: &Place, gid: u32, mode: u32, groups: &Groups, own: bool) -> Obstacle {
    let Place { group, subsystem, .. } = place;
    let name = groups.name(gid).unwrap_or_else(|| gid.to_string());
    if gid == 0 || mode & 0o060 != 0o060 || own {
        let rule = format!("SUBSYSTEM==\"{subsystem}\", GROUP=\"{group}\", MODE=\"0660\"");
        return Obstacle::new(
            "it belongs to root alone",
            format!(
                "sudo groupadd -f {group}; echo '{rule}' | sudo tee /etc/udev/rules.d/60-{group}.rules; sudo udevadm \
                 control --reload; sudo udevadm trigger; sudo usermod -aG {group} \"$USER\"; then sign in anew"
            ),
        );
    }
    if groups.has(&name, &user()) {
        let what = format!("you were added to the group {name} after you had signed in");
        return Obstacle::new(what, format!("sign in anew, or `newgrp {name}` for this shell"));
    }
    Obstacle::new(
        format!("you are not in the group {name}"),
        format!(
            "sudo usermod -aG {name} \"$USER\"; then sign in anew (a systemd unit names it in SupplementaryGroups=)"
        ),
    )
}

fn user() -> String {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default()
}

/// Why there is no device of this kind.
fn absent(root: &Path, kind: GrantKind, is_raspberry_pi: bool) -> Obstacle {
    let adapters = !list(&root.join("sys/bus/i2c/devices"), "i2c-").is_empty();
    match (kind, is_raspberry_pi) {
        (GrantKind::I2c, _) if adapters => Obstacle::new(
            "the kernel's module i2c-dev is not loaded",
            "sudo modprobe i2c-dev; echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf",
        ),
        (GrantKind::I2c, true) => {
            Obstacle::new("I2C is switched off (dtparam=i2c_arm)", "sudo raspi-config nonint do_i2c 0")
        }
        (GrantKind::Spi, true) => {
            Obstacle::new("SPI is switched off (dtparam=spi)", "sudo raspi-config nonint do_spi 0; sudo reboot")
        }
        (GrantKind::Pwm, true) => Obstacle::new(
            "PWM is switched off (dtoverlay=pwm)",
            "echo dtoverlay=pwm | sudo tee -a /boot/firmware/config.txt; sudo reboot",
        ),
        (GrantKind::Gpio, true) => Obstacle::new("the kernel shows no GPIO chip", "sudo apt full-upgrade; sudo reboot"),
        _ => Obstacle::new(
            "this machine shows none",
            "its device tree or firmware switches it on, where it has one; `[board] simulated = true` shows one without",
        ),
    }
}

/// The lines of a chip that answers.
fn lines(path: &str) -> Vec<LineSurvey> {
    let Ok(chip) = gpiocdev::Chip::from_path(path) else { return Vec::new() };
    let count = chip.info().map(|found| found.num_lines.min(LINES_MAX)).unwrap_or(0);
    let line = |line: u32| {
        let found = chip.line_info(line).ok()?;
        let consumer = found.used.then_some(found.consumer);
        Some(LineSurvey { line, name: found.name, consumer })
    };
    (0..count).filter_map(line).collect()
}

/// /etc/group.
struct Groups(String);

impl Groups {
    fn of(root: &Path) -> Self {
        let file: PathBuf = root.join("etc/group");
        let small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= GROUPS_BYTES_MAX);
        Self(if small { std::fs::read_to_string(file).unwrap_or_default() } else { String::new() })
    }

    /// Name, number and members of each.
    fn entries(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.lines().filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?, fields.nth(1)?, fields.next().unwrap_or_default()))
        })
    }

    fn name(&self, gid: u32) -> Option<String> {
        self.entries().find(|(_, number, _)| number.parse() == Ok(gid)).map(|(name, ..)| name.to_owned())
    }

    fn has(&self, group: &str, user: &str) -> bool {
        let mut members =
            self.entries().filter(|(name, ..)| *name == group).flat_map(|(.., members)| members.split(','));
        !user.is_empty() && members.any(|member| member == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn what_is_there_is_named_as_a_grant_names_it_and_what_is_not_says_how_to_get_it() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path().join("dev/i2c-1"));
        touch(root.path().join("dev/i2c-x"));
        touch(root.path().join("sys/class/pwm/pwmchip0/export"));
        let survey = survey_of(root.path(), "a Pi".to_owned(), true);
        let kind = |kind: GrantKind| survey.kinds.iter().find(|surveyed| surveyed.kind == kind).unwrap();
        let i2c = kind(GrantKind::I2c);
        assert_eq!(i2c.devices.len(), 1);
        assert!(i2c.devices[0].grant.starts_with("bus = \"") && i2c.devices[0].obstacle.is_none(), "{i2c:?}");
        assert_eq!(kind(GrantKind::Pwm).devices.len(), 1);
        let spi = kind(GrantKind::Spi).absent.as_ref().unwrap();
        assert!(spi.remedy.contains("do_spi 0"), "{spi:?}");
        let none = survey_of(root.path(), "a PC".to_owned(), false);
        assert!(none.kinds[1].absent.as_ref().unwrap().remedy.contains("simulated"));
    }

    #[test]
    fn a_bus_whose_module_is_not_loaded_is_told_apart_from_one_that_is_off() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path().join("sys/bus/i2c/devices/i2c-1"));
        assert!(absent(root.path(), GrantKind::I2c, true).remedy.contains("modprobe i2c-dev"));
        assert!(absent(Path::new("/nowhere"), GrantKind::I2c, true).remedy.contains("do_i2c 0"));
    }

    #[test]
    fn the_missing_right_is_named_with_its_command() {
        let groups = Groups("root:x:0:\ni2c:x:998:pi,anna\n".to_owned());
        let place = &PLACES[0];
        assert!(groups.has("i2c", "anna") && !groups.has("i2c", "ann") && !groups.has("i2c", ""));
        let member = missing_right(place, 998, 0o660, &Groups("i2c:x:998:\n".to_owned()), false);
        assert!(
            member.what.contains("not in the group i2c") && member.remedy.contains("usermod -aG i2c"),
            "{member:?}"
        );
        let root = missing_right(place, 0, 0o600, &groups, false);
        assert!(root.remedy.contains("SUBSYSTEM==\"i2c-dev\"") && root.remedy.contains("60-i2c.rules"), "{root:?}");
        let unreadable = missing_right(place, 998, 0o600, &groups, true);
        assert!(unreadable.remedy.contains("MODE=\"0660\""), "{unreadable:?}");
    }

    #[test]
    fn a_device_that_is_not_there_is_said_so() {
        let found = obstacle(GrantKind::I2c, "/dev/i2c-no").unwrap();
        assert!(found.what.contains("/dev/i2c-no") && found.remedy.contains("tidegate hardware"), "{found:?}");
    }
}
