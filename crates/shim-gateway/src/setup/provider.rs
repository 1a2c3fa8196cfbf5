//! A provider: the configuration's own word, else the catalogue's.

use http::{HeaderMap, HeaderName, HeaderValue};
use shim_catalog::{Auth, StreamUsage};
use shim_config::{Config, SecretRef};
use shim_ir::{Dialect, ProviderId};
use shim_upstream::{Origin, Roots, Timeouts};

use super::models::models;
use super::{SecretError, Secrets, read, text};
use crate::generation::{EndpointSetup, HttpSetup, ProviderSetup, Secret, ServedBy};

/// Joins a provider of the configuration with what the catalogue knows of it.
///
/// # Errors
/// When its credential or its roots cannot be read, or its URL or headers cannot be sent.
pub(super) fn provider_setup(
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
    let catalogued = known.filter(|_| !provider.elsewhere).map(|known| known.endpoints.as_slice());
    for endpoint in catalogued.unwrap_or_default() {
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
/// Where the configuration, at `path`, names a dialect of which no place is known.
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
