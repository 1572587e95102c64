//! `tidegate token`: makes, lists and revokes the tokens of a gateway, in its file; a running gateway follows the file.
//!
//! A token is shown once, alone on standard output, so that a script can take it; what to do with it is said beside that.
//! Which file it is, is decided here for `serve`, `demo` and `check` too.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};

use super::{Exit, Failure, console, serve};
use crate::access::{TokenFile, TokenFileError, TokenSet};
use crate::config::{Config, ConfigFault};

/// The configuration that is looked at when none is named.
const CONFIG_INSTALLED: &str = "/etc/tidegate/tidegate.toml";
/// Name of the file in the data directory.
const FILE_NAME: &str = "token";

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token and show it, once. From then on every request to the gateway needs one.
    ///
    /// Those from before stay good: give the new one to your programs, then revoke the old one.
    New(Place),
    /// List the tokens: their names and when they were made, not the tokens.
    List(Place),
    /// End a token, and with it the sessions and streams that it let in.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// The gateway's configuration, whose `[access] token-file` or `data-dir` says where the tokens are [default:
    /// /etc/tidegate/tidegate.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The gateway's data directory, as `serve` is told it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The token's name: eight digits, as `list` shows it.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    name: Option<String>,
    /// All of them. A gateway that runs refuses everything then.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn token(command: Token) -> Result<(), Failure> {
    match command {
        Token::New(place) => new(place),
        Token::List(place) => list(place),
        Token::Revoke(arguments) => revoke(arguments),
    }
}

fn new(place: Place) -> Result<(), Failure> {
    let (file, config) = place.find()?;
    let (token, id) = file.add(SystemTime::now()).map_err(|error| failure(&file, &error))?;
    console::print(token.reveal())?;
    console::note(format!(
        "\nThat is the token `{id}`. It is not shown again: {} has its hash only.\n\
         A gateway that runs on this file takes it at once, and every request needs one from now on:\n{}\
         The page asks for it; other programs take it as a password, with any user name.\n\
         Tokens from before stay good: `tidegate token list`, `tidegate token revoke NAME`.",
        file.path().display(),
        how_to_show_it(&config)
    ));
    Ok(())
}

/// A line for each protocol that is spoken.
fn how_to_show_it(config: &Config) -> String {
    let here = |address: SocketAddr| {
        if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() }
    };
    let (host, port) = (bracketed(&here(config.listen)), config.listen.port());
    let http = format!("  curl -H \"Authorization: Bearer $TOKEN\" http://{host}:{port}/things\n");
    let mqtt = config.mqtt.listen.map(|listen| {
        let (host, port, name) = (here(listen), listen.port(), &config.name);
        format!("  mosquitto_sub -h {host} -p {port} -u me -P \"$TOKEN\" -v -t 'tidegate/{name}/things/+/status'\n")
    });
    http + &mqtt.unwrap_or_default()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn list(place: Place) -> Result<(), Failure> {
    let (file, _) = place.find()?;
    let known = file.read().map_err(|error| failure(&file, &error))?.unwrap_or_default();
    if known.is_empty() {
        console::note(format!("There is no token in {}: `tidegate token new` makes one.", file.path().display()));
        return Ok(());
    }
    let rows: Vec<_> = known.iter().map(|known| (known.id().to_string(), format!("made {}", known.made))).collect();
    console::print(console::table(&rows))
}

fn revoke(arguments: Revoke) -> Result<(), Failure> {
    let (file, _) = arguments.place.find()?;
    let named = |id: crate::access::TokenId| arguments.name.as_ref().is_none_or(|name| id.to_string() == *name);
    let known = file.read().map_err(|error| failure(&file, &error))?.unwrap_or_default();
    if !known.iter().any(|known| named(known.id())) {
        let which = arguments.name.as_ref().map_or_else(|| "no token".to_owned(), |name| format!("no token `{name}`"));
        return Err(Failure::new(Exit::Usage, format!("there is {which} in {}", file.path().display()))
            .with_hint("`tidegate token list` shows their names; the token itself is not its name"));
    }
    let (ended, left) = file.revoke(named).map_err(|error| failure(&file, &error))?;
    console::print(format!("{ended} revoked, {left} left."))?;
    if left == 0 {
        console::note(
            "A gateway that runs refuses everything until there is a new token. One that starts without a token is open, and \
             listens on loopback only.",
        );
    }
    Ok(())
}

fn failure(file: &TokenFile, error: &TokenFileError) -> Failure {
    let path = file.path();
    Failure::new(Exit::Configuration, format!("the file of tokens {}: {error}", path.display()))
        .with_hint(error.hint(path))
}

impl Place {
    /// The file, and the configuration that said so.
    fn find(self) -> Result<(TokenFile, Config), Failure> {
        let installed = || Some(PathBuf::from(CONFIG_INSTALLED)).filter(|path| path.is_file());
        let config = match self.config.or_else(installed) {
            // A gateway that may not listen as it should before it has a token is what this is for.
            Some(path) => {
                crate::config::load(&path, |_| Ok(true)).map_err(|faults| serve::faults_failure(&faults))?.config
            }
            None => Config::default(),
        };
        Ok((file_of(&config, &serve::data_dir(self.data_dir, &config)), config))
    }
}

/// The file of tokens of a gateway with this configuration and data directory.
pub(super) fn file_of(config: &Config, data_dir: &Path) -> TokenFile {
    TokenFile::at(config.token_file.clone().unwrap_or_else(|| data_dir.join(FILE_NAME)))
}

/// The tokens that are good at the start of a gateway.
pub(super) fn tokens(file: &TokenFile) -> Result<Option<TokenSet>, Failure> {
    file.tokens().map_err(|error| failure(file, &error))
}

/// Whether there is a token, as reading the configuration wants to know it. A file that its reader may not see is no fault
/// of the configuration.
pub(super) fn is_there(file: &TokenFile) -> Result<bool, ConfigFault> {
    match file.tokens() {
        Ok(tokens) => Ok(tokens.is_some()),
        Err(error) if error.is_denied() => Ok(true),
        Err(error) => Err(ConfigFault::of_file(file.path(), error.to_string()).with_hint(error.hint(file.path()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_next_names_where_the_gateway_answers() {
        let mut config = Config { listen: "[::1]:8081".parse().unwrap(), ..Config::default() };
        assert_eq!(how_to_show_it(&config), "  curl -H \"Authorization: Bearer $TOKEN\" http://[::1]:8081/things\n");
        config.listen = "0.0.0.0:80".parse().unwrap();
        config.mqtt.listen = Some("10.0.0.9:1884".parse().unwrap());
        let text = how_to_show_it(&config);
        assert!(text.contains("http://localhost:80/things"), "{text}");
        assert!(text.contains("mosquitto_sub -h 10.0.0.9 -p 1884 -u me -P \"$TOKEN\""), "{text}");
    }
}
