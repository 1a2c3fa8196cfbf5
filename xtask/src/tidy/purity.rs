//! The core looks at nothing outside: each core crate's `clippy.toml` says so to clippy, which sees through names, and
//! its text names no module it could look through.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::source::Source;

/// The core crates. Those that are not there yet are passed over.
pub(super) const CORE: [&str; 7] =
    ["shim-wire", "shim-ir", "shim-dialect", "shim-catalog", "shim-policy", "shim-learn", "shim-config"];

/// What each core crate's `clippy.toml` must ban.
const BANNED: [&str; 12] = [
    "std::env::var",
    "std::env::vars",
    "std::env::var_os",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::fs::File",
    "std::net::TcpStream",
];

/// What no core crate's text may hold, outside its tests.
const OUTSIDE: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio::",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Clippy {
    #[serde(default)]
    disallowed_methods: Vec<Ban>,
    #[serde(default)]
    disallowed_types: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    path: String,
}

/// Where the core crates may look outside.
pub(super) fn check(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for name in CORE {
        let folder = root.join("crates").join(name);
        if folder.is_dir() {
            let text = fs::read_to_string(folder.join("clippy.toml")).unwrap_or_default();
            found.extend(
                unbanned(&text)
                    .unwrap_or_else(|e| vec![format!("{e:#}")])
                    .into_iter()
                    .map(|what| format!("crates/{name}/clippy.toml: does not ban {what}")),
            );
        }
    }
    found.extend(sources.iter().filter(|source| CORE.contains(&source.krate())).flat_map(looks_outside));
    found
}

/// What a core crate's `clippy.toml` does not ban.
fn unbanned(text: &str) -> Result<Vec<String>> {
    let clippy: Clippy = toml::from_str(text).context("it does not parse")?;
    let has = |path: &str| {
        clippy.disallowed_methods.iter().chain(&clippy.disallowed_types).any(|ban| ban.path == path)
    };
    Ok(BANNED.iter().filter(|path| !has(path)).map(|path| (*path).to_owned()).collect())
}

fn looks_outside(source: &Source) -> Vec<String> {
    let named = OUTSIDE.iter().filter(|name| source.shipped.contains(*name));
    named.map(|name| format!("{}: the core does not look at {name}", source.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::{BANNED, looks_outside, unbanned};
    use crate::tidy::source::Source;

    #[test]
    fn a_ban_that_is_missing_is_found() {
        let ban = |paths: &[&str]| {
            let bans: Vec<_> = paths.iter().map(|path| format!("{{ path = \"{path}\" }}")).collect();
            format!("disallowed-methods = [{}]", bans.join(","))
        };
        assert_eq!(unbanned(&ban(&BANNED)).unwrap(), [""; 0]);
        assert_eq!(unbanned(&ban(&BANNED[1..])).unwrap(), ["std::env::var"]);
        assert_eq!(unbanned("").unwrap().len(), BANNED.len());
    }

    #[test]
    fn a_look_outside_is_found_but_not_in_tests() {
        let at = |text: &str| looks_outside(&Source::new("crates/shim-ir/src/a.rs", text)).len();
        assert_eq!(at("use std::time::SystemTime;"), 1);
        assert_eq!(at("// std::fs\n#[cfg(test)]\nmod tests { use std::fs; }"), 0);
    }
}
