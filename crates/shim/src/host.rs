//! The machine: environment and files, for those who may not look at them.

use std::path::Path;

use shim_gateway::Secrets;

/// Secrets from this process's environment and this machine's files.
pub(crate) struct Host;

impl Secrets for Host {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.trim().is_empty())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
    }
}
