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
    /// A model of it to begin with, where nobody names one: general, calls tools where any of its models does, and not its
    /// dearest. Our choice.
    pub chat_model: Option<String>,
    /// Why there is none, in words that follow a colon.
    pub no_chat_model: Option<String>,
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
    /// The environment variable that its first base URL begins with, where each of its users has an address of their own.
    #[must_use]
    pub fn address_env(&self) -> Option<&str> {
        self.endpoints.first()?.base_url.strip_prefix('{')?.split('}').next()
    }

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
    // A file that does not parse is left out here and fails `every_file_is_sound`.
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
mod tests;
