//! `tidegate serve`: the configuration, with the command line on top, into [`crate::gateway::run`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Exit, Failure, token};
use crate::{
    config::{self, Config, ConfigFault, ConfigFaults, Tree},
    gateway::{self, Options, StartupError},
    store::StoreError,
};

/// Where packages put handlers.
const HANDLERS_INSTALLED: &str = "/usr/share/tidegate/handlers";
/// Where a gateway without any word on it keeps its data.
const DATA_DIR: &str = "/var/lib/tidegate";

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The gateway's file, such as /etc/tidegate/tidegate.toml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where ids, state and components are kept [default: `data-dir` of the file, systemd's state directory, or
    /// /var/lib/tidegate].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Listen here instead of on the file's `listen`; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Answer MQTT here instead of on the file's `[mqtt] listen`; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    mqtt_listen: Option<SocketAddr>,
    /// Where NAME.wasm of a declaration's `handler = "NAME"` lies [default: `handlers-dir` of the file, `handlers`
    /// beside this program, or /usr/share/tidegate/handlers].
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
}

pub(super) fn serve(arguments: Serve) -> Result<(), Failure> {
    let tree = load(&arguments.config, arguments.data_dir.as_deref())?;
    let data_dir = data_dir(arguments.data_dir.clone(), &tree.config);
    run(options(arguments, tree, data_dir)?)
}

/// The command line wins over the file, and the file over systemd (`StateDirectory=` of the unit).
pub(super) fn data_dir(written: Option<PathBuf>, config: &Config) -> PathBuf {
    chosen_data_dir(written, config, std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))
}

fn chosen_data_dir(written: Option<PathBuf>, config: &Config, state_directory: Option<PathBuf>) -> PathBuf {
    written.or_else(|| config.data_dir.clone()).or(state_directory).unwrap_or_else(|| DATA_DIR.into())
}

/// The command line wins over the file.
fn options(arguments: Serve, mut tree: Tree, data_dir: PathBuf) -> Result<Options, Failure> {
    let token_file = token::file_of(&tree.config, &data_dir);
    let tokens = token::tokens(&token_file)?;
    for listen in arguments.listen.iter().chain(&arguments.mqtt_listen) {
        config::check_listen(*listen, tokens.is_some())
            .map_err(|(what, hint)| Failure::new(Exit::Usage, what).with_hint(hint))?;
    }
    tree.config.listen = arguments.listen.unwrap_or(tree.config.listen);
    tree.config.mqtt.listen = arguments.mqtt_listen.or(tree.config.mqtt.listen);
    let handlers_dir = handlers_dir(arguments.handlers, &tree.config);
    Ok(Options { data_dir, handlers_dir, token_file, tokens, tree, ready: None })
}

/// The command line wins over the file.
pub(super) fn handlers_dir(written: Option<PathBuf>, config: &Config) -> PathBuf {
    written.or_else(|| config.handlers_dir.clone()).unwrap_or_else(default_handlers_dir)
}

/// `handlers` beside this program when there is one, else the installed place.
pub(super) fn default_handlers_dir() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("handlers")));
    beside.filter(|folder| folder.is_dir()).unwrap_or_else(|| HANDLERS_INSTALLED.into())
}

/// `data_dir` is the one that the command line names.
pub(super) fn load(file: &Path, written: Option<&Path>) -> Result<Tree, Failure> {
    read(file, written).map_err(|faults| faults_failure(&faults))
}

/// The same, with the faults one by one.
pub(super) fn read(file: &Path, written: Option<&Path>) -> Result<Tree, ConfigFaults> {
    let (tree, faults) = read_all(file, written);
    ConfigFaults::check(faults).map(|()| tree)
}

/// The same, with what can be read in spite of the faults.
pub(super) fn read_all(file: &Path, written: Option<&Path>) -> (Tree, Vec<ConfigFault>) {
    let protected =
        |config: &Config| token::is_there(&token::file_of(config, &data_dir(written.map(Path::to_owned), config)));
    config::load_all(file, protected)
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

/// What to do about a store that cannot be used.
pub(super) fn store_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::InUse { .. } => "stop the other gateway, or give this one its own --data-dir",
        StoreError::Damaged { .. } => {
            "restore state.redb from a backup; moving it away starts anew, with new ids and without the state of Things"
        }
        StoreError::Newer { .. } => "run the newer version of tidegate that wrote it",
        _ => "check that the data directory can be written, or choose one with --data-dir",
    }
}

fn hint_for(error: &StartupError) -> Option<&'static str> {
    match error {
        StartupError::Store { source, .. } => Some(store_hint(source)),
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
        let mut config = Config::default();
        assert_eq!(chosen_data_dir(None, &config, None), Path::new(DATA_DIR));
        assert_eq!(chosen_data_dir(None, &config, Some("/s".into())), Path::new("/s"));
        config.data_dir = Some("/file".into());
        assert_eq!(chosen_data_dir(None, &config, Some("/s".into())), Path::new("/file"));
        assert_eq!(chosen_data_dir(Some("/cli".into()), &config, None), Path::new("/cli"));
        let tree = Tree { config: Config { handlers_dir: Some("/h".into()), ..config }, ..Tree::default() };
        let written = Serve { listen: Some(([127, 0, 0, 1], 0).into()), ..arguments() };
        let options = options(written, tree, "/cli".into()).unwrap();
        assert_eq!((options.handlers_dir, options.tree.config.listen.port()), ("/h".into(), 0));
        assert_eq!(options.token_file.path(), Path::new("/cli/token"));
    }

    #[test]
    fn a_remote_address_on_the_command_line_needs_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let remote = || Serve { listen: Some(([0, 0, 0, 0], 8080).into()), ..arguments() };
        let started = || options(remote(), Tree::default(), folder.path().to_owned());
        assert_eq!(started().unwrap_err().exit, Exit::Usage);
        let file = token::file_of(&Config::default(), folder.path());
        file.add(std::time::SystemTime::now()).unwrap();
        assert_eq!(started().unwrap().tokens.unwrap().len(), 1);
        std::fs::write(file.path(), "what?").unwrap();
        assert_eq!(started().unwrap_err().exit, Exit::Configuration);
    }
}
