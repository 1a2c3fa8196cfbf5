//! `shim check`: what is wrong with a configuration, all of it at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;
use shim_catalog::nearest;
use shim_config::{Config, Problems};
use shim_gateway::{Secrets, Snapshot};
use shim_ir::{AliasName, Generation, ProviderId};
use shim_policy::calendar::print_moment;
use shim_telemetry::Metrics;

use crate::cli::Check;
use crate::console;
use crate::host::Host;
use crate::keys::now_ms;
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

/// What is no mistake by itself, and may well be one.
pub(crate) fn notes(config: &Config, secrets: &dyn Secrets) -> Vec<String> {
    let mut notes = keyless(config, secrets);
    notes.extend(expired(config, now_ms()));
    notes.extend(allowed_in_vain(config));
    notes
}

/// Keys that are no longer good.
fn expired(config: &Config, now_ms: u64) -> Vec<String> {
    let moments = config.keys.iter().filter_map(|(id, key)| Some((id, key.grant.expires_ms?)));
    let over = moments.filter(|(_, expires_ms)| *expires_ms <= now_ms);
    over.map(|(id, expires_ms)| format!("keys.{id}: it expired at {}", print_moment(expires_ms))).collect()
}

/// What keys may ask for and nothing answers to. A model of a provider that is there counts, listed or not; with bare names
/// any word may be one.
fn allowed_in_vain(config: &Config) -> Vec<String> {
    if config.server.bare_models {
        return Vec::new();
    }
    let built_in = ["demo"].into_iter();
    let providers: Vec<_> = config.providers.keys().map(ProviderId::as_str).chain(built_in).collect();
    let aliases: Vec<_> = config.aliases.keys().map(AliasName::as_str).collect();
    let answers = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => {
            let of_provider =
                |id: &&str| format!("{id}/").starts_with(start) || start.starts_with(&format!("{id}/"));
            aliases.iter().any(|alias| alias.starts_with(start)) || providers.iter().any(of_provider)
        }
        None => {
            let provider = pattern.split_once('/').map(|(provider, _)| provider);
            aliases.contains(&pattern) || provider.is_some_and(|provider| providers.contains(&provider))
        }
    };
    let mut notes = Vec::new();
    for (id, key) in &config.keys {
        for pattern in key.grant.allow.iter().filter(|pattern| !answers(pattern)) {
            let near = nearest(pattern, aliases.iter().copied(), 1);
            let hint = near.first().map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            notes.push(format!("keys.{id}.allow: no alias or provider answers to \"{pattern}\"{hint}"));
        }
    }
    notes
}

/// Providers that want a key and have none.
fn keyless(config: &Config, secrets: &dyn Secrets) -> Vec<String> {
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
    let loaded = match load(&args.config) {
        Err(unreadable) if args.json => {
            let told = json!({ "ok": false, "problems": [format!("{unreadable:#}")], "notes": [] });
            console::say_json(&told);
            return Ok(ExitCode::FAILURE);
        }
        loaded => loaded?,
    };
    let (problems, notes) = match loaded {
        Err(problems) => (problems.to_string().lines().map(str::to_owned).collect(), Vec::new()),
        Ok(config) => (missing(&config), notes(&config, &Host)),
    };
    if args.json {
        let told = json!({ "ok": problems.is_empty(), "problems": problems, "notes": notes });
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

    #[test]
    fn a_key_that_expired_or_may_ask_for_nothing_is_noted() {
        let text = "[aliases.chat]\ntarget = \"demo/hello\"\n[keys.k]\nsecret = { env = \"K\" }\nexpires = \"2020-01-01\"\n\
                    allow = [\"chat\", \"ch*\", \"demo/any\", \"demo/*\", \"de*\", \"chta\", \"openai/*\", \"x/y\"]\n";
        let told = |text: &str| notes(&validate(Path::new("shim.toml"), text).unwrap(), &With("NONE"));
        let wanted = [
            "keys.k: it expired at 2020-01-01T00:00:00Z",
            "keys.k.allow: no alias or provider answers to \"chta\"; did you mean \"chat\"?",
            "keys.k.allow: no alias or provider answers to \"openai/*\"",
            "keys.k.allow: no alias or provider answers to \"x/y\"",
        ];
        assert_eq!(told(text), wanted);
        let bare = format!("[server]\nbare_models = true\n{text}");
        assert_eq!(told(&bare), wanted[..1]);
    }
}
