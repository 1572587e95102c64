//! What stands nowhere: unfinished code, tests that do not run, sleeping, paths of one person's machine.

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

/// (what may not stand in a Rust file, why). Written in two parts, or this file would be its own finding.
const RUST: [(&str, &str); 6] = [
    (concat!("todo", "!("), "finish it, or leave it out"),
    (concat!("unimplemented", "!("), "finish it, or leave it out"),
    (concat!("#[", "ignore"), "a test that does not run shows nothing"),
    (concat!("thread::", "sleep"), "wait for a level, with a deadline"),
    (concat!("time::", "sleep(Duration"), "wait for a level, with a deadline"),
    (concat!("#[", "allow("), "use #[expect(lint, reason = \"..\")]"),
];
/// The same for every file.
const ANYWHERE: [(&str, &str); 3] = [
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("shared/", "design"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
];

fn rule(tree: &Tree) -> Findings {
    let of_rust = tree.rust().flat_map(|(path, text)| found(path, text, &RUST));
    let of_all = tree.files.iter().flat_map(|(path, text)| found(path, text, &ANYWHERE));
    of_rust.chain(of_all).collect()
}

fn found(path: &str, text: &str, unwanted: &[(&str, &str)]) -> Findings {
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(at, line)| {
            let hits = unwanted.iter().filter(move |(word, _)| line.contains(word));
            hits.map(move |(word, why)| format!("{path}:{}: `{word}`: {why}", at + 1))
        })
        .collect()
}

#[test]
fn nothing_is_unfinished_ignored_or_asleep() -> Result<()> {
    for (word, _) in RUST {
        finds(rule, &[("gateway/src/store.rs", &format!("    {word}"))])?;
    }
    for (word, _) in ANYWHERE {
        finds(rule, &[("README.md", &format!("see {word}x"))])?;
    }
    accepts(rule, &[("gateway/src/store.rs", "//! The store.\nfn todo() {}")])?;
    holds(rule)
}
