//! One immutable, numbered snapshot of all that decides where an exchange goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use shim_catalog::{OwnPrice, Pricing, fits};
use shim_dialect::speaker;
use shim_ir::{
    AliasName, Dialect, Generation, KeyId, ModelId, ProviderId, TargetId, TeamName, ThinkTags, Traits,
};
use shim_policy::fidelity::Rule;
use shim_policy::limits::{self, Governed, Subject};
use shim_policy::vault::Rules;
use shim_telemetry::{Metrics, Series};
use shim_upstream::{Origin, Timeouts};

use crate::key::{Key, KeySetup, Keys, governed};
use crate::record::Recording;

/// What a snapshot is built from: a validated configuration with its secrets resolved, and the swaps in force.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The providers.
    pub providers: Vec<ProviderSetup>,
    /// The aliases.
    pub aliases: Vec<AliasSetup>,
    /// The clients' keys; none means that any credential will do, unless keys are required.
    pub keys: Vec<KeySetup>,
    /// The limits of each team.
    pub teams: BTreeMap<TeamName, limits::Limits>,
    /// Whether clients must present a key even while there is none.
    pub require_keys: bool,
    /// Bounds on what clients send.
    pub limits: Limits,
    /// Whether a bare model name goes to the provider whose list has it.
    pub bare_models: bool,
    /// How much is recorded of what.
    pub recording: Recording,
}

/// A provider.
#[derive(Clone, Debug)]
pub struct ProviderSetup {
    /// Its id.
    pub id: ProviderId,
    /// Where and how it is spoken to, in the order of preference.
    pub endpoints: Vec<EndpointSetup>,
    /// In which dialects its models are asked, in the order of preference, by pattern: the first that fits holds; what fits
    /// none is asked in any.
    pub asked_in: Vec<(String, Vec<Dialect>)>,
    /// The models known of it.
    pub models: Vec<KnownModel>,
    /// Of which models the reasoning stands in the text, between tags, by pattern: the first that fits holds, and where
    /// none does, the catalogue.
    pub think_tags: Vec<(String, ThinkTags)>,
    /// What its models cost by the owner's word, by pattern: the first that fits holds, and where none does, the catalogue.
    pub prices: Vec<(String, OwnPrice)>,
    /// How long each phase of an attempt may take.
    pub timeouts: Timeouts,
    /// Where its credential comes from, in words safe to show: `OPENAI_API_KEY`.
    pub credential: Option<String>,
}

/// A model known of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownModel {
    /// The provider's name for it.
    pub id: ModelId,
    /// A name for people.
    pub display: String,
    /// When it was made known, in seconds since 1970; 0 when not known.
    pub created: u64,
    /// Context window, in tokens.
    pub context_max: Option<u64>,
    /// Bound on output, in tokens.
    pub output_max: Option<u64>,
}

/// One dialect of a provider.
#[derive(Clone, Debug)]
pub struct EndpointSetup {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Who answers there.
    pub served_by: ServedBy,
    /// Whether tokens are counted there, as far as the dialect has a way to ask.
    pub counter: bool,
    /// Where requests to it are processed, in lower case; none where that is not known.
    pub region: Option<Arc<str>>,
}

/// Who answers at an endpoint.
#[derive(Clone, Debug)]
pub enum ServedBy {
    /// A server.
    Http(Box<HttpSetup>),
    /// The demonstration built into the gateway: no model.
    Demo,
}

/// A server to be spoken to over HTTP.
#[derive(Clone, Debug)]
pub struct HttpSetup {
    /// Scheme, host and port.
    pub origin: Origin,
    /// What stands before the dialect's own paths, without a trailing slash.
    pub base_path: String,
    /// Headers of every request, the credential among them, marked as sensitive.
    pub headers: HeaderMap,
    /// Headers of clients that go on to this server, beyond those that go to all.
    pub request_allow: Vec<HeaderName>,
    /// Of those that list values, which values go on; all of one that is not here.
    pub request_values: Vec<(HeaderName, Vec<String>)>,
    /// Whether a stream must be asked for its usage, and understands being asked.
    pub ask_usage: bool,
    /// The credential, to be looked for in what must not hold it.
    pub secret: Option<Secret>,
}

/// A secret: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// An alias as declared.
#[derive(Clone, Debug)]
pub struct AliasSetup {
    /// Its name.
    pub name: AliasName,
    /// The declared target.
    pub target: TargetId,
    /// Targets to try in this order when that one fails.
    pub fallback: Vec<TargetId>,
    /// A swap in force: the target it is live on instead.
    pub live: Option<TargetId>,
    /// What becomes of what a target's dialect cannot carry.
    pub rule: Rule,
    /// Limits of all who ask for it, together.
    pub limits: limits::Limits,
}

/// Bounds on what clients send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest request body, decoded, in bytes.
    pub body_bytes_max: usize,
    /// Most bytes of request bodies held at once.
    pub bodies_bytes_max: usize,
    /// How long a request body may stand still.
    pub body_timeout: Duration,
}

impl Default for Limits {
    /// 64 MiB a body, 1 GiB at once, 30 seconds of silence.
    fn default() -> Self {
        Self { body_bytes_max: 64 << 20, bodies_bytes_max: 1 << 30, body_timeout: Duration::from_secs(30) }
    }
}

/// One immutable configuration snapshot. An exchange runs under exactly the one it was admitted under.
#[derive(Debug)]
pub struct Snapshot {
    number: Generation,
    header: HeaderValue,
    hash: String,
    pub(crate) limits: Limits,
    pub(crate) recording: Recording,
    providers: BTreeMap<ProviderId, Arc<Provider>>,
    aliases: HashMap<String, Arc<Alias>>,
    keys: Keys,
    require_keys: bool,
    bare: HashMap<String, Vec<Arc<Target>>>,
    /// Targets asked for as `provider/model`, made once.
    direct: Mutex<HashMap<String, Arc<Alias>>>,
}

/// Most `provider/model` names remembered; beyond it they are made anew for each exchange.
const DIRECT_MAX: usize = 1024;

/// A provider, as exchanges use it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) id: ProviderId,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    asked_in: Vec<(String, Vec<Dialect>)>,
    pub(crate) models: Vec<KnownModel>,
    pub(crate) think_tags: Vec<(String, ThinkTags)>,
    pub(crate) prices: Vec<(String, OwnPrice)>,
    pub(crate) timeouts: Timeouts,
    pub(crate) credential: Option<String>,
}

/// One dialect of a provider, as exchanges use it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) dialect: Dialect,
    pub(crate) served_by: ServedBy,
    /// Whether it counts tokens when asked.
    pub(crate) counts: bool,
    /// Where requests to it are processed; none where that is not known.
    pub(crate) region: Option<Arc<str>>,
}

/// A target, as exchanges use it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: TargetId,
    pub(crate) name: Arc<str>,
    pub(crate) header: HeaderValue,
    pub(crate) provider: Arc<Provider>,
    /// Where it is asked: a client of one of these dialects in its own, any other at the first that can be asked the same.
    pub(crate) asked: Vec<Arc<Endpoint>>,
    pub(crate) series: Arc<Series>,
    /// What is known of the model in each dialect of its provider; looked up when first needed.
    traits: OnceLock<Vec<(Dialect, Traits)>>,
    /// What it costs; looked up when first needed.
    pricing: OnceLock<Pricing>,
}

/// What a model name stands for: the targets to try, in order. Made of an alias or of a `provider/model`.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) name: Arc<str>,
    pub(crate) targets: Vec<Arc<Target>>,
    /// What becomes of what a target's dialect cannot carry.
    pub(crate) rule: Rule,
    /// The limits of the alias, where it has any.
    pub(crate) limited: Option<Arc<Governed>>,
}

/// Why a setup makes no snapshot.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SetupError {
    /// An alias names a provider that is not there.
    #[error("alias {alias}: there is no provider \"{provider}\" for {target}")]
    NoProvider {
        /// Which alias.
        alias: AliasName,
        /// The target that names it.
        target: TargetId,
        /// The provider it names.
        provider: ProviderId,
    },
    /// Two keys have the same secret.
    #[error("the keys {0} and {1} have the same secret")]
    SameSecret(KeyId, KeyId),
    /// A key of the file has the name of one that was made.
    #[error(
        "there is a made key \"{0}\" already: give the one in the file another name, or revoke the made one"
    )]
    SameKey(KeyId),
    /// A name that cannot stand in a response header.
    #[error("\"{0}\" holds characters that cannot stand in a response header")]
    Header(String),
}

impl Snapshot {
    /// Builds the snapshot of `setup`. Series are looked up in `metrics` once, here.
    ///
    /// # Errors
    /// When the setup contradicts itself.
    pub fn build(number: Generation, setup: &Setup, metrics: &Metrics) -> Result<Self, SetupError> {
        let mut snapshot = Self {
            number,
            header: HeaderValue::from(number.0),
            hash: setup.hash(),
            limits: setup.limits,
            recording: setup.recording.clone(),
            providers: setup.providers.iter().map(|p| (p.id.clone(), Arc::new(provider(p)))).collect(),
            keys: Keys::build(&setup.keys, &setup.teams)?,
            require_keys: setup.require_keys,
            ..Self::empty()
        };
        for alias in &setup.aliases {
            let made = snapshot.alias(alias, metrics)?;
            snapshot.aliases.insert(alias.name.as_str().to_owned(), Arc::new(made));
        }
        if setup.bare_models {
            snapshot.bare = snapshot.bare_models(metrics)?;
        }
        Ok(snapshot)
    }

    /// A snapshot in which there is nothing.
    pub(crate) fn empty() -> Self {
        Self {
            number: Generation(0),
            header: HeaderValue::from(0),
            hash: String::new(),
            limits: Limits::default(),
            recording: Recording::default(),
            providers: BTreeMap::new(),
            aliases: HashMap::new(),
            keys: Keys::default(),
            require_keys: false,
            bare: HashMap::new(),
            direct: Mutex::default(),
        }
    }

    fn alias(&self, setup: &AliasSetup, metrics: &Metrics) -> Result<Alias, SetupError> {
        let first = setup.live.as_ref().unwrap_or(&setup.target);
        let mut targets =
            vec![self.target(first, setup.name.as_str(), metrics).ok_or_else(|| missing(setup, first))?];
        for id in &setup.fallback {
            if targets.iter().all(|t| t.id != *id) {
                targets
                    .push(self.target(id, setup.name.as_str(), metrics).ok_or_else(|| missing(setup, id))?);
            }
        }
        let limited = governed(Subject::Alias(setup.name.clone()), &setup.limits);
        Ok(Alias { name: setup.name.as_str().into(), targets, rule: setup.rule.clone(), limited })
    }

    fn target(&self, id: &TargetId, alias: &str, metrics: &Metrics) -> Option<Arc<Target>> {
        let provider = self.providers.get(&id.provider)?;
        let name: Arc<str> = id.to_string().into();
        let series = metrics.series(alias, &name);
        let header = HeaderValue::from_bytes(name.as_bytes()).ok()?;
        let provider = provider.clone();
        let asked = asked(&provider.asked_in, &provider.endpoints, id.model.as_str(), |e| e.dialect);
        let asked = asked.into_iter().cloned().collect();
        let (traits, pricing) = (OnceLock::new(), OnceLock::new());
        Some(Arc::new(Target { id: id.clone(), name, header, provider, asked, series, traits, pricing }))
    }

    fn bare_models(&self, metrics: &Metrics) -> Result<HashMap<String, Vec<Arc<Target>>>, SetupError> {
        let mut bare: HashMap<String, Vec<Arc<Target>>> = HashMap::new();
        for provider in self.providers.values() {
            for model in &provider.models {
                let id = TargetId { provider: provider.id.clone(), model: model.id.clone() };
                let target = self.target(&id, "(model)", metrics);
                let target = target.ok_or_else(|| SetupError::Header(id.to_string()))?;
                bare.entry(model.id.as_str().to_owned()).or_default().push(target);
            }
        }
        Ok(bare)
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> Generation {
        self.number
    }

    /// The hash of its content, secrets left out, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Whether clients must present a key.
    pub(crate) fn wants_keys(&self) -> bool {
        self.require_keys || !self.keys.is_empty()
    }

    /// The clients' keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Everyone who is limited: aliases, teams, keys.
    pub(crate) fn governed(&self) -> Vec<Governed> {
        let aliases = self.aliases.values().filter_map(|alias| alias.limited.as_deref());
        aliases.chain(self.keys.governed()).cloned().collect()
    }

    /// Who limits an exchange of the key of this name with `model`.
    pub(crate) fn limited_by(&self, key: Option<&KeyId>, model: &str) -> Vec<Arc<Governed>> {
        let key = key.and_then(|id| self.keys.named(id.as_str()));
        let own = key.into_iter().flat_map(|key| key.limited.iter());
        own.chain(self.aliases.get(model).and_then(|alias| alias.limited.as_ref())).cloned().collect()
    }

    /// How long an exchange can take at most: all attempts that the longest alias permits, at the slowest provider.
    pub(crate) fn longest(&self) -> Duration {
        let attempts = self.aliases.values().map(|alias| alias.targets.len()).max().unwrap_or(1).max(1);
        let slowest = self.providers.values().map(|provider| provider.timeouts.total).max();
        slowest.unwrap_or_default().saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX))
    }

    /// Whether `key` reaches something under the name `model`.
    pub(crate) fn reaches(&self, key: &Key, model: &str) -> bool {
        let any =
            |provider: &Provider| provider.endpoints.iter().any(|e| key.reaches(&provider.id, e).is_ok());
        match self.aliases.get(model) {
            Some(alias) => alias.targets.iter().any(|target| any(&target.provider)),
            None => model.split_once('/').and_then(|(id, _)| self.providers.get(id)).is_some_and(|p| any(p)),
        }
    }

    /// The name `model`; of an alias without a copy of its own.
    pub(crate) fn name(&self, model: &str) -> Arc<str> {
        self.aliases.get(model).map_or_else(|| model.into(), |alias| alias.name.clone())
    }

    /// What the model name `model` stands for, asked in `dialect`.
    pub(crate) fn resolve(&self, model: &str, dialect: Dialect, metrics: &Metrics) -> Option<Arc<Alias>> {
        if let Some(alias) = self.aliases.get(model) {
            return Some(alias.clone());
        }
        let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner).get(model).cloned();
        if direct.is_some() {
            return direct;
        }
        if let Some(targets) = self.bare.get(model) {
            let speaks = |t: &&Arc<Target>| t.asked.first().is_some_and(|e| e.dialect == dialect);
            let knows = |t: &&Arc<Target>| t.asked.iter().any(|e| e.dialect == dialect);
            let best =
                targets.iter().find(speaks).or_else(|| targets.iter().find(knows)).or(targets.first())?;
            return Some(Arc::new(Alias::of_one(model, best.clone())));
        }
        self.direct(model, metrics)
    }

    fn direct(&self, model: &str, metrics: &Metrics) -> Option<Arc<Alias>> {
        let id = TargetId::parse(model).ok()?;
        let target = self.target(&id, "(direct)", metrics)?;
        let alias = Arc::new(Alias::of_one(model, target));
        let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        if direct.len() < DIRECT_MAX {
            direct.insert(model.to_owned(), alias.clone());
        }
        Some(alias)
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    pub(crate) fn aliases(&self) -> impl Iterator<Item = &Arc<Alias>> {
        self.aliases.values()
    }

    /// Every name a client could have meant: aliases, and the models known, as `provider/model`.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let direct =
            self.providers.values().flat_map(|p| p.models.iter().map(|m| format!("{}/{}", p.id, m.id)));
        self.aliases.keys().cloned().chain(direct)
    }
}

impl Alias {
    /// What a name that is no alias stands for.
    fn of_one(name: &str, target: Arc<Target>) -> Self {
        Self { name: name.into(), targets: vec![target], rule: Rule::default(), limited: None }
    }
}

impl Target {
    /// What is known of the model where its provider speaks `dialect`.
    pub(crate) fn traits(&self, dialect: Dialect) -> Traits {
        self.known(dialect).cloned().unwrap_or_default()
    }

    /// What it takes of reasoning in a conversation where its provider speaks `dialect`.
    pub(crate) fn rules(&self, dialect: Dialect) -> Rules {
        self.known(dialect)
            .map_or_else(|| Rules::of(dialect, &Traits::default()), |known| Rules::of(dialect, known))
    }

    fn known(&self, dialect: Dialect) -> Option<&Traits> {
        let look = |endpoint: &Arc<Endpoint>| {
            let model = self.id.model.as_str();
            let mut known = shim_catalog::traits(self.provider.id.as_str(), model, endpoint.dialect);
            if let Some((_, tags)) = self.provider.think_tags.iter().find(|(own, _)| fits(own, model)) {
                known.think_tags = *tags;
            }
            (endpoint.dialect, known)
        };
        let known = self.traits.get_or_init(|| self.provider.endpoints.iter().map(look).collect());
        known.iter().find(|(own, _)| *own == dialect).map(|(_, traits)| traits)
    }
}

impl Target {
    /// What it costs.
    pub(crate) fn pricing(&self) -> &Pricing {
        self.pricing.get_or_init(|| {
            let model = self.id.model.as_str();
            let listed = Pricing::of(self.provider.id.as_str(), model);
            let own = self.provider.prices.iter().find(|(own, _)| fits(own, model));
            own.map_or(listed, |(_, own)| listed.own(*own))
        })
    }
}

impl Provider {
    /// Its endpoint of this dialect.
    pub(crate) fn endpoint(&self, dialect: Dialect) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|e| e.dialect == dialect)
    }

    /// Whether it counts tokens at any endpoint.
    pub(crate) fn counts(&self) -> bool {
        self.endpoints.iter().any(|e| e.counts)
    }
}

impl ProviderSetup {
    /// The endpoint at which a client of `dialect` has `model` answer.
    #[must_use]
    pub fn asked(&self, model: &ModelId, dialect: Dialect) -> Option<&EndpointSetup> {
        let asked = asked(&self.asked_in, &self.endpoints, model.as_str(), |e| e.dialect);
        asked.iter().find(|e| e.dialect == dialect).or(asked.first()).copied()
    }
}

/// The endpoints at which `model` is asked, best first. Where none is of a dialect it is asked in, that is no reason not to
/// ask it at all.
fn asked<'e, E>(
    asked_in: &[(String, Vec<Dialect>)],
    endpoints: &'e [E],
    model: &str,
    dialect: impl Fn(&E) -> Dialect,
) -> Vec<&'e E> {
    let own = asked_in.iter().find(|(pattern, _)| fits(pattern, model));
    let listed = own.into_iter().flat_map(|(_, dialects)| dialects);
    let listed: Vec<_> = listed.filter_map(|own| endpoints.iter().find(|e| dialect(e) == *own)).collect();
    if listed.is_empty() { endpoints.iter().collect() } else { listed }
}

impl Setup {
    /// The hash of the setup without its secrets.
    fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for provider in &self.providers {
            let told = (&provider.timeouts, &provider.think_tags, &provider.prices, &provider.asked_in);
            hasher.update(format!("{}|{told:?}\n", provider.id));
            for endpoint in &provider.endpoints {
                let place = match &endpoint.served_by {
                    ServedBy::Http(http) => format!("{}{}", http.origin, http.base_path),
                    ServedBy::Demo => "demo".to_owned(),
                };
                hasher.update(format!("{} {place} {:?}\n", endpoint.dialect, endpoint.region));
                if let ServedBy::Http(http) = &endpoint.served_by {
                    http.origin
                        .roots()
                        .into_iter()
                        .flat_map(|r| r.certificates())
                        .for_each(|c| hasher.update(c));
                }
            }
        }
        for alias in &self.aliases {
            hasher.update(format!("{alias:?}\n"));
        }
        for key in &self.keys {
            let until: Vec<_> = key.proofs.iter().map(|proof| proof.until_ms).collect();
            hasher.update(format!("{} {:?} {until:?} {:?}\n", key.id, key.grant, key.revoked_ms));
        }
        hasher.update(format!("{:?} {} {:?}", self.limits, self.bare_models, self.recording));
        hasher.update(format!("{:?} {}", self.teams, self.require_keys));
        hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn provider(setup: &ProviderSetup) -> Provider {
    let endpoint = |e: &EndpointSetup| {
        let counts = e.counter && speaker(e.dialect).counts_tokens();
        Arc::new(Endpoint {
            dialect: e.dialect,
            served_by: e.served_by.clone(),
            counts,
            region: e.region.clone(),
        })
    };
    Provider {
        id: setup.id.clone(),
        endpoints: setup.endpoints.iter().map(endpoint).collect(),
        asked_in: setup.asked_in.clone(),
        models: setup.models.clone(),
        think_tags: setup.think_tags.clone(),
        prices: setup.prices.clone(),
        timeouts: setup.timeouts,
        credential: setup.credential.clone(),
    }
}

fn missing(alias: &AliasSetup, target: &TargetId) -> SetupError {
    SetupError::NoProvider {
        alias: alias.name.clone(),
        target: target.clone(),
        provider: target.provider.clone(),
    }
}
