//! One immutable, numbered snapshot of all that decides where an exchange goes.

mod setup;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use shim_ir::{AliasName, Dialect, Generation, KeyId, ProviderId, TargetId};
use shim_policy::extraction;
use shim_policy::limits::{Governed, Subject};
use shim_telemetry::Metrics;

use crate::key::{Key, Keys, governed};
use crate::record::Recording;

pub use setup::{
    AliasSetup, EndpointSetup, HttpSetup, KnownModel, Limits, ProviderSetup, Secret, ServedBy, Setup,
};
pub(crate) use target::{Alias, Endpoint, Provider, Target};

/// One immutable configuration snapshot. An exchange runs under exactly the one it was admitted under.
#[derive(Debug)]
pub struct Snapshot {
    number: Generation,
    header: HeaderValue,
    hash: String,
    pub(crate) limits: Limits,
    pub(crate) recording: Recording,
    pub(crate) extraction: extraction::Rule,
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
            extraction: setup.extraction,
            providers: setup.providers.iter().map(|p| (p.id.clone(), Arc::new(Provider::of(p)))).collect(),
            keys: Keys::build(&setup.keys, &setup.teams, setup.extraction)?,
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
            extraction: extraction::Rule::default(),
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
        let (name, rule, extraction) = (setup.name.as_str().into(), setup.rule.clone(), setup.extraction);
        Ok(Alias { name, targets, rule, limited, extraction })
    }

    fn target(&self, id: &TargetId, alias: &str, metrics: &Metrics) -> Option<Arc<Target>> {
        Target::new(id, self.providers.get(&id.provider)?, alias, metrics).map(Arc::new)
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

    /// Whether any key is watched for extraction.
    pub(crate) fn watches(&self) -> bool {
        let says = |alias: &Arc<Alias>| alias.extraction.is_some_and(|mode| mode != extraction::Mode::Off);
        self.extraction.mode != extraction::Mode::Off || self.keys.watched() || self.aliases().any(says)
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

fn missing(alias: &AliasSetup, target: &TargetId) -> SetupError {
    SetupError::NoProvider {
        alias: alias.name.clone(),
        target: target.clone(),
        provider: target.provider.clone(),
    }
}
