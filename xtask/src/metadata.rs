//! What `cargo metadata` says of the workspace, as far as the chores ask.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The workspace's packages, or with [`resolved`] all of them.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    /// Absent from [`declared`].
    pub(crate) resolve: Option<Resolve>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where it comes from; absent for a folder on this machine.
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev` or `build`; absent for an ordinary one.
    pub(crate) kind: Option<String>,
    /// The folder of a dependency that is not from a registry.
    pub(crate) path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// What was resolved for one package.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
}

/// The workspace's own packages and what their manifests declare.
pub(crate) fn declared() -> Result<Metadata> {
    read(&["metadata", "--format-version", "1", "--no-deps"])
}

/// Every package of the lock file, with the features it is built with at most.
pub(crate) fn resolved() -> Result<Metadata> {
    read(&["metadata", "--format-version", "1", "--all-features"])
}

fn read(args: &[&str]) -> Result<Metadata> {
    serde_json::from_slice(&crate::cargo_output(args)?).context("cargo metadata is not understood")
}

/// The feature sets to build: none, default and all; default alone where no package of ours has features.
pub(crate) fn feature_sets(metadata: &Metadata) -> Vec<Option<&'static str>> {
    if metadata.packages.iter().all(|package| package.features.is_empty()) {
        return vec![None];
    }
    vec![Some("--no-default-features"), None, Some("--all-features")]
}

#[cfg(test)]
mod tests {
    use super::{Metadata, Package, feature_sets};

    #[test]
    fn packages_without_features_are_built_once() {
        let mut package = Package::default();
        let of = |package| feature_sets(&Metadata { packages: vec![package], resolve: None }).len();
        assert_eq!(of(Package::default()), 1);
        package.features.insert("postgres".to_owned(), Vec::new());
        assert_eq!(of(package), 3);
    }
}
