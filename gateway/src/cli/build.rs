//! `tidegate build`: a handler's crate becomes a component, of which is said what it wants.
//!
//! Compiling is `handler-build`'s part, admission the gateway's own: what is refused here would be refused by `push`. What
//! the declarations in the crate's `things.d/` grant is held against what the component wants.

use std::path::{Path, PathBuf};

use clap::Args;
use handler_build::{BuildRequest, Built, Sources};
use handler_host::HandlerComponent;

use super::{Exit, Failure, console, inspect, serve};
use crate::{
    config::{self, Budgets, ConfigFault, ConfigFaults, Declaration},
    fit,
};

/// Where `NAME.wasm` goes, below the crate: the `handlers-dir` of its `tidegate.toml`.
const OUT: &str = "target/handlers";
/// Declarations beside the crate that are looked at.
const DECLARATIONS_MAX: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Build {
    /// The handler's crate [default: here].
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    folder: PathBuf,
    /// Where NAME.wasm goes [default: target/handlers in the crate].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn build(arguments: &Build) -> Result<(), Failure> {
    let sources = sources(&arguments.folder)?;
    let out = arguments.out.clone().unwrap_or_else(|| sources.manifest_dir.join(OUT));
    let built = component(&sources, &out)?;
    let inspected = inspect::component(&built.bytes)?;
    let mut rows = vec![("component".to_owned(), built.component.display().to_string())];
    rows.extend(inspect::rows_of(&inspected));
    console::print(console::table(&rows))?;
    let (faults, doubts): (Vec<_>, Vec<_>) =
        misfits(&sources, &inspected)?.into_iter().partition(|(is_refused, _)| *is_refused);
    doubts.iter().for_each(|(_, doubt)| console::note(format!("warning: {doubt}")));
    ConfigFaults::check(faults.into_iter().map(|(_, fault)| fault).collect()).map_err(|faults| {
        Failure::new(Exit::Configuration, format!("the component was built; {faults}"))
            .with_hint("mend the declarations in things.d/, and build again: the gateway would not start with them")
    })
}

/// The crate in `folder`.
pub(super) fn sources(folder: &Path) -> Result<Sources, Failure> {
    handler_build::sources(&BuildRequest::of_crate(folder)).map_err(|error| failure(&error))
}

/// Compiles it; what cargo says goes to standard error.
pub(super) fn component(sources: &Sources, out: &Path) -> Result<Built, Failure> {
    let request = BuildRequest { out_dir: Some(out.to_owned()), ..BuildRequest::of_crate(&sources.manifest_dir) };
    handler_build::build(&request).map_err(|error| failure(&error))
}

/// The words of `handler-build` in those of the command line: it puts its hint on a line of its own.
fn failure(error: &anyhow::Error) -> Failure {
    let mut hint = None;
    let mut said = error.chain().map(|cause| {
        let text = cause.to_string();
        match text.split_once("\nhint: ") {
            Some((what, advice)) => {
                hint = Some(advice.to_owned());
                what.to_owned()
            }
            None => text,
        }
    });
    let what = said.next().unwrap_or_default();
    let causes = said.collect();
    Failure { causes, hint, ..Failure::new(Exit::Failed, what) }
}

/// What does not fit between the declarations beside the crate and the component.
fn misfits(sources: &Sources, component: &HandlerComponent) -> Result<Vec<(bool, ConfigFault)>, Failure> {
    let mut misfits = Vec::new();
    for declaration in declarations(sources)? {
        let found = fit::misfits(component, &declaration.grants, &declaration.settings).into_iter();
        misfits.extend(found.map(|misfit| {
            let fault = declaration.fault_at(&[misfit.table, &misfit.key], &misfit.sentence(), &misfit.hint);
            (misfit.is_refused, fault)
        }));
    }
    Ok(misfits)
}

/// The declarations in `things.d/` of the crate that use this handler.
fn declarations(sources: &Sources) -> Result<Vec<Declaration>, Failure> {
    let Ok(entries) = std::fs::read_dir(sources.manifest_dir.join("things.d")) else { return Ok(Vec::new()) };
    let paths = entries.take(DECLARATIONS_MAX).filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    let mut declarations = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::caused(Exit::Failed, format!("cannot read {}", path.display()), &error))?;
        let declared = config::parse_declaration(&path, &text, Budgets::default());
        declarations.push(declared.map_err(|faults| serve::faults_failure(&faults))?);
    }
    declarations.retain(|declaration| declaration.handler == sources.name);
    Ok(declarations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_of_a_build_is_a_hint_and_its_causes_are_causes() {
        let error = anyhow::anyhow!("no such file").context("cannot read it\nhint: write it").context("it failed");
        let failure = failure(&error);
        assert_eq!(failure.what, "it failed");
        assert_eq!(failure.causes, ["cannot read it", "no such file"]);
        assert_eq!(failure.hint.as_deref(), Some("write it"));
    }

    #[test]
    fn where_there_is_no_crate_a_hint_says_how_to_make_one() {
        let empty = tempfile::tempdir().unwrap();
        let failure = sources(empty.path()).unwrap_err();
        assert!(failure.what.contains("no Cargo.toml"), "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("tidegate new")));
    }
}
