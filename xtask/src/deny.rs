//! What may be depended upon. `deny.toml` says it, cargo-deny checks it; where cargo-deny is not installed, a smaller
//! check of the same file holds at least the bans and the sources.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::metadata::{self, Metadata, Package};

/// How the source of a package from crates.io ends, as cargo writes it.
const CRATES_IO: &str = "/crates.io-index";

/// What of `deny.toml` the smaller check reads.
#[derive(Debug, Deserialize)]
struct Policy {
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
    features: Vec<BannedFeatures>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Debug, Deserialize)]
struct BannedFeatures {
    #[serde(rename = "crate")]
    name: String,
    deny: Vec<String>,
}

/// Runs cargo-deny, or the smaller check. Advisories need a database from the network; CI asks for them by themselves.
pub(crate) fn run() -> Result<()> {
    if crate::has_subcommand("deny") {
        return crate::cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"], &[]);
    }
    crate::say("cargo-deny is not installed: of deny.toml, only bans and sources are checked")?;
    let text = fs::read_to_string(crate::root().join("deny.toml")).context("deny.toml")?;
    let policy = toml::from_str(&text).context("deny.toml")?;
    let found = offences(&policy, &metadata::resolved()?);
    if !found.is_empty() {
        bail!("deny.toml forbids:\n{}", found.join("\n"));
    }
    Ok(())
}

fn offences(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let features: BTreeMap<&str, &[String]> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (node.id.as_str(), node.features.as_slice()))
        .collect();
    let of = |package: &Package| {
        let enabled = features.get(package.id.as_str()).copied().unwrap_or_default();
        offence(&policy.bans, package, enabled)
            .map(|why| format!("{} {}: {why}", package.name, package.version))
    };
    metadata.packages.iter().filter_map(of).collect()
}

/// What is wrong with a package that is built with the features `enabled`.
fn offence(bans: &Bans, package: &Package, enabled: &[String]) -> Option<String> {
    if let Some(source) = package.source.as_ref().filter(|source| !source.ends_with(CRATES_IO)) {
        return Some(format!("comes from {source}"));
    }
    if bans.deny.iter().any(|banned| banned.name == package.name) {
        return Some("is banned".to_owned());
    }
    let banned = bans.features.iter().filter(|banned| banned.name == package.name);
    let feature = banned.flat_map(|banned| &banned.deny).find(|feature| enabled.contains(feature))?;
    Some(format!("has the banned feature {feature}"))
}

#[cfg(test)]
mod tests {
    use super::{Policy, offences};
    use crate::metadata::Metadata;

    #[test]
    fn bans_and_sources_are_held() {
        let policy: Policy = toml::from_str(include_str!("../../deny.toml")).unwrap();
        let metadata: Metadata = serde_json::from_value(serde_json::json!({
            "packages": [
                { "id": "1", "name": "openssl", "version": "0.10.0", "source": "registry+x/crates.io-index" },
                { "id": "2", "name": "serde_json", "version": "1.0.0", "source": "registry+x/crates.io-index" },
                { "id": "3", "name": "bytes", "version": "1.0.0", "source": "git+x/bytes" },
                { "id": "4", "name": "shim", "version": "0.1.0" },
                { "id": "5", "name": "memchr", "version": "2.0.0", "source": "registry+x/crates.io-index" },
            ],
            "resolve": { "nodes": [
                { "id": "2", "features": ["raw_value", "arbitrary_precision"] },
                { "id": "5", "features": ["arbitrary_precision"] },
            ] },
        }))
        .unwrap();
        assert_eq!(
            offences(&policy, &metadata),
            [
                "openssl 0.10.0: is banned",
                "serde_json 1.0.0: has the banned feature arbitrary_precision",
                "bytes 1.0.0: comes from git+x/bytes",
            ]
        );
    }
}
