//! `tidegate serve`: the configuration, with the command line on top, into [`crate::gateway::run`].

use std::path::{Path, PathBuf};

use super::{Exit, Failure, Serve};
use crate::{
    config::{self, ConfigFaults, Tree},
    gateway::{self, Options, StartupError},
    store::StoreError,
};

/// Where packages put handlers.
const HANDLERS_INSTALLED: &str = "/usr/share/tidegate/handlers";
/// Where a gateway without any word on it keeps its data.
const DATA_DIR: &str = "/var/lib/tidegate";

pub(super) fn serve(arguments: Serve) -> Result<(), Failure> {
    let tree = load(&arguments.config)?;
    run(options(arguments, tree, std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))?)
}

/// The command line wins over the file; `state_directory` is systemd's (`StateDirectory=` of the unit).
fn options(arguments: Serve, mut tree: Tree, state_directory: Option<PathBuf>) -> Result<Options, Failure> {
    for listen in arguments.listen.iter().chain(&arguments.mqtt_listen) {
        config::check_listen(*listen, tree.config.insecure_allow_remote)
            .map_err(|(what, hint)| Failure::new(Exit::Usage, what).with_hint(hint))?;
    }
    tree.config.listen = arguments.listen.unwrap_or(tree.config.listen);
    tree.config.mqtt.listen = arguments.mqtt_listen.or(tree.config.mqtt.listen);
    let data_dir = arguments.data_dir.or_else(|| tree.config.data_dir.clone()).or(state_directory);
    let handlers_dir = arguments.handlers.or_else(|| tree.config.handlers_dir.clone());
    Ok(Options {
        data_dir: data_dir.unwrap_or_else(|| DATA_DIR.into()),
        handlers_dir: handlers_dir.unwrap_or_else(default_handlers_dir),
        tree,
        ready: None,
    })
}

/// `handlers` beside this program when there is one, else the installed place.
pub(super) fn default_handlers_dir() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("handlers")));
    beside.filter(|folder| folder.is_dir()).unwrap_or_else(|| HANDLERS_INSTALLED.into())
}

pub(super) fn load(file: &Path) -> Result<Tree, Failure> {
    config::load(file).map_err(|faults| faults_failure(&faults))
}

pub(super) fn faults_failure(faults: &ConfigFaults) -> Failure {
    Failure::new(Exit::Configuration, faults)
}

pub(super) fn run(options: Options) -> Result<(), Failure> {
    runtime()?.block_on(gateway::run(options)).map_err(|error| {
        let failure = Failure::caused(Exit::Failed, "the gateway did not start", &error);
        match hint_for(&error) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Failed, "cannot start the runtime", &error))
}

fn hint_for(error: &StartupError) -> Option<&'static str> {
    match error {
        StartupError::Store { source: StoreError::InUse { .. }, .. } => {
            Some("stop the other gateway, or give this one its own --data-dir")
        }
        StartupError::Store { source: StoreError::Damaged { .. }, .. } => Some(
            "restore state.redb from a backup; moving it away starts anew, with new ids and without the state of Things",
        ),
        StartupError::Store { source: StoreError::Newer { .. }, .. } => {
            Some("run the newer version of tidegate that wrote it")
        }
        StartupError::Store { .. } => {
            Some("check that the data directory can be written, or choose one with --data-dir")
        }
        StartupError::Things { .. } => Some(
            "mend the declaration in things.d/, or put NAME.wasm into the handlers folder; `tidegate build` makes that of a \
             handler of your own",
        ),
        StartupError::Engine { .. } => None,
        StartupError::Listen { .. } => Some(
            "another program may listen there (a broker on 1883?); choose another address with --listen or --mqtt-listen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Serve {
        Serve { config: "x".into(), data_dir: None, listen: None, mqtt_listen: None, handlers: None }
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_defaults() {
        let mut tree = Tree::default();
        assert_eq!(options(arguments(), tree.clone(), None).unwrap().data_dir, Path::new(DATA_DIR));
        let from_systemd = options(arguments(), tree.clone(), Some("/s".into())).unwrap();
        assert_eq!(from_systemd.data_dir, Path::new("/s"));
        tree.config.data_dir = Some("/file".into());
        tree.config.handlers_dir = Some("/h".into());
        let from_file = options(arguments(), tree.clone(), Some("/s".into())).unwrap();
        assert_eq!((from_file.data_dir, from_file.handlers_dir), ("/file".into(), "/h".into()));
        let written = Serve { data_dir: Some("/cli".into()), listen: Some(([127, 0, 0, 1], 0).into()), ..arguments() };
        let from_line = options(written, tree, None).unwrap();
        assert_eq!((from_line.data_dir, from_line.tree.config.listen.port()), ("/cli".into(), 0));
    }

    #[test]
    fn a_remote_address_on_the_command_line_needs_the_files_acceptance() {
        let remote = || Serve { listen: Some(([0, 0, 0, 0], 8080).into()), ..arguments() };
        let mut tree = Tree::default();
        assert_eq!(options(remote(), tree.clone(), None).unwrap_err().exit, Exit::Usage);
        tree.config.insecure_allow_remote = true;
        assert!(options(remote(), tree, None).is_ok());
    }
}
