//! Which crate may use which.

use crate::metadata::{Dependency, Metadata, Package};

/// What each crate may use, beside all that those may use.
const EDGES: [(&str, &[&str]); 14] = [
    ("shim-wire", &[]),
    ("shim-ir", &["shim-wire"]),
    ("shim-dialect", &["shim-ir"]),
    ("shim-catalog", &["shim-ir"]),
    ("shim-policy", &["shim-catalog"]),
    ("shim-learn", &["shim-policy"]),
    ("shim-config", &["shim-policy"]),
    ("shim-telemetry", &["shim-dialect", "shim-learn", "shim-config"]),
    ("shim-store", &["shim-telemetry"]),
    ("shim-upstream", &["shim-telemetry"]),
    ("shim-gateway", &["shim-store", "shim-upstream"]),
    ("shim-admin", &["shim-gateway"]),
    ("shim-conform", &["shim-gateway"]),
    ("shim", &["shim-admin", "shim-conform"]),
];

/// What nothing that ships may use, but for its tests. These may use anything.
const DEV_ONLY: [&str; 4] = ["shim-testkit", "shim-bench", "shim-fuzz", "xtask"];

/// The edges of the workspace that are not allowed.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let shipped = metadata.packages.iter().filter(|package| !DEV_ONLY.contains(&package.name.as_str()));
    shipped.flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<String> {
    let Some(allowed) = reachable(&package.name) else {
        return vec![format!("{}: not in the table of edges (xtask/src/tidy/edges.rs)", package.name)];
    };
    let own = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    own.filter(|dependency| !may(&allowed, dependency))
        .map(|dependency| format!("{}: may not use {}", package.name, dependency.name))
        .collect()
}

fn may(allowed: &[&str], dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    let in_tests = dependency.kind.as_deref() == Some("dev");
    allowed.contains(&name) || (in_tests && DEV_ONLY.contains(&name))
}

/// All that `name` may use; `None` when the table does not have it.
fn reachable(name: &str) -> Option<Vec<&'static str>> {
    let (_, direct) = EDGES.iter().find(|(known, _)| *known == name)?;
    let mut all = direct.to_vec();
    for name in *direct {
        all.extend(reachable(name)?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::metadata::{Dependency, Metadata, Package};

    #[track_caller]
    fn told(package: &str, uses: &str, kind: Option<&str>, wanted: &[&str]) {
        let dependency = Dependency {
            name: uses.to_owned(),
            kind: kind.map(str::to_owned),
            path: uses.starts_with("shim").then(|| format!("crates/{uses}")),
        };
        let package =
            Package { name: package.to_owned(), dependencies: vec![dependency], ..Package::default() };
        assert_eq!(check(&Metadata { packages: vec![package], resolve: None }), wanted);
    }

    #[test]
    fn a_forbidden_edge_is_found() {
        told("shim-wire", "shim-ir", None, &["shim-wire: may not use shim-ir"]);
        told("shim-dialect", "shim-catalog", None, &["shim-dialect: may not use shim-catalog"]);
        told("shim-ir", "shim-telemetry", None, &["shim-ir: may not use shim-telemetry"]);
        told("shim-upstream", "shim-store", Some("build"), &["shim-upstream: may not use shim-store"]);
        told("shim-gateway", "shim-conform", None, &["shim-gateway: may not use shim-conform"]);
        told("shim-gateway", "shim-testkit", None, &["shim-gateway: may not use shim-testkit"]);
        told("shim-new", "bytes", None, &["shim-new: not in the table of edges (xtask/src/tidy/edges.rs)"]);
    }

    #[test]
    fn the_edges_of_the_house_are_allowed() {
        told("shim-dialect", "shim-wire", None, &[]);
        told("shim-config", "shim-catalog", None, &[]);
        told("shim", "shim-wire", None, &[]);
        told("shim-store", "shim-telemetry", None, &[]);
        told("shim-dialect", "shim-testkit", Some("dev"), &[]);
        told("shim-testkit", "shim-gateway", None, &[]);
        told("shim-wire", "bytes", None, &[]);
    }
}
