//! `tidegate check`: every fault of a configuration, or a summary of what would run.

mod things;

pub(super) use things::examine;

use std::path::{Path, PathBuf};

use super::{Failure, console, serve, token};
use crate::access::TokenFile;
use crate::config::{Config, ConfigFaults, Tree};

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The gateway's file; things.d/*.toml beside it is read too.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where its tokens are looked for, as `serve` is told it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where NAME.wasm of a declaration's `handler = "NAME"` lies [default: as for `serve`].
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
}

pub(super) fn check(arguments: &Check) -> Result<(), Failure> {
    let (tree, mut faults) = serve::read_all(&arguments.config, arguments.data_dir.as_deref());
    let data_dir = serve::data_dir(arguments.data_dir.clone(), &tree.config);
    // A gateway's file that could not be read says nothing of where its handlers are.
    if !faults.iter().any(|fault| fault.file == arguments.config && fault.position.is_none()) {
        let handlers = serve::handlers_dir(arguments.handlers.clone(), &tree.config);
        let examined = examine(&tree, &faults, &handlers, &data_dir)?;
        examined.doubts.iter().for_each(|doubt| console::note(format!("warning: {doubt}")));
        faults.extend(examined.store);
        faults.extend(examined.faults);
    }
    ConfigFaults::check(faults).map_err(|faults| serve::faults_failure(&faults))?;
    let file = token::file_of(&tree.config, &data_dir);
    console::print(summary(&tree, &access(&file, Some(&arguments.config))))
}

/// Who may ask, for the configuration of that file.
pub(super) fn access(file: &TokenFile, config: Option<&Path>) -> String {
    let path = file.path().display();
    let named = config.map(|config| format!(" --config {}", config.display())).unwrap_or_default();
    match file.tokens().map(|tokens| tokens.map_or(0, |tokens| tokens.len())) {
        Err(error) => format!("cannot be said, {path} {error}."),
        Ok(0) => format!(
            "open to every program and user of this machine, and to nobody else: there is no token in {path} \
             (`tidegate token new{named}`)."
        ),
        Ok(1) => format!("every request needs the token of {path}."),
        Ok(tokens) => format!("every request needs one of the {tokens} tokens of {path}."),
    }
}

fn summary(tree: &Tree, access: &str) -> String {
    let config = &tree.config;
    let count = tree.declarations.len();
    let mut lines = vec![format!("The configuration is sound: {} would listen on {}.", config.title, config.listen)];
    lines.push(format!("Access: {access}"));
    lines.extend(mqtt(config));
    if config.board_simulated {
        lines.push("The board is simulated.".to_owned());
    }
    lines.push(format!("{count} {}:", if count == 1 { "Thing" } else { "Things" }));
    let rows: Vec<(String, String)> = tree
        .declarations
        .values()
        .map(|thing| {
            let grants: Vec<&str> = thing.grants.keys().map(String::as_str).collect();
            let grants = if grants.is_empty() { "nothing granted".to_owned() } else { grants.join(", ") };
            (format!("  {}", thing.name), format!("{}.wasm, {grants}", thing.handler))
        })
        .collect();
    lines.push(console::table(&rows));
    lines.join("\n")
}

/// What MQTT will do.
fn mqtt(config: &Config) -> Vec<String> {
    let endpoint = config.mqtt.listen.map(|listen| format!("MQTT is answered on {listen}."));
    let broker = config.mqtt.broker.as_ref().map(|broker| {
        let tls = if broker.tls { ", over TLS" } else { "" };
        format!("Everything is published through the broker {}:{} too{tls}.", broker.host, broker.port)
    });
    let lines: Vec<String> = endpoint.into_iter().chain(broker).collect();
    if lines.is_empty() {
        vec!["There is no MQTT: neither an endpoint nor a broker is named.".to_owned()]
    } else {
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_tree;

    #[test]
    fn the_summary_names_every_thing_and_what_it_may_touch() {
        let lamp = "handler = \"relay\"\n[grants.a]\nkind = \"sysfs\"\npath = \"/proc/stat\"".to_owned();
        let things = [("lamp.toml".into(), lamp), ("x-long-name.toml".into(), "handler = \"relay\"".to_owned())];
        let tree = parse_tree((Path::new("t.toml"), ""), &things).unwrap();
        let expected = "The configuration is sound: Tidegate would listen on 127.0.0.1:8080.\n\
                        Access: open to every program and user of this machine, and to nobody else: there is no token in \
                        /d/token (`tidegate token new --config /d/t.toml`).\nThere is no MQTT: neither an endpoint nor a broker is named.\n2 Things:\n  \
                        lamp         relay.wasm, a\n  x-long-name  relay.wasm, nothing granted";
        let access = access(&TokenFile::at("/d/token".into()), Some(Path::new("/d/t.toml")));
        assert_eq!(summary(&tree, &access), expected);
    }

    #[test]
    fn the_summary_says_what_mqtt_will_do() {
        let text = "[mqtt]\nlisten = \"127.0.0.1:1883\"\n[mqtt.broker]\nhost = \"broker.local\"\ntls = true\n";
        let tree = parse_tree((Path::new("t.toml"), text), &[]).unwrap();
        let said = summary(&tree, "");
        assert!(said.contains("\nMQTT is answered on 127.0.0.1:1883.\n"), "{said}");
        assert!(said.contains("the broker broker.local:8883 too, over TLS."), "{said}");
    }
}
