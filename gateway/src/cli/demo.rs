//! `tidegate demo`: a gateway without a configuration: this machine, and what is wired to the simulated board.
//!
//! The declarations are those of `deploy/demo`, embedded. Nothing is written outside the data directory.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{Exit, Failure, console, serve, token};
use crate::{
    config::{self, Config, ConfigFaults, Tree},
    gateway::Options,
};

const GATEWAY: &str = "title = \"Tidegate demo\"\n[board]\nsimulated = true\n";
const HOST: &str = include_str!("../../../deploy/demo/host.toml");
/// File and text of each Thing on the simulated board.
const ON_THE_BOARD: [(&str, &str); 4] = [
    ("button.toml", include_str!("../../../deploy/demo/button.toml")),
    ("climate.toml", include_str!("../../../deploy/demo/climate.toml")),
    ("led.toml", include_str!("../../../deploy/demo/led.toml")),
    ("relay.toml", include_str!("../../../deploy/demo/relay.toml")),
];
/// Zones, or hwmon chips, that are looked at for a temperature.
const SENSORS_MAX: usize = 16;
/// The handlers folder of this run, for the lines to try: set once, before the gateway starts.
static HANDLERS_DIR: OnceLock<PathBuf> = OnceLock::new();

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Where to listen: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to answer MQTT: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1883")]
    mqtt_listen: SocketAddr,
    /// Where the demo keeps what it must not forget [default: `tidegate-demo` in your data home, ~/.local/share].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the handlers lie [default: as for `serve`].
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
}

pub(super) fn demo(arguments: Demo) -> Result<(), Failure> {
    for listen in [arguments.listen, arguments.mqtt_listen] {
        config::check_listen(listen, false).map_err(|(what, _)| {
            Failure::new(Exit::Usage, what).with_hint("the demo listens on loopback only, such as 127.0.0.1:8080")
        })?;
    }
    let data_dir = match arguments.data_dir {
        Some(folder) => folder,
        None => default_data_dir(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))?,
    };
    let mut tree = tree(Path::new("/sys")).map_err(|faults| serve::faults_failure(&faults))?;
    tree.config.listen = arguments.listen;
    tree.config.mqtt.listen = Some(arguments.mqtt_listen);
    let handlers_dir = arguments.handlers.unwrap_or_else(serve::default_handlers_dir);
    let handlers_dir = HANDLERS_DIR.get_or_init(|| handlers_dir).clone();
    let token_file = token::file_of(&tree.config, &data_dir);
    let tokens = token::tokens(&token_file)?;
    if tokens.is_some() {
        console::note(
            "This demo has a token: the commands below need `-H \"Authorization: Bearer $TOKEN\"`, or `-u x -P \"$TOKEN\"`.",
        );
    }
    serve::run(Options { tree, data_dir, handlers_dir, token_file, tokens, ready: Some(print_what_to_try) })
}

/// The demo's configuration; `sys` is where sysfs is mounted.
fn tree(sys: &Path) -> Result<Tree, ConfigFaults> {
    let temperature = temperature_file(sys)
        .map(|path| format!("\n[grants.temperature]\nkind = \"sysfs\"\npath = {:?}\n", path.display().to_string()));
    let host = format!("{HOST}{}", temperature.unwrap_or_default());
    let mut things = vec![(PathBuf::from("host.toml"), host)];
    things.extend(ON_THE_BOARD.map(|(file, text)| (PathBuf::from(file), text.to_owned())));
    config::parse_tree((Path::new("demo.toml"), GATEWAY), &things)
}

/// The first temperature of this machine: a thermal zone, else a hwmon chip. Both in thousandths of a degree Celsius
/// (kernel documentation: ABI/testing/sysfs-class-thermal, sysfs-class-hwmon).
fn temperature_file(sys: &Path) -> Option<PathBuf> {
    let zones = (0..SENSORS_MAX).map(|n| format!("class/thermal/thermal_zone{n}/temp"));
    let chips = (0..SENSORS_MAX).map(|n| format!("class/hwmon/hwmon{n}/temp1_input"));
    zones.chain(chips).map(|path| sys.join(path)).find(|path| {
        // A zone may be there and yet have no value.
        fs::read_to_string(path).is_ok_and(|text| text.trim().parse::<i64>().is_ok())
    })
}

/// `tidegate-demo` in the user's data home (XDG Base Directory Specification 0.8: relative paths are ignored).
fn default_data_dir(data_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, Failure> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let data_home = data_home.map(PathBuf::from).filter(absolute);
    let home = || home.map(PathBuf::from).filter(absolute).map(|home| home.join(".local/share"));
    data_home.or_else(home).map(|folder| folder.join("tidegate-demo")).ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no home directory to keep the demo's data in")
            .with_hint("choose a place with --data-dir")
    })
}

/// Prints what to try against the gateway that `config` has become; called when it answers.
pub fn print_what_to_try(config: &Config) {
    let handlers_dir = HANDLERS_DIR.get_or_init(serve::default_handlers_dir);
    if let Err(failure) = console::print(what_to_try(config, handlers_dir)) {
        console::report(&failure);
    }
}

fn what_to_try(config: &Config, handlers_dir: &Path) -> String {
    let url = format!("http://{}", config.listen);
    let broker = config.mqtt.listen.map(|mqtt| format!("-h {} -p {}", mqtt.ip(), mqtt.port())).unwrap_or_default();
    let topics = format!("tidegate/{}/things", config.name);
    let (things, json) = (format!("{url}/things"), "-H 'Content-Type: application/json'");
    let handler = handlers_dir.join("relay.wasm");
    // Its path and not its name: a program that was just built is on nobody's PATH.
    let program = std::env::current_exe().unwrap_or_else(|_| "tidegate".into());
    format!(
        "
Tidegate answers on {url} (Ctrl-C ends it). Try, in another terminal:

  # read a property of this machine
  curl {things}/host/properties/load1
  # observe it: one event per change
  curl -N -H 'Accept: text/event-stream' {things}/host/properties/load1
  # let the relay pulse for 5 s, and watch its actions
  curl -X POST {json} -d '{{\"duration\": 5000}}' {things}/relay/actions/pulse; curl {things}/relay/actions
  # subscribe to the climate sensor of the simulated board over MQTT
  mosquitto_sub {broker} -v -t '{topics}/climate/properties/+'
  # let it become warm around the sensor
  curl -X POST {json} -d '{{\"part\": \"bme280\", \"quantity\": \"temperature\", \"to\": 40, \"duration\": 20000}}' {things}/board/actions/drift
  # switch the relay on over MQTT
  mosquitto_pub {broker} -q 1 -t {topics}/relay/properties/on/set -m true
  # replace the relay's handler while it runs
  {} handler push relay {} --gateway {url}
",
        program.display(),
        handler.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_sound_configuration_with_and_without_a_temperature() {
        let sys = tempfile::tempdir().unwrap();
        let without = tree(sys.path()).unwrap();
        assert!(without.config.board_simulated);
        assert!(!without.declarations["host"].grants.contains_key("temperature"));
        for (thing, label) in [("relay", "coil"), ("climate", "sensor"), ("button", "button"), ("led", "lamp")] {
            assert!(without.declarations[thing].grants[label].is_simulated(), "{thing}");
        }
        // A grant must lie below /sys, so that this looks at the file's choice alone.
        let zone = sys.path().join("class/thermal/thermal_zone1");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("temp"), "no value").unwrap();
        assert_eq!(temperature_file(sys.path()), None);
        let chip = sys.path().join("class/hwmon/hwmon0");
        fs::create_dir_all(&chip).unwrap();
        fs::write(chip.join("temp1_input"), "41250\n").unwrap();
        assert_eq!(temperature_file(sys.path()), Some(chip.join("temp1_input")));
        fs::write(zone.join("temp"), "-5000\n").unwrap();
        assert_eq!(temperature_file(sys.path()), Some(zone.join("temp")));
        tree(Path::new("/sys")).unwrap();
    }

    #[test]
    fn the_data_directory_is_the_users() {
        let folder = |data_home: Option<&str>, home: Option<&str>| {
            default_data_dir(data_home.map(Into::into), home.map(Into::into)).ok()
        };
        assert_eq!(folder(Some("/d"), Some("/h")), Some("/d/tidegate-demo".into()));
        assert_eq!(folder(Some("relative"), Some("/h")), Some("/h/.local/share/tidegate-demo".into()));
        assert_eq!(folder(None, None), None);
    }

    #[test]
    fn what_to_try_names_the_bound_addresses() {
        let mut config = Config { listen: ([127, 0, 0, 1], 4711).into(), ..Config::default() };
        config.mqtt.listen = Some(([127, 0, 0, 1], 4712).into());
        let text = what_to_try(&config, Path::new("/handlers"));
        let commands = ["  curl ", "  mosquitto_", "  /"];
        let commands = |line: &&str| commands.iter().any(|command| line.starts_with(command));
        assert_eq!(text.lines().filter(|line| line.starts_with("  # ")).count(), 7);
        assert_eq!(text.lines().filter(commands).count(), 7, "{text}");
        assert!(
            text.contains("mosquitto_sub -h 127.0.0.1 -p 4712 -v -t 'tidegate/tidegate/things/climate/properties/+'"),
            "{text}"
        );
        assert!(text.contains("http://127.0.0.1:4711/things/host/properties/load1"));
        assert!(text.contains("push relay /handlers/relay.wasm --gateway http://127.0.0.1:4711"));
    }
}
