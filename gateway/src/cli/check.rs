//! `tidegate check`: every fault of a configuration, or a summary of what would run.

use super::{Check, Failure, console, serve};
use crate::config::Tree;

pub(super) fn check(arguments: &Check) -> Result<(), Failure> {
    let tree = serve::load(&arguments.config)?;
    console::print(summary(&tree))
}

fn summary(tree: &Tree) -> String {
    let config = &tree.config;
    let count = tree.declarations.len();
    let mut lines = vec![format!("The configuration is sound: {} would listen on {}.", config.title, config.listen)];
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse_tree;

    #[test]
    fn the_summary_names_every_thing_and_what_it_may_touch() {
        let lamp = "handler = \"relay\"\n[grants.a]\nkind = \"sysfs\"\npath = \"/proc/stat\"".to_owned();
        let things = [("lamp.toml".into(), lamp), ("x-long-name.toml".into(), "handler = \"relay\"".to_owned())];
        let tree = parse_tree((Path::new("t.toml"), ""), &things).unwrap();
        let expected = "The configuration is sound: Tidegate would listen on 127.0.0.1:8080.\n2 Things:\n  \
                        lamp         relay.wasm, a\n  x-long-name  relay.wasm, nothing granted";
        assert_eq!(summary(&tree), expected);
    }
}
