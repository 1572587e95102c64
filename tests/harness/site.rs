//! One gateway's files in a temporary folder: configuration, declarations, data. Gone when it is dropped.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{Gateway, gateway, handlers};

/// The relay of the simulated board, with the grant it needs.
pub const RELAY: &str = r#"
handler = "relay"
[grants.coil]
kind = "gpio"
chip = "board:gpio"
line = 17
direction = "output"
fail-safe = false
"#;

/// This machine, watched by its own load average and memory alone (they are there on every Linux).
pub const HOST_MONITOR: &str = r#"
handler = "host-monitor"
[grants.loadavg]
kind = "sysfs"
path = "/proc/loadavg"
[grants.meminfo]
kind = "sysfs"
path = "/proc/meminfo"
[grants.uptime]
kind = "sysfs"
path = "/proc/uptime"
[grants.disk]
kind = "sysfs"
path = "/"
"#;

/// The climate sensor of the simulated board, sampled five times a second.
pub const CLIMATE: &str = r#"
handler = "bme280"
[grants.sensor]
kind = "i2c"
bus = "board:i2c-1"
address = 0x76
write-registers = [0xE0, 0xF2, 0xF4, 0xF5]
[settings]
samplingInterval = 200
"#;

/// The button of the simulated board; a press lasts 10 ms at least.
pub const BUTTON: &str = r#"
handler = "button"
[grants.button]
kind = "gpio"
chip = "board:gpio"
line = 22
direction = "input"
active-low = true
debounce-ms = 10
"#;

/// The LED of the simulated board.
pub const LED: &str = r#"
handler = "led"
[grants.lamp]
kind = "pwm"
chip = "board:pwm-0"
channel = 0
frequency-hz = 1000
fail-safe = 0
"#;

/// The handler that misbehaves on request.
pub const LABORATORY: &str = "handler = \"laboratory\"\n";

/// A gateway's folder.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    handlers: PathBuf,
}

impl Site {
    /// A site with the simulated board, without Things, with all handlers of the project at hand.
    ///
    /// # Errors
    /// When the folder cannot be written or a handler does not compile.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("tidegate-")?;
        fs::create_dir(folder.path().join("things.d"))?;
        let site = Self { folder, handlers: handlers::folder()? };
        site.configure("[board]\nsimulated = true\n")?;
        Ok(site)
    }

    /// Writes the gateway's own configuration.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, text: &str) -> Result<&Self> {
        fs::write(self.config(), text)?;
        Ok(self)
    }

    /// Declares a Thing: writes `things.d/NAME.toml`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn thing(&self, name: &str, declaration: &str) -> Result<&Self> {
        fs::write(self.declaration(name), declaration)?;
        Ok(self)
    }

    /// Where the declaration of a Thing lies.
    pub fn declaration(&self, name: &str) -> PathBuf {
        self.path().join("things.d").join(name).with_extension("toml")
    }

    /// Makes a token for this site's gateway, as people do.
    ///
    /// # Errors
    /// When it cannot be made: what was said is in the error.
    pub fn new_token(&self) -> Result<String> {
        Ok(self.token_command(&["new"])?.trim().to_owned())
    }

    /// `tidegate token` with these arguments, for this site: what it printed.
    ///
    /// # Errors
    /// When it fails: what was said is in the error.
    pub fn token_command(&self, arguments: &[&str]) -> Result<String> {
        let (config, data_dir) = (self.config(), self.data_dir());
        let place =
            ["--config", &config.to_string_lossy(), "--data-dir", &data_dir.to_string_lossy()].map(str::to_owned);
        let words: Vec<&str> =
            ["token"].iter().chain(arguments).copied().chain(place.iter().map(String::as_str)).collect();
        let output = gateway::run(&words)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{words:?} failed: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Takes handlers from a folder of this site, empty at first, instead of the project's own.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn own_handlers(&mut self) -> Result<&Path> {
        self.handlers = self.path().join("handlers");
        fs::create_dir_all(&self.handlers)?;
        Ok(&self.handlers)
    }

    /// Starts the gateway of this site and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(self) -> Result<Gateway> {
        Gateway::start(self)
    }

    /// The site's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The gateway's configuration file.
    pub fn config(&self) -> PathBuf {
        self.path().join("tidegate.toml")
    }

    /// Where the gateway keeps what must last.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Where the gateway finds handlers.
    pub fn handlers(&self) -> &Path {
        &self.handlers
    }
}
