//! Providers as data: where each is, how it speaks, where its credential is looked for.

use std::sync::OnceLock;

use serde::Deserialize;
use shim_ir::Dialect;

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
    /// Whether its chat streams tell their usage.
    pub stream_usage: StreamUsage,
    /// How a server of it on this machine is recognised.
    pub probe: Option<Probe>,
    /// The dialects it speaks, its own first.
    pub endpoints: Vec<Endpoint>,
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

/// How a model server on this machine is recognised.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its usual port on loopback.
    pub port: u16,
    /// A path that it answers with 200, and servers of other kinds do not.
    pub path: String,
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
    /// Where this is documented.
    pub source: String,
    /// What a user should know of it.
    pub note: Option<String>,
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

const FILES: [&str; 22] = [
    include_str!("../data/providers/anthropic.toml"),
    include_str!("../data/providers/azure.toml"),
    include_str!("../data/providers/cerebras.toml"),
    include_str!("../data/providers/cohere.toml"),
    include_str!("../data/providers/deepseek.toml"),
    include_str!("../data/providers/fireworks.toml"),
    include_str!("../data/providers/google.toml"),
    include_str!("../data/providers/groq.toml"),
    include_str!("../data/providers/huggingface.toml"),
    include_str!("../data/providers/llamacpp.toml"),
    include_str!("../data/providers/lmstudio.toml"),
    include_str!("../data/providers/mistral.toml"),
    include_str!("../data/providers/moonshot.toml"),
    include_str!("../data/providers/ollama.toml"),
    include_str!("../data/providers/openai.toml"),
    include_str!("../data/providers/openrouter.toml"),
    include_str!("../data/providers/perplexity.toml"),
    include_str!("../data/providers/sglang.toml"),
    include_str!("../data/providers/together.toml"),
    include_str!("../data/providers/vllm.toml"),
    include_str!("../data/providers/xai.toml"),
    include_str!("../data/providers/zai.toml"),
];

/// All providers, by id.
#[must_use]
pub fn providers() -> &'static [Provider] {
    static PROVIDERS: OnceLock<Vec<Provider>> = OnceLock::new();
    // A file that does not parse is left out here and fails the test below.
    PROVIDERS.get_or_init(|| FILES.iter().filter_map(|text| toml::from_str(text).ok()).collect())
}

/// The provider of this id, or that goes by it elsewhere.
#[must_use]
pub fn provider(id: &str) -> Option<&'static Provider> {
    let all = providers();
    all.iter().find(|p| p.id == id).or_else(|| all.iter().find(|p| p.aliases.iter().any(|a| a == id)))
}

#[cfg(test)]
mod tests {
    use super::{FILES, Provider, providers};

    #[test]
    fn every_file_is_sound() {
        for text in FILES {
            let provider: Provider = toml::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(!provider.endpoints.is_empty(), "{}", provider.id);
            assert_eq!(provider.probe.is_some(), provider.key_env.is_empty(), "{}", provider.id);
            for endpoint in &provider.endpoints {
                assert!(endpoint.dialect().is_some(), "{}: {endpoint:?}", provider.id);
                assert!(endpoint.source.starts_with("https://"), "{}: {endpoint:?}", provider.id);
                let base = &endpoint.base_url;
                let local = base.starts_with("http://127.0.0.1:") && provider.probe.is_some();
                assert!(local || base.starts_with("https://") || base.starts_with('{'), "{base}");
                assert!(!base.ends_with('/'), "{base}");
            }
            for name in &provider.key_env {
                assert!(
                    name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                    "{name}"
                );
            }
        }
        assert_eq!(providers().len(), FILES.len());
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: Vec<_> = providers().iter().map(|p| p.id.as_str()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(super::provider("gemini").map(|p| p.id.as_str()), Some("google"));
    }
}
