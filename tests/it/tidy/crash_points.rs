//! What kills the gateway, or lets its store lie, is in no release build.

use anyhow::Result;

use super::{Findings, Tree, accepts, finds, holds};

const STEPS: &str = "gateway/src/crash_point.rs";
const ARMED: &str = "gateway/src/crash_point/armed.rs";
/// What only the armed part may name. In two parts, or this file would be its own finding.
const ARMS: [&str; 4] = [
    concat!("TIDEGATE_", "CRASH_AT\";"),
    concat!("TIDEGATE_", "ANSWER_EARLY\";"),
    concat!("kill_", "process("),
    concat!("Durability::", "None"),
];
/// The one place where the store may lie, and the condition that it stands under.
const LIE: (&str, &str) = ("gateway/src/store/writer.rs", "if crash_point::answers_early() {\n");

fn rule(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    let in_gateway = tree.rust().filter(|(path, _)| path.starts_with("gateway/") && *path != ARMED);
    for (path, text) in in_gateway {
        for (place, arm) in ARMS.iter().flat_map(|arm| text.match_indices(arm)) {
            if path != LIE.0 || !text[..place].trim_end_matches(|c| c != '\n').ends_with(LIE.1) {
                findings.push(format!("{path}: `{arm}` belongs to {ARMED}"));
            }
        }
    }
    if let Some(text) = tree.files.get(STEPS) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("armed") && !line.starts_with("//"))
        {
            if at == 0 || lines[at - 1] != "#[cfg(debug_assertions)]" {
                findings.push(format!("{STEPS}:{}: `{line}` is in a release build too", at + 1));
            }
        }
    }
    let manifests = tree.files.iter().filter(|(path, _)| path.ends_with("Cargo.toml"));
    let on = manifests.filter(|(_, text)| text.contains("debug-assertions"));
    findings.extend(on.map(|(path, _)| format!("{path}: debug assertions are for builds without optimisation")));
    findings
}

#[test]
fn no_release_build_has_crash_points() -> Result<()> {
    let arm = ARMS[2];
    finds(
        rule,
        &[
            ("gateway/src/store.rs", arm),
            (LIE.0, ARMS[3]),
            (STEPS, "mod armed;\n"),
            (STEPS, "pub fn pass() {\n    armed::pass()\n}\n"),
            ("Cargo.toml", "[profile.release]\ndebug-assertions = true\n"),
        ],
    )?;
    let lie = format!("        {}            x.set({})?;\n", LIE.1, ARMS[3]);
    accepts(rule, &[(ARMED, arm), (STEPS, "#[cfg(debug_assertions)]\nmod armed;\n"), (LIE.0, &lie)])?;
    holds(rule)
}
