//! What the Things want of this machine: the files of their handlers, and the devices of their grants.

use std::{fs::File, path::Path};

use things::{Grant, GrantKind, obstacle};

use super::{Failure, Findings, check};
use crate::config::{ConfigFault, Tree};

/// The component of each Thing is there, is a handler, and fits what the Thing is granted and set to.
pub(super) fn handlers(tree: &Tree, folder: &Path, data: &Path, findings: &mut Findings) -> Result<(), Failure> {
    const CHECK: &str = "handlers";
    let examined = check::examine(tree, &[], folder, data)?;
    let has_things = !tree.declarations.is_empty();
    if has_things && examined.faults.is_empty() && examined.doubts.is_empty() {
        findings.ok(CHECK, format!("all are in {}, and fit their Things", folder.display()));
    }
    let said =
        |fault: &ConfigFault| (format!("{}: {}", fault.place(), fault.what), fault.hint.clone().unwrap_or_default());
    for (what, todo) in examined.faults.iter().map(said) {
        findings.fail(CHECK, what, todo);
    }
    for (what, todo) in examined.doubts.iter().map(said) {
        findings.warn(CHECK, what, todo);
    }
    Ok(())
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
