//! Providers as data: where each is, how it speaks, where its credential is looked for.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use shim_ir::Dialect;

use crate::{Billing, Quirk, SnapshotSuffix, fits};

/// One provider.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its id in targets and configuration.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its API documentation.
    pub docs: String,
    /// When that was read, as a date.
    pub read: String,
    /// Other ids it goes by elsewhere.
    pub aliases: Vec<String>,
    /// Environment variables its credential is looked for in, in this order.
    pub key_env: Vec<String>,
    /// Headers of clients that go on to it, beyond those that go to all.
    pub request_headers: Vec<String>,
    /// Of those that list values, which values go on to it. All go on of a header that is not here: providers that say nothing
    /// of `anthropic-beta` have Claude Code pointed at them by their own guides, and it sends its betas to whom it talks to.
    #[serde(default)]
    pub header_values: Vec<HeaderValues>,
    /// Whether its chat streams tell their usage.
    pub stream_usage: StreamUsage,
    /// Where that is documented, where it is not as with OpenAI.
    pub stream_usage_source: Option<String>,
    /// How it names the dated snapshots of a model; `None` where it documents no rule.
    pub snapshots: Option<Snapshots>,
    /// How a server of it on this machine is recognised.
    pub probe: Option<Probe>,
    /// Hosts of it of which it documents where requests are processed.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// What it bills otherwise than by the list prices of tokens.
    pub billing: Option<Billing>,
    /// In which dialects some of its models are asked, where it is not any that it speaks; of several entries that are of a
    /// model the first holds.
    #[serde(default)]
    pub asked_in: Vec<AskedIn>,
    /// From which length on it caches prompts; of several entries that are of a model the first holds.
    #[serde(default)]
    pub cached_from: Vec<CachedFrom>,
    /// The dialects it speaks; a client of another dialect is answered by the first.
    pub endpoints: Vec<Endpoint>,
}

/// In which dialects some models of a provider are asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AskedIn {
    /// The names of the models, `*` standing for any text.
    pub models: Vec<String>,
    dialects: Vec<String>,
    /// Why these, in a sentence.
    pub why: String,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

impl AskedIn {
    /// The dialects: a client of one of them is answered in its own, any other by the first.
    #[must_use]
    pub fn dialects(&self) -> Vec<Dialect> {
        self.dialects.iter().filter_map(|name| name.parse().ok()).collect()
    }
}

/// From which length on prompts of some models are cached.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CachedFrom {
    /// The names of the models, `*` standing for any text.
    pub models: Vec<String>,
    /// The shortest prompt that is cached, in tokens.
    pub tokens_min: u64,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// Where requests to a host are processed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The host.
    pub host: String,
    /// The region, in lower case: `eu`.
    pub region: String,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// Which values of a header go on to a provider.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HeaderValues {
    /// The header.
    pub header: String,
    /// The values, `*` standing for any text. What fits none is left out; where nothing is left, so is the header.
    pub allow: Vec<String>,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// Whether chat streams tell their usage.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum StreamUsage {
    /// When asked by `stream_options.include_usage`.
    Option,
    /// Always; asking is not needed, and may be refused.
    Always,
    /// Never.
    Never,
}

/// How dated snapshots of a model are named.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Snapshots {
    /// What is behind the model's name.
    pub suffix: SnapshotSuffix,
    /// Where that is documented.
    pub source: String,
}

/// How a model server on this machine is recognised.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its usual port on loopback.
    pub port: u16,
    /// A path that it answers with 200, and servers of other kinds do not.
    pub path: String,
    /// What its answer there holds: other programs listen on that port too, and some answer 200 to anything.
    pub marker: String,
}

/// One dialect of a provider.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    dialect: String,
    /// What the dialect's own paths are appended to. `{NAME}` stands for an environment variable.
    pub base_url: String,
    /// Where the credential goes.
    pub auth: Auth,
    /// Headers that the dialect asks for, sent where the client sends none of that name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where this is documented.
    pub source: String,
    /// What a user should know of it.
    pub note: Option<String>,
    /// That it has no counter of tokens, though its dialect has one, and who says so.
    pub no_counter: Option<Stated>,
    /// Its oddities.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
}

/// Who says something.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// Where.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// Where a credential goes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
    /// `x-goog-api-key: …`
    XGoogApiKey,
    /// `api-key: …`
    ApiKey,
}

impl Auth {
    /// The name of the header the credential goes in.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::XApiKey => "x-api-key",
            Self::XGoogApiKey => "x-goog-api-key",
            Self::ApiKey => "api-key",
        }
    }

    /// The value of that header.
    #[must_use]
    pub fn value(self, secret: &str) -> String {
        if self == Self::Bearer { format!("Bearer {secret}") } else { secret.to_owned() }
    }

    /// Where a credential goes in `dialect` by its own specification.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => Self::Bearer,
            Dialect::Anthropic => Self::XApiKey,
            Dialect::Gemini => Self::XGoogApiKey,
        }
    }

    /// The headers that `dialect` wants by its own specification, beside the credential's: name and value.
    /// Source: <https://platform.claude.com/docs/en/api/versioning>, read 2026-11-25.
    #[must_use]
    pub const fn beside(dialect: Dialect) -> &'static [(&'static str, &'static str)] {
        match dialect {
            Dialect::Anthropic => &[("anthropic-version", "2023-06-01")],
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini => &[],
        }
    }
}

impl Endpoint {
    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect.parse().ok()
    }
}

impl Provider {
    /// Its endpoint of this dialect.
    #[must_use]
    pub fn endpoint(&self, dialect: Dialect) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.dialect() == Some(dialect))
    }
}

/// The files, with the id each is named after.
macro_rules! files {
    ($($id:literal)*) => { [$(($id, include_str!(concat!("../data/providers/", $id, ".toml")))),*] };
}

const FILES: [(&str, &str); 29] = files![
    "alibaba" "anthropic" "azure" "baseten" "cerebras" "cohere" "deepinfra" "deepseek" "fireworks" "google" "groq"
    "huggingface" "llamacpp" "lmstudio" "minimax" "mistral" "moonshot" "nebius" "nvidia" "ollama" "openai"
    "openrouter" "perplexity" "sambanova" "sglang" "together" "vllm" "xai" "zai"
];

/// All providers, by id.
#[must_use]
pub fn providers() -> &'static [Provider] {
    static PROVIDERS: OnceLock<Vec<Provider>> = OnceLock::new();
    // A file that does not parse is left out here and fails the test below.
    PROVIDERS.get_or_init(|| FILES.iter().filter_map(|(_, text)| toml::from_str(text).ok()).collect())
}

/// The provider of this id, or that goes by it elsewhere.
#[must_use]
pub fn provider(id: &str) -> Option<&'static Provider> {
    let all = providers();
    all.iter().find(|p| p.id == id).or_else(|| all.iter().find(|p| p.aliases.iter().any(|a| a == id)))
}

/// The shortest prompt of `model` that the provider of this id caches, in tokens; `None` where it does not say.
#[must_use]
pub fn cached_from(id: &str, model: &str) -> Option<u64> {
    let is_of = |row: &&CachedFrom| row.models.iter().any(|pattern| fits(pattern, model));
    provider(id)?.cached_from.iter().find(is_of).map(|row| row.tokens_min)
}

/// The region in which requests to `host` are processed, where its provider documents one. All others are unknown.
#[must_use]
pub fn region(host: &str) -> Option<&'static str> {
    let mut regions = providers().iter().flat_map(|provider| &provider.regions);
    regions.find(|region| region.host.eq_ignore_ascii_case(host)).map(|region| region.region.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, FILES, Provider, StreamUsage, cached_from, provider, providers, region};

    #[test]
    fn every_file_is_sound() {
        for (id, text) in FILES {
            let provider: Provider = toml::from_str(text).unwrap_or_else(|e| panic!("{id}: {e}"));
            assert_eq!(provider.id, id);
            assert!(!provider.endpoints.is_empty(), "{id}");
            assert_eq!(provider.probe.is_some(), provider.key_env.is_empty(), "{id}");
            assert!(crate::Date::parse(&provider.read).is_some(), "{id}");
            let sources =
                [provider.stream_usage_source.as_ref(), provider.snapshots.as_ref().map(|s| &s.source)];
            for source in sources.into_iter().flatten().chain([&provider.docs]) {
                assert!(source.starts_with("https://"), "{id}: {source}");
            }
            assert_eq!(
                provider.stream_usage_source.is_some(),
                provider.stream_usage != StreamUsage::Option,
                "{id}"
            );
            provider.endpoints.iter().for_each(|endpoint| sound(&provider, endpoint));
            for name in &provider.key_env {
                let named = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                assert!(named && name.starts_with(|c: char| c.is_ascii_uppercase()), "{id}: {name}");
            }
            assert!(provider.request_headers.iter().all(|name| is_header(name)), "{id}");
            for stated in &provider.regions {
                assert!(stated.source.starts_with("https://"), "{id}: {stated:?}");
                assert!(crate::Date::parse(&stated.read).is_some(), "{id}: {stated:?}");
                assert_eq!(stated.region, stated.region.to_ascii_lowercase(), "{id}: {stated:?}");
            }
            for asked in &provider.asked_in {
                assert!(asked.source.starts_with("https://"), "{id}: {asked:?}");
                assert!(crate::Date::parse(&asked.read).is_some(), "{id}: {asked:?}");
                assert!(asked.why.ends_with('.') && !asked.models.is_empty(), "{id}: {asked:?}");
                let dialects = asked.dialects();
                assert!(!dialects.is_empty() && dialects.len() == asked.dialects.len(), "{id}: {asked:?}");
                assert!(dialects.iter().all(|d| provider.endpoint(*d).is_some()), "{id}: {asked:?}");
            }
            for row in &provider.cached_from {
                assert!(row.source.starts_with("https://"), "{id}: {row:?}");
                assert!(crate::Date::parse(&row.read).is_some(), "{id}: {row:?}");
                assert!(!row.models.is_empty() && row.tokens_min > 0, "{id}: {row:?}");
            }
            for listed in &provider.header_values {
                assert!(provider.request_headers.contains(&listed.header), "{id}: {listed:?} never passes");
                assert!(listed.source.starts_with("https://"), "{id}: {listed:?}");
                assert!(crate::Date::parse(&listed.read).is_some(), "{id}: {listed:?}");
            }
        }
        assert_eq!(providers().len(), FILES.len());
    }

    #[track_caller]
    fn sound(provider: &Provider, endpoint: &Endpoint) {
        let id = &provider.id;
        let dialect = endpoint.dialect().unwrap_or_else(|| panic!("{id}: {endpoint:?}"));
        assert!(std::ptr::eq(provider.endpoint(dialect).unwrap(), endpoint), "{id}: {dialect} twice");
        assert!(endpoint.source.starts_with("https://"), "{id}: {endpoint:?}");
        if let Some(stated) = &endpoint.no_counter {
            assert!(stated.source.starts_with("https://"), "{id}: {stated:?}");
            assert!(crate::Date::parse(&stated.read).is_some(), "{id}: {stated:?}");
            assert_ne!(dialect, shim_ir::Dialect::OpenaiChat, "{id}: nobody counts there");
        }
        endpoint.quirks.iter().for_each(|quirk| quirk.sound(&format!("{id}: {dialect}")));
        let base = &endpoint.base_url;
        let port = provider.probe.as_ref().map(|probe| format!("http://127.0.0.1:{}", probe.port));
        let local = port.is_some_and(|origin| base.starts_with(&origin));
        assert!(local || base.starts_with("https://") || base.starts_with('{'), "{base}");
        assert!(!base.ends_with('/'), "{base}");
        assert!(endpoint.headers.keys().all(|name| is_header(name)), "{id}");
        // The default of a header never keeps the client's own from passing.
        assert!(endpoint.headers.keys().all(|name| provider.request_headers.contains(name)), "{id}");
    }

    fn is_header(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }

    #[test]
    fn regions_are_of_hosts_that_are_documented_and_of_no_others() {
        assert_eq!(region("api.eu.mistral.ai"), Some("eu"));
        assert_eq!(region("EU.api.openai.com"), Some("eu"));
        assert_eq!(
            (region("api.openai.com"), region("api.mistral.ai"), region("lab.test")),
            (None, None, None)
        );
    }

    #[test]
    fn each_model_is_cached_from_a_length_of_its_own() {
        for (provider, model, wanted) in [
            ("openai", "gpt-5.2", Some(1024)),
            ("anthropic", "claude-haiku-4-5-20251001", Some(4096)),
            ("claude", "claude-sonnet-4-6", Some(1024)),
            ("google", "gemini-2.5-pro", Some(2048)),
            ("google", "gemini-3.1-pro-preview", Some(4096)),
            ("groq", "llama", None),
            ("lab", "m", None),
        ] {
            assert_eq!(cached_from(provider, model), wanted, "{provider}/{model}");
        }
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: Vec<_> = providers().iter().map(|p| p.id.as_str()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let mut names: Vec<_> = providers().iter().flat_map(|p| p.aliases.iter().chain([&p.id])).collect();
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert_eq!(provider("gemini").map(|p| p.id.as_str()), Some("google"));
        assert_eq!(provider("nobody"), None);
    }

    /// The providers that the first issue names.
    #[test]
    fn the_promised_are_there() {
        for id in [
            "openai",
            "anthropic",
            "google",
            "deepseek",
            "mistral",
            "groq",
            "xai",
            "openrouter",
            "together",
            "fireworks",
            "cerebras",
            "perplexity",
            "moonshot",
            "zai",
            "azure",
            "cohere",
            "huggingface",
            "ollama",
            "lmstudio",
            "llamacpp",
            "vllm",
            "sglang",
        ] {
            assert!(provider(id).is_some(), "{id}");
        }
    }

    #[test]
    fn every_file_is_embedded() {
        for (folder, end) in [("providers", "toml"), ("models", "tsv")] {
            let path = format!("{}/data/{folder}", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(path).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let id = name.strip_suffix(&format!(".{end}")).unwrap_or_else(|| panic!("{name}"));
                assert!(FILES.iter().any(|(file, _)| *file == id), "{name}");
                assert!(folder == "providers" || !crate::models(id).is_empty(), "{name}");
            }
        }
    }
}
