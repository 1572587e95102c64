//! Files are small: a reader holds one in the head.

use anyhow::Result;

use super::{Findings, Tree, finds, holds};

/// No file is longer.
const LINES_MAX: usize = 600;
/// Nine of ten files are not longer.
const LINES_90: usize = 400;
/// Half of the files are not longer.
const LINES_MEDIAN: usize = 150;

fn rule(tree: &Tree) -> Findings {
    let mut sizes: Vec<(usize, &str)> = tree.rust().map(|(path, text)| (text.lines().count(), path)).collect();
    sizes.sort_unstable();
    let at =
        |percent: usize| sizes.get((sizes.len() * percent).div_ceil(100).max(1) - 1).map_or(0, |(lines, _)| *lines);
    let long = sizes.iter().filter(|(lines, _)| *lines > LINES_MAX);
    let mut findings: Findings =
        long.map(|(lines, path)| format!("{path}: {lines} lines, at most {LINES_MAX}")).collect();
    for (percent, lines_max) in [(50, LINES_MEDIAN), (90, LINES_90)] {
        if at(percent) > lines_max {
            findings.push(format!("{percent} % of the files have up to {} lines, at most {lines_max}", at(percent)));
        }
    }
    findings
}

#[test]
fn files_are_small() -> Result<()> {
    for lines in [151, 401, 601] {
        finds(rule, &[("things/src/bus.rs", &"//\n".repeat(lines))])?;
    }
    holds(rule)
}
