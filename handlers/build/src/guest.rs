//! Finds the guest crate that is meant: its name, its folder, its Thing Model.

use crate::BuildRequest;
use crate::toolchain::NO_CARGO;
use anyhow::{Context, Result, anyhow, bail};
use cargo_metadata::{MetadataCommand, Package};
use std::path::PathBuf;

/// A guest crate as cargo sees it.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) manifest_dir: PathBuf,
    pub(crate) workspace_dir: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) model: PathBuf,
    /// Folders of the crates that it takes by path, with their names.
    pub(crate) beside: Vec<(PathBuf, String)>,
}

pub(crate) fn find(request: &BuildRequest) -> Result<Guest> {
    let manifest = request.manifest_dir.join("Cargo.toml");
    if !manifest.is_file() {
        let folder = request.manifest_dir.display();
        bail!(
            "there is no crate at {folder}: it has no Cargo.toml\nhint: go to the folder of a handler, or make one by \
             `tidegate new NAME`"
        );
    }
    let mut command = MetadataCommand::new();
    command.manifest_path(&manifest).no_deps();
    let metadata = command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => anyhow!(NO_CARGO),
        error => anyhow::Error::new(error).context(format!("cannot read the crate at {}", manifest.display())),
    })?;
    let package = match &request.package {
        Some(name) => metadata.packages.iter().find(|package| package.name.as_str() == name).with_context(|| {
            format!("there is no package `{name}` in the workspace at {}", request.manifest_dir.display())
        })?,
        None => {
            let manifest = manifest.canonicalize()?;
            let mine = metadata.packages.iter().find(|package| package.manifest_path.as_std_path() == manifest);
            mine.with_context(|| {
                format!("{} is a workspace without a package of its own\nhint: name the package", manifest.display())
            })?
        }
    };
    if package.targets.iter().any(|target| target.is_kind(cargo_metadata::TargetKind::CDyLib)) {
        bail!(
            "`{}` declares crate-type cdylib, with which its native build cannot link\nhint: remove the crate-type; the \
             handler build adds it",
            package.name
        );
    }
    let manifest_dir = package.manifest_path.parent().context("a manifest lies in a folder")?;
    Ok(Guest {
        name: package.name.to_string(),
        manifest_dir: manifest_dir.into(),
        workspace_dir: metadata.workspace_root.clone().into(),
        target_dir: request.target_dir.clone().unwrap_or_else(|| metadata.target_directory.clone().into()),
        model: manifest_dir.join(model_path(package)).into(),
        beside: package
            .dependencies
            .iter()
            .filter_map(|dependency| Some((dependency.path.clone()?.into(), dependency.name.clone())))
            .collect(),
    })
}

/// `[package.metadata.tidegate] thing-model = "relative/path.tm.json"`, else `NAME.tm.json` beside the manifest.
fn model_path(package: &Package) -> String {
    let declared = package.metadata.pointer("/tidegate/thing-model").and_then(serde_json::Value::as_str);
    declared.map_or_else(|| format!("{}.tm.json", package.name), ToOwned::to_owned)
}
