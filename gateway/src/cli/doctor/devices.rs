//! What the Things want of this machine: the files of their handlers, and the devices of their grants.

use std::{fs::File, io::Read as _, path::Path};

use things::{Grant, GrantKind, obstacle};

use super::Findings;
use crate::config::Tree;

/// How a component begins: `\0asm`, version 13, layer 1 (component model, binary format).
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// The component of each Thing is there and looks like one. What the gateway would make of it, `handler inspect` says.
pub(super) fn handlers(tree: &Tree, folder: &Path, findings: &mut Findings) {
    const CHECK: &str = "handlers";
    if !folder.is_dir() {
        let todo = "install them there, or name their folder with `handlers-dir` or --handlers";
        return findings.fail(CHECK, format!("the folder {} is not there", folder.display()), todo);
    }
    let mut names: Vec<&str> = tree.declarations.values().map(|thing| thing.handler.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut sound = true;
    for name in names {
        let file = folder.join(name).with_extension("wasm");
        let mut begin = [0; COMPONENT.len()];
        let read = File::open(&file).and_then(|mut opened| opened.read_exact(&mut begin));
        let (what, todo) = match read {
            Ok(()) if begin == COMPONENT => continue,
            Ok(()) => (
                "is no component".to_owned(),
                "`tidegate build` makes one of a handler's crate; a core module is none".to_owned(),
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                ("is not there".to_owned(), format!("build or copy it to {}", folder.display()))
            }
            Err(error) => {
                (format!("cannot be read: {error}"), "give the gateway's user the right to read it".to_owned())
            }
        };
        sound = false;
        findings.fail(CHECK, format!("{} {what}", file.display()), todo);
    }
    if sound {
        findings.ok(CHECK, format!("all are in {}", folder.display()));
    }
}

/// Each device that is granted is there and may be used.
pub(super) fn grants(tree: &Tree, findings: &mut Findings) {
    const CHECK: &str = "devices";
    let (mut devices, mut simulated, mut sound) = (0, 0, true);
    for (thing, label, grant) in tree
        .declarations
        .values()
        .flat_map(|thing| thing.grants.iter().map(|(label, grant)| (&thing.name, label, grant)))
    {
        if grant.is_simulated() {
            // That there is a board is the configuration's own check.
            simulated += 1;
            continue;
        }
        devices += 1;
        let found = match grant {
            Grant::I2c(grant) => obstacle(GrantKind::I2c, &grant.bus),
            Grant::Spi(grant) => obstacle(GrantKind::Spi, &grant.bus),
            Grant::Gpio(grant) => obstacle(GrantKind::Gpio, &grant.chip),
            Grant::Pwm(grant) => obstacle(GrantKind::Pwm, &grant.chip),
            Grant::Sysfs(grant) => readable(Path::new(&grant.path)),
        };
        if let Some(found) = found {
            sound = false;
            findings.fail(CHECK, format!("{thing}, grant {label}: {}", found.what), found.remedy);
        }
    }
    if sound {
        findings.ok(CHECK, format!("{devices} granted devices are there and may be used, {simulated} are simulated"));
    }
}

fn readable(path: &Path) -> Option<things::Obstacle> {
    let failed = std::fs::metadata(path).and_then(|about| match about.is_dir() {
        // The space of a file system is asked of its folder.
        true => Ok(()),
        false => File::open(path).map(drop),
    });
    failed.err().map(|error| things::Obstacle {
        what: format!("{} cannot be read: {error}", path.display()),
        remedy: "name a file of this machine that the gateway's user may read".to_owned(),
    })
}
