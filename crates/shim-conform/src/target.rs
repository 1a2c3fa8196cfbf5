//! What of a configuration is tried: each target of each alias, or without aliases each provider with one model.

use shim_config::Config;
use shim_gateway::{ProviderSetup, ServedBy, Setup};
use shim_ir::{AliasName, Dialect, ModelId, TargetId};

use crate::Wish;
use crate::script::Place;

/// One target, and how clients come to it.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// The alias it is asked for by; none where it is asked for by its own name.
    pub(crate) alias: Option<AliasName>,
    /// Where it stands among the alias's targets, from 0.
    pub(crate) depth: usize,
    /// The target.
    pub(crate) target: TargetId,
}

impl Try {
    /// What clients ask for.
    pub(crate) fn asked(&self) -> String {
        self.alias.as_ref().map_or_else(|| self.target.to_string(), ToString::to_string)
    }

    fn is_wished(&self, wish: &Wish) -> bool {
        let names = [self.asked(), self.target.to_string(), self.target.provider.to_string()];
        wish.targets.is_empty() || wish.targets.iter().any(|wanted| names.contains(wanted))
    }
}

/// All of them that are wished for.
pub(crate) fn tries(config: &Config, setup: &Setup, wish: &Wish) -> Vec<Try> {
    let all = if config.aliases.is_empty() { of_providers(config, setup) } else { of_aliases(config) };
    all.into_iter().filter(|one| one.is_wished(wish)).collect()
}

fn of_aliases(config: &Config) -> Vec<Try> {
    let each = |name: &AliasName| {
        let targets = chain(config, name).into_iter().enumerate();
        let one = |(depth, target)| Try { alias: Some(name.clone()), depth, target };
        targets.map(one).collect::<Vec<_>>()
    };
    config.aliases.keys().flat_map(each).collect()
}

/// The targets of an alias, in order, each once.
pub(crate) fn chain(config: &Config, alias: &AliasName) -> Vec<TargetId> {
    let mut targets: Vec<TargetId> = Vec::new();
    let all = config.aliases.get(alias).map(|alias| std::iter::once(&alias.target).chain(&alias.fallback));
    for target in all.into_iter().flatten() {
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    targets
}

/// The model that a provider is asked for where none of it is known.
const ANY_MODEL: &str = "any-model";

fn of_providers(config: &Config, setup: &Setup) -> Vec<Try> {
    let configured = setup.providers.iter().filter(|provider| config.providers.contains_key(&provider.id));
    let one = |provider: &ProviderSetup| {
        let known = provider.models.first().map(|model| model.id.clone());
        let model = known.or_else(|| ModelId::new(ANY_MODEL).ok())?;
        Some(Try { alias: None, depth: 0, target: TargetId { provider: provider.id.clone(), model } })
    };
    configured.filter_map(one).collect()
}

/// The configuration in which each alias has its `depth`-th target alone: its rules hold for that one.
pub(crate) fn at_depth(config: &Config, depth: usize) -> Config {
    let mut changed = config.clone();
    changed.aliases.retain(|name, alias| {
        let Some(target) = chain(config, name).into_iter().nth(depth) else { return false };
        alias.target = target;
        alias.fallback.clear();
        true
    });
    changed
}

/// Where a client of `client` gets to at a target.
pub(crate) fn place(setup: &Setup, target: &TargetId, client: Dialect) -> Option<Place> {
    let provider = setup.providers.iter().find(|provider| provider.id == target.provider)?;
    let endpoint = provider.asked(&target.model, client)?;
    match &endpoint.served_by {
        ServedBy::Demo => None,
        ServedBy::Http(http) => Some(Place {
            dialect: endpoint.dialect,
            origin: http.origin.to_string(),
            base_path: http.base_path.clone(),
            headers: http.headers.clone(),
            model: target.model.to_string(),
        }),
    }
}

/// The origins of all providers.
pub(crate) fn origins(setup: &Setup) -> impl Iterator<Item = String> {
    let endpoints = setup.providers.iter().flat_map(|provider| &provider.endpoints);
    endpoints.filter_map(|endpoint| match &endpoint.served_by {
        ServedBy::Http(http) => Some(http.origin.to_string()),
        ServedBy::Demo => None,
    })
}
