//! `tidegate doctor`: one look at everything that a gateway needs, beside a running one too: what is wrong, what to do.
//!
//! It changes nothing. A gateway that runs holds its ports and its store: then it is asked instead.

mod devices;
mod machine;
mod network;
mod running;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    Exit, Failure,
    access::GatewayArgs,
    check, console, serve,
    terminal::{Screen, Tone, plain},
    token,
};
use crate::config::Tree;

/// The file that is looked at when none is named, where it is there.
const CONFIG: &str = "/etc/tidegate/tidegate.toml";

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The gateway's file; /etc/tidegate/tidegate.toml when it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where ids, state and components are kept [default: as for `serve`]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the handlers lie [default: as for `serve`]
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Doubtful,
            Self::Fail => Tone::Bad,
        }
    }
}

/// One check.
#[derive(Debug)]
pub(super) struct Finding {
    check: &'static str,
    verdict: Verdict,
    what: String,
    /// What to do; empty: nothing.
    todo: String,
}

/// Everything that was found, in order.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Ok, what: what.into(), todo: String::new() });
    }

    pub(super) fn warn(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Warn, what: what.into(), todo: todo.into() });
    }

    pub(super) fn fail(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Fail, what: what.into(), todo: todo.into() });
    }

    fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Fail)
    }

    fn show(&self, screen: Screen) -> String {
        let mut lines = Vec::new();
        for finding in &self.0 {
            let verdict = screen.paint(finding.verdict.tone(), format!("{:<4}", finding.verdict.word()));
            lines.push(format!("{verdict}  {:<13}  {}", finding.check, plain(&finding.what)));
            if !finding.todo.is_empty() {
                lines.push(format!("      {:<13}  {} {}", "", screen.paint(Tone::Good, "hint:"), plain(&finding.todo)));
            }
        }
        lines.join("\n")
    }
}

pub(super) fn doctor(arguments: &Doctor) -> Result<(), Failure> {
    let findings = serve::runtime()?.block_on(examine(arguments))?;
    match arguments.json {
        true => {
            let one = |finding: &Finding| json!({"check": finding.check, "verdict": finding.verdict.word(), "what": finding.what, "todo": finding.todo});
            let checks: Vec<_> = findings.0.iter().map(one).collect();
            console::print_json(&json!({"ok": !findings.has_failed(), "checks": checks}))?;
        }
        false => console::print(findings.show(Screen::output()))?,
    }
    match findings.has_failed() {
        true => Err(Failure::told(Exit::Failed)),
        false => Ok(()),
    }
}

async fn examine(arguments: &Doctor) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let tree = configuration(arguments, &mut findings);
    let running = running::ask(&arguments.gateway, (tree.as_ref(), arguments.config.is_some()), &mut findings).await?;
    if let Some(tree) = &tree {
        let data = serve::data_dir(arguments.data_dir.clone(), &tree.config);
        access(tree, arguments.config.as_deref(), &data, &mut findings);
        let handlers = serve::handlers_dir(arguments.handlers.clone(), &tree.config);
        devices::handlers(tree, &handlers, &data, &mut findings)?;
        devices::grants(tree, &mut findings);
        machine::store(&data, &running, &mut findings);
        network::ports(tree, &running, &mut findings);
        network::broker(tree, &running, &mut findings).await;
    }
    machine::clock(Path::new("/"), &mut findings);
    machine::user(&mut findings);
    Ok(findings)
}

/// The configuration, when there is a sound one.
fn configuration(arguments: &Doctor, findings: &mut Findings) -> Option<Tree> {
    const CHECK: &str = "configuration";
    let usual = Path::new(CONFIG);
    let file = match &arguments.config {
        Some(file) => file.as_path(),
        None if usual.exists() => usual,
        None => {
            let todo = "name the gateway's file with --config FILE; `tidegate demo` needs none";
            findings.warn(CHECK, format!("none was named, and {CONFIG} is not there"), todo);
            return None;
        }
    };
    match serve::read(file, arguments.data_dir.as_deref()) {
        Ok(tree) => {
            let count = tree.declarations.len();
            let things = if count == 1 { "Thing" } else { "Things" };
            findings.ok(CHECK, format!("{} is sound, with {count} {things}", file.display()));
            Some(tree)
        }
        Err(faults) => {
            for fault in faults.as_slice() {
                let hint = fault.hint.clone().unwrap_or_else(|| "`tidegate check` shows all faults again".to_owned());
                findings.fail(CHECK, format!("{}: {}", fault.place(), fault.what), hint);
            }
            None
        }
    }
}

/// Who may ask: the file with the tokens can be read.
fn access(tree: &Tree, config: Option<&Path>, data: &Path, findings: &mut Findings) {
    let file = token::file_of(&tree.config, data);
    match file.tokens() {
        Ok(_) => findings.ok("access", check::access(&file, config)),
        Err(error) => findings.fail("access", check::access(&file, config), error.hint(file.path())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_what_to_do() {
        let mut findings = Findings::default();
        findings.ok("clock", "right");
        findings.warn("store", "almost full\x1b", "make room");
        assert!(!findings.has_failed());
        findings.fail("ports", "taken", "");
        assert!(findings.has_failed());
        let expected = "ok    clock          right\nwarn  store          almost full\\u{1b}\n                     hint: make \
                        room\nfail  ports          taken";
        assert_eq!(findings.show(Screen::of(false, 80)), expected);
    }
}
