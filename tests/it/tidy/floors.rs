//! Knowledge points down only: which crate may depend on which of ours, and who alone knows HTTP, Wasm or a bus.

use anyhow::Result;
use cargo_metadata::{DependencyKind, MetadataCommand};
use tests::handlers;

use super::Findings;

/// What a package depends on, but for its tests.
#[derive(Debug)]
struct Package {
    name: String,
    dependencies: Vec<String>,
}

/// (package, those of ours that it may depend on). A package that is not listed is a handler: the SDK alone.
const FLOORS: [(&str, &[&str]); 9] = [
    ("thing-descriptions", &[]),
    ("things", &[]),
    ("tidegate-handler", &[]),
    ("handler-build", &[]),
    ("handler-host", &["things"]),
    ("tidegate", &["handler-build", "handler-host", "things", "thing-descriptions"]),
    ("tests", &["tidegate", "handler-build", "handler-host", "thing-descriptions"]),
    ("benches", &["tidegate", "handler-build", "handler-host", "things", "thing-descriptions", "tests", "laboratory"]),
    ("xtask", &["handler-build"]),
];
const HANDLER: &[&str] = &["tidegate-handler"];

/// (crate, the only packages that may name it).
const KEEPERS: [(&str, &[&str]); 8] = [
    ("axum", &["tidegate", "benches"]),
    ("rumqttc", &["tidegate", "benches"]),
    ("redb", &["tidegate"]),
    ("wasmtime", &["handler-host"]),
    ("rppal", &["things"]),
    ("linux-embedded-hal", &["things"]),
    ("gpiocdev", &["things"]),
    ("wit-component", &["handler-build"]),
];

/// Crates that come in through nobody: C libraries for TLS, and WASI, which would hand out files and sockets.
const NOWHERE: [&str; 5] = ["openssl", "openssl-sys", "aws-lc-rs", "aws-lc-sys", "wasmtime-wasi"];

/// Floors 0 is pure: no runtime, no clock, no files.
const PURE: (&str, [&str; 3]) = ("thing-descriptions", ["tokio", "libc", "jiff"]);

fn rule(packages: &[Package], locked: &[&str]) -> Findings {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Findings::new();
    for package in packages {
        let allowed = FLOORS.iter().find(|(name, _)| *name == package.name).map_or(HANDLER, |(_, allowed)| allowed);
        for dependency in &package.dependencies {
            let name = dependency.as_str();
            let upwards = ours(name) && !allowed.contains(&name);
            let kept = KEEPERS.iter().any(|(kept, keepers)| *kept == name && !keepers.contains(&package.name.as_str()));
            let impure = package.name == PURE.0 && PURE.1.contains(&name);
            if upwards || kept || impure {
                findings.push(format!("{} may not depend on {name}", package.name));
            }
        }
    }
    let unwanted = NOWHERE.iter().filter(|name| locked.contains(name));
    findings.extend(unwanted.map(|name| format!("{name} is in Cargo.lock")));
    findings
}

fn of_checkout() -> Result<Vec<Package>> {
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(handlers::root().join("Cargo.toml")).no_deps().exec()?;
    let packages = metadata.packages.iter().map(|package| {
        let used = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        Package { name: package.name.to_string(), dependencies: used.map(|used| used.name.clone()).collect() }
    });
    Ok(packages.collect())
}

#[test]
fn knowledge_points_down_only() -> Result<()> {
    let lock = std::fs::read_to_string(handlers::root().join("Cargo.lock"))?;
    let locked: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(locked.contains(&"tidegate"), "Cargo.lock could not be read");
    let findings = rule(&of_checkout()?, &locked);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

#[test]
fn a_breach_of_the_floors_is_found() {
    let package = |name: &str, dependency: &str| Package { name: name.into(), dependencies: vec![dependency.into()] };
    let floor = |name: &str| Package { name: name.into(), dependencies: Vec::new() };
    for (name, dependency) in [
        ("things", "thing-descriptions"),
        ("handler-host", "thing-descriptions"),
        ("relay", "things"),
        ("things", "wasmtime"),
        ("handler-host", "axum"),
        ("tidegate", "rppal"),
        ("thing-descriptions", "tokio"),
    ] {
        let tree = [package(name, dependency), floor("thing-descriptions"), floor("things")];
        assert_eq!(rule(&tree, &[]).len(), 1, "{name} on {dependency}");
    }
    assert_eq!(rule(&[], &["openssl"]).len(), 1);
    assert!(rule(&[package("relay", "tidegate-handler"), floor("tidegate-handler")], &[]).is_empty());
}
