//! What a table was made on: processor, kernel, compiler, our version, the day.

use std::{fs, process::Command, thread};

/// One line for under the title of a table.
pub fn description() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let parts = [
        format!("{} x {}", cores, processor()),
        format!("Linux {}", file("/proc/sys/kernel/osrelease")),
        said("rustc", &["--version"]),
        format!("tidegate {}", env!("CARGO_PKG_VERSION")),
        said("date", &["-u", "+%Y-%m-%d"]),
    ];
    parts.join(" · ")
}

/// The first line that a program says, or a question mark.
pub fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

/// The resident memory of a process, in MB of 10^6 bytes.
pub fn resident_mb(process_id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// On x86 the processor's name; a Raspberry Pi says its board.
fn processor() -> String {
    let named = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name") || line.starts_with("Model"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    named.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn file(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}
