//! From a validated configuration to what snapshots are built from: the catalogue joined in, secrets resolved.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use shim_catalog::{Auth, OwnPrice, StreamUsage};
use shim_config::{Config, SecretRef};
use shim_ir::{AliasName, Dialect, ModelId, ProviderId, TargetId};
use shim_policy::access::MadeKey;
use shim_policy::fidelity::Rule;
use shim_upstream::{Origin, Roots, Timeouts};

use crate::generation::{
    AliasSetup, EndpointSetup, HttpSetup, KnownModel, Limits, ProviderSetup, Secret, ServedBy, Setup,
};
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
    providers.push(demo());
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
    if !errors.is_empty() {
        return Err(errors);
    }
    let alias = |(name, alias): (&AliasName, &shim_config::Alias)| AliasSetup {
        name: name.clone(),
        target: alias.target.clone(),
        fallback: alias.fallback.clone(),
        live: live.get(name).cloned(),
        rule: Rule { strict: alias.fidelity == shim_config::Fidelity::Strict, fields: alias.losses.clone() },
        limits: alias.limits.clone(),
    };
    Ok(Setup {
        providers,
        aliases: config.aliases.iter().map(alias).collect(),
        keys,
        teams: config.teams.clone(),
        require_keys: config.server.require_keys,
        limits: Limits {
            body_bytes_max: config.server.body_bytes_max,
            bodies_bytes_max: config.server.bodies_bytes_max,
            body_timeout: config.server.body_timeout,
        },
        bare_models: config.server.bare_models,
        recording: Recording::of(config, made),
    })
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

/// Reads the root certificates of a provider that has its own.
fn roots(
    provider: &shim_config::Provider,
    path: &str,
    secrets: &dyn Secrets,
) -> Result<Option<Roots>, SecretError> {
    let Some(place) = &provider.ca else { return Ok(None) };
    let path = format!("{path}.tls.ca");
    let roots = Roots::parse(&text(place, &path, secrets)?);
    roots.map(Some).map_err(|why| SecretError::Unreadable { path, why: why.to_string() })
}

fn provider_setup(
    config: &Config,
    id: &ProviderId,
    provider: &shim_config::Provider,
    secrets: &dyn Secrets,
) -> Result<ProviderSetup, SecretError> {
    let path = format!("providers.{id}");
    let known = shim_catalog::provider(id.as_str());
    let secret = match (&provider.key, known) {
        (Some(key), _) => Some(read(key, &format!("{path}.key"), secrets)?),
        (None, Some(known)) => {
            known.key_env.iter().find_map(|name| secrets.env(name)).map(|s| Secret::new(s.trim().to_owned()))
        }
        (None, None) => None,
    };
    let roots = roots(provider, &path, secrets)?;
    let mut endpoints = Vec::new();
    for (dialect, base_url, auth) in places(provider, known, secrets) {
        let http = http(provider, known, dialect, &base_url, auth, secret.as_ref());
        let mut http = http.map_err(|why| SecretError::Unsendable { path: path.clone(), why })?;
        http.origin = http.origin.trusting(roots.clone());
        let known = known.and_then(|known| known.endpoint(dialect));
        let counter = known.is_none_or(|endpoint| endpoint.no_counter.is_none());
        let region = provider.region.as_deref().or_else(|| shim_catalog::region(http.origin.host()));
        let region = region.map(Into::into);
        endpoints.push(EndpointSetup { dialect, served_by: ServedBy::Http(Box::new(http)), counter, region });
    }
    if endpoints.is_empty() {
        return Err(SecretError::Unsendable { path, why: "its base URL is not known: set base_url".into() });
    }
    let asked_in = asked_in(provider, known, &endpoints, &path)?;
    let t = provider.timeouts.unwrap_or(config.timeouts);
    Ok(ProviderSetup {
        id: id.clone(),
        endpoints,
        asked_in,
        models: models(id, provider),
        think_tags: provider.think_tags.clone(),
        prices: provider.prices.clone(),
        timeouts: Timeouts { connect: t.connect, first_byte: t.first_byte, idle: t.idle, total: t.total },
        credential: credential_name(provider, known),
    })
}

/// The name of the credential's place, in words safe to show.
fn credential_name(
    provider: &shim_config::Provider,
    known: Option<&shim_catalog::Provider>,
) -> Option<String> {
    match &provider.key {
        Some(SecretRef::Env(name)) => Some(name.clone()),
        Some(SecretRef::File(file)) => Some(file.display().to_string()),
        None => known.and_then(|k| k.key_env.first().cloned()),
    }
}

/// Dialect, base URL and place of the credential of every endpoint: the configuration's own, else the catalogue's.
fn places(
    provider: &shim_config::Provider,
    known: Option<&shim_catalog::Provider>,
    secrets: &dyn Secrets,
) -> Vec<(Dialect, String, Auth)> {
    let mut places: Vec<_> = provider
        .endpoints
        .iter()
        .map(|e| {
            (
                e.dialect,
                e.base_url.clone(),
                known.and_then(|k| k.endpoint(e.dialect)).map_or(Auth::of(e.dialect), |k| k.auth),
            )
        })
        .collect();
    for endpoint in known.map(|k| k.endpoints.as_slice()).unwrap_or_default() {
        let Some(dialect) = endpoint.dialect() else { continue };
        if places.iter().any(|(own, ..)| *own == dialect) {
            continue;
        }
        let base = match &provider.base_url {
            // One base URL stands for the provider's first dialect; the others are where the catalogue says, moved
            // along where they share the host.
            Some(base) => moved(base, known, &endpoint.base_url),
            None => expand(&endpoint.base_url, secrets),
        };
        if let Some(base) = base {
            places.push((dialect, base, endpoint.auth));
        }
    }
    places
}

/// In which dialects its models are asked: as the configuration says, else as the catalogue does, behind the dialects whose
/// place the configuration names.
///
/// # Errors
/// When the configuration names a dialect of which no place is known.
fn asked_in(
    provider: &shim_config::Provider,
    known: Option<&shim_catalog::Provider>,
    endpoints: &[EndpointSetup],
    path: &str,
) -> Result<Vec<(String, Vec<Dialect>)>, SecretError> {
    for (models, dialects) in &provider.asked_in {
        if let Some(lost) = dialects.iter().find(|own| endpoints.iter().all(|e| e.dialect != **own)) {
            let why = format!("it is not known where it speaks {lost}: set dialects.{lost}.base_url");
            return Err(SecretError::Unsendable { path: format!("{path}.asked_in.{models}"), why });
        }
    }
    let placed = || provider.endpoints.iter().map(|endpoint| endpoint.dialect);
    let listed = known.into_iter().flat_map(|known| &known.asked_in).flat_map(|asked| {
        let dialects = placed().chain(asked.dialects().into_iter().filter(|d| placed().all(|own| own != *d)));
        let dialects: Vec<_> = dialects.collect();
        asked.models.iter().map(move |models| (models.clone(), dialects.clone()))
    });
    Ok(provider.asked_in.iter().cloned().chain(listed).collect())
}

/// The endpoint at `theirs` when the provider's first endpoint is moved to `base`.
fn moved(base: &str, known: Option<&shim_catalog::Provider>, theirs: &str) -> Option<String> {
    let first = known?.endpoints.first()?.base_url.as_str();
    let base = base.trim_end_matches('/');
    if theirs == first {
        return Some(base.to_owned());
    }
    let (first_origin, first_path) = Origin::parse(first).ok()?;
    let (origin, path) = Origin::parse(theirs).ok()?;
    let root = base.strip_suffix(&first_path)?;
    (origin == first_origin).then(|| format!("{root}{path}"))
}

/// Puts environment variables for `{NAME}`; `None` when one is not set.
fn expand(url: &str, secrets: &dyn Secrets) -> Option<String> {
    let Some(rest) = url.strip_prefix('{') else { return Some(url.to_owned()) };
    let (name, rest) = rest.split_once('}')?;
    Some(format!("{}{rest}", secrets.env(name)?.trim_end_matches('/')))
}

fn http(
    provider: &shim_config::Provider,
    known: Option<&shim_catalog::Provider>,
    dialect: Dialect,
    base_url: &str,
    auth: Auth,
    secret: Option<&Secret>,
) -> Result<HttpSetup, String> {
    let (origin, base_path) = Origin::parse(base_url).map_err(|e| e.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, origin.host_header().map_err(|e| e.to_string())?);
    // What the dialect asks for, then the configuration's own; a client's pass over both where they may pass.
    let asked = known.and_then(|known| known.endpoint(dialect)).map(|endpoint| &endpoint.headers);
    let usual = if asked.is_none() { Auth::beside(dialect) } else { &[] };
    let told = asked.into_iter().flatten().chain(&provider.headers).map(|(k, v)| (k.as_str(), v.as_str()));
    for (name, value) in usual.iter().copied().chain(told) {
        let name = HeaderName::try_from(name).map_err(|_| format!("\"{name}\" is no header name"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of {name} cannot be sent"))?;
        headers.insert(name, value);
    }
    if let Some(secret) = secret {
        let mut value = HeaderValue::from_str(&auth.value(secret.expose()))
            .map_err(|_| "the credential holds characters that cannot be sent in a header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(auth.header()), value);
    }
    let allow = match known {
        Some(known) => known.request_headers.clone(),
        // A provider nobody knows may be any of them: what the official clients send on purpose goes on.
        None => ["anthropic-version", "anthropic-beta", "openai-beta", "idempotency-key"]
            .map(str::to_owned)
            .to_vec(),
    };
    let request_allow = allow.iter().filter_map(|name| HeaderName::try_from(name.as_str()).ok()).collect();
    let ask_usage = known.is_none_or(|k| k.stream_usage == StreamUsage::Option);
    let request_values = request_values(provider, known);
    let secret = secret.cloned();
    Ok(HttpSetup { origin, base_path, headers, request_allow, request_values, ask_usage, secret })
}

/// Which values of clients' headers go on: as the configuration says, else as the catalogue does.
fn request_values(
    provider: &shim_config::Provider,
    known: Option<&shim_catalog::Provider>,
) -> Vec<(HeaderName, Vec<String>)> {
    let own = provider.header_values.iter();
    let listed = known.into_iter().flat_map(|known| &known.header_values);
    let listed = listed.filter(|listed| !provider.header_values.contains_key(&listed.header));
    let all = own.chain(listed.map(|listed| (&listed.header, &listed.allow)));
    all.filter_map(|(name, values)| Some((HeaderName::try_from(name.as_str()).ok()?, values.clone())))
        .collect()
}

fn models(id: &ProviderId, provider: &shim_config::Provider) -> Vec<KnownModel> {
    let known = |model: &shim_catalog::Model| {
        Some(KnownModel {
            id: ModelId::new(&model.id).ok()?,
            display: model.name.clone(),
            created: seconds(&model.released),
            context_max: model.context_max,
            output_max: model.output_max,
        })
    };
    let listed = match shim_catalog::provider(id.as_str()) {
        Some(known_provider) => shim_catalog::models(&known_provider.id),
        None => &[],
    };
    match &provider.models {
        None => listed.iter().filter_map(known).collect(),
        Some(own) => own
            .iter()
            .map(|id| listed.iter().find(|m| m.id == id.as_str()).and_then(known).unwrap_or_else(|| bare(id)))
            .collect(),
    }
}

fn bare(id: &ModelId) -> KnownModel {
    KnownModel { id: id.clone(), display: id.to_string(), created: 0, context_max: None, output_max: None }
}

/// A date as seconds since 1970 (days from civil, Howard Hinnant); 0 for what is no date after that.
fn seconds(date: &str) -> u64 {
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (Some(Some(year)), Some(Some(month)), Some(Some(day))) = (parts.next(), parts.next(), parts.next())
    else {
        return 0;
    };
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u64::try_from(days).unwrap_or(0).saturating_mul(86_400)
}

/// The built-in responder, always there.
fn demo() -> ProviderSetup {
    let endpoint =
        |dialect| EndpointSetup { dialect, served_by: ServedBy::Demo, counter: false, region: None };
    let hello = ModelId::new("hello").ok().map(|id| KnownModel {
        id,
        display: "demo: a built-in responder, no model".to_owned(),
        created: 0,
        context_max: None,
        output_max: None,
    });
    let id = ProviderId::new("demo").unwrap_or_else(|_| unreachable!("the name is a constant and valid"));
    ProviderSetup {
        id,
        endpoints: Dialect::ALL.map(endpoint).to_vec(),
        asked_in: Vec::new(),
        models: hello.into_iter().collect(),
        think_tags: Vec::new(),
        prices: vec![("*".to_owned(), OwnPrice::FREE)],
        timeouts: Timeouts::default(),
        credential: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shim_ir::Dialect;

    use super::{Secrets, resolve, seconds};
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

    #[test]
    fn dates_become_seconds() {
        assert_eq!(seconds("1970-01-02"), 86_400);
        assert_eq!(seconds("2024-02-29"), 1_709_164_800);
        assert_eq!(seconds(""), 0);
    }
}
