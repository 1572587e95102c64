//! The load generator: 64 connections on 2 threads, the same for everyone.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What one run measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Answered requests per second.
    pub per_second: f64,
    /// The time within which 99 % were answered, in milliseconds.
    pub p99_ms: f64,
}

/// Loads `url` for some seconds.
///
/// # Errors
/// When wrk is missing, or any answer was no 2xx: numbers of error answers are no numbers.
pub fn run(url: &str, seconds: u32) -> Result<Run> {
    let duration = format!("-d{seconds}s");
    let output = Command::new("wrk").args(["-t2", "-c64", &duration, "--latency", url]).output();
    let output = output.context("wrk is missing: `cargo xtask bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed on {url}: {text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(!text.contains("Non-2xx"), "{url} answers with errors: {text}");
    parse(&text).with_context(|| format!("wrk said: {text}"))
}

fn parse(text: &str) -> Option<Run> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    Some(Run { per_second: after("Requests/sec:")?.parse().ok()?, p99_ms: milliseconds(after("99%")?)? })
}

/// `640.00us`, `4.50ms`, `1.20s`.
fn milliseconds(text: &str) -> Option<f64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
