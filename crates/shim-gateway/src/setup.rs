//! From a validated configuration to what snapshots are built from: the catalogue joined in, secrets resolved.

mod models;
mod provider;

use std::collections::BTreeMap;

use shim_config::{Config, SecretRef};
use shim_ir::{AliasName, TargetId};
use shim_policy::access::MadeKey;
use shim_policy::fidelity::Rule;

use self::provider::provider_setup;
use crate::demo;
use crate::generation::{AliasSetup, Limits, Secret, Setup};
use crate::key::KeySetup;
use crate::record::Recording;

/// Where secrets come from. The binary reads the environment and files; tests do not.
pub trait Secrets {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The content of a file.
    ///
    /// # Errors
    /// With the reason, when it cannot be read.
    fn file(&self, path: &std::path::Path) -> Result<String, String>;
}

/// Why a configuration cannot be put in force here, though it is well-formed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// A secret is not there.
    #[error("{path}: the environment variable {name} is not set")]
    NotSet {
        /// Who needs it.
        path: String,
        /// Which variable.
        name: String,
    },
    /// A secret's file cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Who needs it.
        path: String,
        /// Why.
        why: String,
    },
    /// A secret, header or URL that cannot be sent.
    #[error("{path}: {why}")]
    Unsendable {
        /// Who needs it.
        path: String,
        /// Why.
        why: String,
    },
}

/// Joins `config` with the catalogue, the swaps in force and the keys that were made, and resolves its secrets.
///
/// # Errors
/// With everything that is missing, not only the first.
pub fn resolve(
    config: &Config,
    live: &BTreeMap<AliasName, TargetId>,
    made: &[MadeKey],
    secrets: &dyn Secrets,
) -> Result<Setup, Vec<SecretError>> {
    let mut errors = Vec::new();
    let mut providers = Vec::new();
    for (id, provider) in &config.providers {
        match provider_setup(config, id, provider, secrets) {
            Ok(setup) => providers.push(setup),
            Err(error) => errors.push(error),
        }
    }
    providers.push(demo::provider());
    let keys = keys(config, made, secrets, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let server = &config.server;
    Ok(Setup {
        providers,
        aliases: config.aliases.iter().map(|(name, alias)| alias_setup(name, alias, live)).collect(),
        keys,
        teams: config.teams.clone(),
        require_keys: server.require_keys,
        limits: Limits {
            body_bytes_max: server.body_bytes_max,
            bodies_bytes_max: server.bodies_bytes_max,
            body_timeout: server.body_timeout,
        },
        bare_models: server.bare_models,
        recording: Recording::of(config, made),
        extraction: config.extraction,
    })
}

/// The keys of the file, then those that were made.
fn keys(
    config: &Config,
    made: &[MadeKey],
    secrets: &dyn Secrets,
    errors: &mut Vec<SecretError>,
) -> Vec<KeySetup> {
    let mut keys = Vec::new();
    for (id, key) in &config.keys {
        match read(&key.secret, &format!("keys.{id}.secret"), secrets) {
            Ok(secret) => keys.push(KeySetup::of_file(id, &secret, key.grant.clone())),
            Err(error) => errors.push(error),
        }
    }
    // A key of the file takes the place of a revoked one of its name.
    let in_force = made.iter().filter(|key| key.revoked_ms.is_none() || !config.keys.contains_key(&key.id));
    keys.extend(in_force.map(KeySetup::of_made));
    keys
}

fn alias_setup(
    name: &AliasName,
    alias: &shim_config::Alias,
    live: &BTreeMap<AliasName, TargetId>,
) -> AliasSetup {
    AliasSetup {
        name: name.clone(),
        target: alias.target.clone(),
        fallback: alias.fallback.clone(),
        live: live.get(name).cloned(),
        rule: Rule { strict: alias.fidelity == shim_config::Fidelity::Strict, fields: alias.losses.clone() },
        limits: alias.limits.clone(),
        extraction: alias.extraction,
    }
}

/// Reads a secret.
fn read(secret: &SecretRef, path: &str, secrets: &dyn Secrets) -> Result<Secret, SecretError> {
    let text = text(secret, path, secrets)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(SecretError::Unreadable { path: path.into(), why: "the secret is empty".into() });
    }
    Ok(Secret::new(text.to_owned()))
}

fn text(place: &SecretRef, path: &str, secrets: &dyn Secrets) -> Result<String, SecretError> {
    match place {
        SecretRef::Env(name) => {
            secrets.env(name).ok_or_else(|| SecretError::NotSet { path: path.into(), name: name.clone() })
        }
        SecretRef::File(file) => {
            secrets.file(file).map_err(|why| SecretError::Unreadable { path: path.into(), why })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shim_ir::Dialect;

    use super::{Secrets, resolve};
    use crate::generation::{ServedBy, Setup};

    struct Env(BTreeMap<&'static str, &'static str>);

    impl Secrets for Env {
        fn env(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|v| (*v).to_owned())
        }
        fn file(&self, path: &std::path::Path) -> Result<String, String> {
            Err(format!("{} is not there", path.display()))
        }
    }

    fn setup(text: &str, env: &[(&'static str, &'static str)]) -> Result<Setup, Vec<super::SecretError>> {
        let known: Vec<_> = shim_catalog::providers().iter().map(|p| p.id.as_str()).collect();
        let config = shim_config::parse(text, "t", &known).unwrap();
        resolve(&config, &BTreeMap::new(), &[], &Env(env.iter().copied().collect()))
    }

    fn urls(setup: &Setup) -> Vec<String> {
        let http = |e: &crate::EndpointSetup| match &e.served_by {
            ServedBy::Http(http) => Some(format!("{} {}{}", e.dialect, http.origin, http.base_path)),
            ServedBy::Demo => None,
        };
        setup.providers.iter().flat_map(|p| p.endpoints.iter().filter_map(http)).collect()
    }

    #[test]
    fn a_known_provider_needs_only_a_key_and_keeps_it_to_itself() {
        let made = setup("[providers.anthropic]\nkey={env=\"K\"}\n", &[("K", "sk-secret")]).unwrap();
        assert_eq!(urls(&made)[0], "anthropic https://api.anthropic.com:443");
        assert!(!format!("{made:?}").contains("sk-secret"));
    }

    #[test]
    fn a_dialect_gets_the_headers_it_asks_for() {
        let version = |text: &str, dialect: Dialect| {
            let made = setup(text, &[("K", "k")]).unwrap();
            let endpoint = made.providers[0].endpoints.iter().find(|e| e.dialect == dialect).unwrap();
            let ServedBy::Http(http) = &endpoint.served_by else { panic!("{endpoint:?}") };
            http.headers.get("anthropic-version").map(|v| v.to_str().unwrap().to_owned())
        };
        let text = "[providers.anthropic]\nkey={env=\"K\"}\n";
        assert_eq!(version(text, Dialect::Anthropic).as_deref(), Some("2023-06-01"));
        assert_eq!(version(text, Dialect::OpenaiChat), None);
        let own = "headers={anthropic-version=\"2099-01-01\"}\n";
        assert_eq!(version(&format!("{text}{own}"), Dialect::Anthropic).as_deref(), Some("2099-01-01"));
        let lab = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://lab.test\"\n";
        assert_eq!(version(lab, Dialect::Anthropic).as_deref(), Some("2023-06-01"));
        assert_eq!(version(&format!("{lab}{own}"), Dialect::Anthropic).as_deref(), Some("2099-01-01"));
    }

    #[test]
    fn a_region_is_what_the_configuration_says_or_what_is_known_of_the_host() {
        let check = |text: &str, wanted: Option<&str>| {
            let made = setup(text, &[("K", "k")]).unwrap();
            assert_eq!(made.providers[0].endpoints[0].region.as_deref(), wanted, "{text}");
        };
        check("[providers.mistral]\nkey={env=\"K\"}\n", None);
        check("[providers.mistral]\nbase_url=\"https://api.eu.mistral.ai/v1\"\n", Some("eu"));
        check("[providers.mistral]\nbase_url=\"https://api.eu.mistral.ai/v1\"\nregion=\"ch\"\n", Some("ch"));
        check("[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://lab.test\"\n", None);
    }

    #[test]
    fn everything_missing_is_told_at_once() {
        let text = "[providers.openai]\nkey={env=\"A\"}\n[providers.groq]\nkey={file=\"/b\"}\n[keys.k]\nsecret={env=\"C\"}\n";
        assert_eq!(setup(text, &[]).unwrap_err().len(), 3);
        let text = "[providers.openai]\ntls={ca={env=\"CA\"}}\n";
        let told = setup(text, &[("CA", "no PEM")]).unwrap_err()[0].to_string();
        assert_eq!(told, "providers.openai.tls.ca: there is no certificate in it");
    }

    #[test]
    fn a_moved_provider_keeps_its_dialects_together() {
        let made = setup("[providers.ollama]\nbase_url=\"http://127.0.0.1:9/v1\"\n", &[]).unwrap();
        assert_eq!(
            urls(&made),
            [
                "openai-chat http://127.0.0.1:9/v1",
                "openai-responses http://127.0.0.1:9/v1",
                "anthropic http://127.0.0.1:9"
            ]
        );
        let azure =
            setup("[providers.azure]\n", &[("AZURE_OPENAI_ENDPOINT", "https://r.example.com/")]).unwrap();
        assert_eq!(urls(&azure)[0], "openai-responses https://r.example.com:443/openai/v1");
        assert!(setup("[providers.azure]\n", &[]).is_err());
    }

    /// Where clients of each dialect are answered, in the order of [`Dialect::ALL`].
    #[track_caller]
    fn asked(text: &str, model: &str, wanted: [Dialect; 4]) {
        let made = setup(text, &[("AZURE_OPENAI_ENDPOINT", "https://r.example.com")]).unwrap();
        let model = shim_ir::ModelId::new(model).unwrap();
        let told = Dialect::ALL.map(|client| made.providers[0].asked(&model, client).unwrap().dialect);
        assert_eq!(told, wanted, "{text} {model}");
    }

    #[test]
    fn a_model_is_asked_where_its_reasoning_is_kept() {
        use Dialect::{Anthropic, Gemini, OpenaiChat as Chat, OpenaiResponses as Responses};
        let of = |client: Dialect, otherwise: Dialect| {
            Dialect::ALL.map(|own| if own == client { own } else { otherwise })
        };
        for provider in ["openai", "azure"] {
            let text = format!("[providers.{provider}]\n");
            asked(&text, "gpt-5.2", of(Chat, Responses));
            asked(&text, "gpt-5-codex", [Responses; 4]);
            asked(&text, "gpt-audio", [Chat; 4]);
            asked(&text, "gpt-4o", of(Responses, Chat));
        }
        asked("[providers.azure]\n", "deepseek-r1", [Chat; 4]);
        asked("[providers.xai]\n", "grok-4.5", [Responses; 4]);
        asked("[providers.anthropic]\n", "claude-opus-5-5", [Anthropic; 4]);
        asked("[providers.google]\n", "gemini-3.1-pro-preview", [Gemini; 4]);
        asked("[providers.deepseek]\n", "deepseek-v4-pro", of(Anthropic, Chat));
        asked("[providers.perplexity]\n", "sonar-pro", [Chat; 4]);
        asked("[providers.perplexity]\n", "openai/gpt-5.2", [Responses; 4]);
    }

    #[test]
    fn the_configuration_says_in_which_dialects_a_model_is_asked() {
        use Dialect::{Anthropic, OpenaiChat as Chat};
        let text = "[providers.anthropic]\nasked_in = { \"claude-haiku*\" = [\"openai-chat\"] }\n";
        asked(text, "claude-haiku-4-5", [Chat; 4]);
        asked(text, "claude-opus-5-5", [Anthropic; 4]);
        // A place of one's own is meant to be used.
        let text = "[providers.anthropic.dialects.openai-chat]\nbase_url = \"http://lab.test/v1\"\n";
        asked(text, "claude-opus-5-5", Dialect::ALL.map(|own| if own == Anthropic { own } else { Chat }));
        let text = "[providers.anthropic]\nasked_in = { \"*\" = [\"gemini\"] }\n";
        let told = setup(text, &[]).unwrap_err()[0].to_string();
        let wanted = "providers.anthropic.asked_in.*: it is not known where it speaks gemini: \
                      set dialects.gemini.base_url";
        assert_eq!(told, wanted);
    }

    /// A proxy in front of a provider speaks what it speaks, and its key is not the public host's.
    #[test]
    fn a_known_provider_that_is_elsewhere_is_asked_nowhere_else() {
        let text = "[providers.anthropic]\ndialect=\"anthropic\"\nbase_url=\"http://proxy.test\"\n";
        assert_eq!(urls(&setup(text, &[]).unwrap()), ["anthropic http://proxy.test:80"]);
        let more = format!("{text}dialects.openai-chat.base_url=\"http://proxy.test/v1\"\n");
        let both = ["anthropic http://proxy.test:80", "openai-chat http://proxy.test:80/v1"];
        assert_eq!(urls(&setup(&more, &[]).unwrap()), both);
        let further = "[providers.anthropic]\ndialects.openai-responses.base_url=\"http://proxy.test/v1\"\n";
        let made = urls(&setup(further, &[]).unwrap());
        assert_eq!(
            made[..2],
            ["openai-responses http://proxy.test:80/v1", "anthropic https://api.anthropic.com:443"]
        );
    }
}
