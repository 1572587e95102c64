//! `cargo xtask handlers`: every handler of the project as a component in `target/handlers/`.

use std::path::PathBuf;

use anyhow::Result;
use handler_build::BuildRequest;

use crate::{setup::rust, step, workspace};

/// A package that compiles to a handler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest {
    /// Name of the package.
    pub(crate) package: &'static str,
    /// Its folder in the checkout.
    pub(crate) folder: &'static str,
}

/// All of them; `laboratory` misbehaves on request, for tests and benches.
pub(crate) const GUESTS: [Guest; 6] = [
    Guest { package: "bme280", folder: "handlers/bme280" },
    Guest { package: "button", folder: "handlers/button" },
    Guest { package: "host-monitor", folder: "handlers/host-monitor" },
    Guest { package: "led", folder: "handlers/led" },
    Guest { package: "relay", folder: "handlers/relay" },
    Guest { package: "laboratory", folder: "tests/guests/laboratory" },
];

/// Builds all handlers; returns the folder in which they lie.
///
/// # Errors
/// When the handlers' target cannot be added, or one does not compile.
pub(crate) fn build() -> Result<PathBuf> {
    rust::handler_target()?;
    let folder = workspace::handlers();
    let names = GUESTS.map(|guest| guest.package).join(", ");
    step::step(&format!("building the handlers {names}"), || {
        for guest in GUESTS {
            let request = BuildRequest {
                out_dir: Some(folder.clone()),
                target_dir: Some(workspace::target()),
                ..BuildRequest::of_crate(workspace::root().join(guest.folder))
            };
            handler_build::build(&request)?;
        }
        Ok(())
    })?;
    Ok(folder)
}
