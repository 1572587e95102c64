//! Finds the guest crate that is meant: its name, its folder, its Thing Model.

use crate::BuildRequest;
use anyhow::{Context, Result, bail};
use cargo_metadata::{MetadataCommand, Package};
use std::path::PathBuf;

/// A guest crate as cargo sees it.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) manifest_dir: PathBuf,
    pub(crate) workspace_dir: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) model: PathBuf,
}

pub(crate) fn find(request: &BuildRequest) -> Result<Guest> {
    let manifest = request.manifest_dir.join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(&manifest).no_deps();
    let metadata = command.exec().with_context(|| format!("cannot read the crate at {}", manifest.display()))?;
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
    })
}

/// `[package.metadata.tidegate] thing-model = "relative/path.tm.json"`, else `NAME.tm.json` beside the manifest.
fn model_path(package: &Package) -> String {
    let declared = package.metadata.pointer("/tidegate/thing-model").and_then(serde_json::Value::as_str);
    declared.map_or_else(|| format!("{}.tm.json", package.name), ToOwned::to_owned)
}
