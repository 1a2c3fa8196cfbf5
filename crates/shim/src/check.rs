//! `shim check`: what is wrong with a configuration, all of it at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use shim_config::{Config, Problems};
use shim_gateway::{Secrets, Snapshot};
use shim_ir::Generation;
use shim_telemetry::Metrics;

use crate::cli::Check;
use crate::console;
use crate::host::Host;
use crate::serve::{secret, tls};

/// Reads and validates a file.
pub(crate) fn load(path: &Path) -> Result<Result<Config, Problems>> {
    Ok(validate(path, &read(path)?))
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Validates the text of the file at `path`.
pub(crate) fn validate(path: &Path, text: &str) -> Result<Config, Problems> {
    let known: Vec<&str> = shim_catalog::providers().iter().map(|p| p.id.as_str()).collect();
    shim_config::parse(text, &path.display().to_string(), &known)
}

/// What a well-formed configuration needs and this machine does not have.
pub(crate) fn missing(config: &Config) -> Vec<String> {
    let mut problems = match shim_gateway::resolve(config, &BTreeMap::new(), &[], &Host) {
        Ok(setup) => Snapshot::build(Generation(0), &setup, &Metrics::new())
            .err()
            .map(|e| e.to_string())
            .into_iter()
            .collect(),
        Err(missing) => missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    let secret = config.server.operators_secret.as_ref().map(secret).transpose();
    problems.extend(secret.err().map(|e| format!("server.operators_secret: {e:#}")));
    problems.extend(tls(config).err().map(|e| format!("server.tls: {e:#}")));
    problems
}

/// What is no mistake by itself, and may well be one: providers that want a key and have none.
pub(crate) fn notes(config: &Config, secrets: &dyn Secrets) -> Vec<String> {
    let keyless = config.providers.iter().filter(|(_, provider)| {
        provider.key.is_none() && provider.base_url.is_none() && provider.endpoints.is_empty()
    });
    let known = keyless.filter_map(|(id, _)| shim_catalog::provider(id.as_str()));
    let unset = known.filter(|p| !p.key_env.is_empty() && p.key_env.iter().all(|k| secrets.env(k).is_none()));
    unset
        .map(|p| format!("providers.{}: it has no key, and {} is not set", p.id, p.key_env.join(" or ")))
        .collect()
}

pub(crate) fn check(args: &Check) -> Result<ExitCode> {
    let (problems, notes) = match load(&args.config)? {
        Err(problems) => (problems.to_string().lines().map(str::to_owned).collect(), Vec::new()),
        Ok(config) => (missing(&config), notes(&config, &Host)),
    };
    if args.json {
        let told = serde_json::json!({ "ok": problems.is_empty(), "problems": problems, "notes": notes });
        console::say_json(&told);
    } else {
        problems.iter().for_each(|problem| console::say(problem));
        notes.iter().for_each(|note| console::say(&format!("note: {note}")));
        if problems.is_empty() {
            console::say(&format!("{} is fine", args.config.display()));
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use shim_gateway::Secrets;

    use super::{notes, validate};

    /// An environment with this variable alone.
    struct With(&'static str);

    impl Secrets for With {
        fn env(&self, name: &str) -> Option<String> {
            (name == self.0).then(|| "k".to_owned())
        }
        fn file(&self, path: &Path) -> Result<String, String> {
            Err(path.display().to_string())
        }
    }

    #[test]
    fn a_provider_that_wants_a_key_and_has_none_is_noted() {
        let told = |text: &str, variable: &'static str| {
            notes(&validate(Path::new("shim.toml"), text).unwrap(), &With(variable))
        };
        let bare = "[providers.google]\n[providers.ollama]\n";
        let wanted = ["providers.google: it has no key, and GEMINI_API_KEY or GOOGLE_API_KEY is not set"];
        assert_eq!(told(bare, "NONE"), wanted);
        assert!(told(bare, "GOOGLE_API_KEY").is_empty());
        assert!(told("[providers.google]\nbase_url = \"http://proxy.test\"\n", "NONE").is_empty());
    }
}
