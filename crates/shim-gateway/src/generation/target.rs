//! Providers, targets and aliases, as exchanges use them.

use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use shim_catalog::{OwnPrice, Pricing, fits};
use shim_dialect::speaker;
use shim_ir::{Dialect, ProviderId, TargetId, ThinkTags, Traits};
use shim_policy::extraction;
use shim_policy::fidelity::Rule;
use shim_policy::limits::Governed;
use shim_policy::vault::Rules;
use shim_telemetry::{Metrics, Series};
use shim_upstream::Timeouts;

use super::setup::asked;
use super::{EndpointSetup, KnownModel, ProviderSetup, ServedBy};

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
    /// What is done where keys seem to harvest it, where it says so.
    pub(crate) extraction: Option<extraction::Mode>,
}

impl Alias {
    /// What a name that is no alias stands for.
    pub(super) fn of_one(name: &str, target: Arc<Target>) -> Self {
        let rule = Rule::default();
        Self { name: name.into(), targets: vec![target], rule, limited: None, extraction: None }
    }
}

impl Target {
    /// A target of this provider, or none where its name cannot stand in a response header.
    pub(super) fn new(
        id: &TargetId,
        provider: &Arc<Provider>,
        alias: &str,
        metrics: &Metrics,
    ) -> Option<Self> {
        let name: Arc<str> = id.to_string().into();
        let asked = asked(&provider.asked_in, &provider.endpoints, id.model.as_str(), |e| e.dialect);
        Some(Self {
            id: id.clone(),
            header: HeaderValue::from_bytes(name.as_bytes()).ok()?,
            provider: provider.clone(),
            asked: asked.into_iter().cloned().collect(),
            series: metrics.series(alias, &name),
            name,
            traits: OnceLock::new(),
            pricing: OnceLock::new(),
        })
    }

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

    /// What it costs.
    pub(crate) fn pricing(&self) -> &Pricing {
        self.pricing.get_or_init(|| {
            let model = self.id.model.as_str();
            let listed = Pricing::of(self.provider.id.as_str(), model).processed_in(self.provider.place());
            let own = self.provider.prices.iter().find(|(own, _)| fits(own, model));
            own.map_or(listed, |(_, own)| listed.own(*own))
        })
    }
}

impl Provider {
    /// Where requests to it are processed, where its documentation says so of its host: that can cost more. A word of the
    /// owner's own is no provider's.
    fn place(&self) -> Option<&'static str> {
        self.endpoints.iter().find_map(|endpoint| match &endpoint.served_by {
            ServedBy::Http(http) => shim_catalog::region(http.origin.host()),
            ServedBy::Demo => None,
        })
    }

    /// The provider of this setup.
    pub(super) fn of(setup: &ProviderSetup) -> Self {
        let endpoint = |e: &EndpointSetup| {
            let counts = e.counter && speaker(e.dialect).counts_tokens();
            let (served_by, region) = (e.served_by.clone(), e.region.clone());
            Arc::new(Endpoint { dialect: e.dialect, served_by, counts, region })
        };
        Self {
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

    /// Its endpoint of this dialect.
    pub(crate) fn endpoint(&self, dialect: Dialect) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|e| e.dialect == dialect)
    }

    /// Whether it counts tokens at any endpoint.
    pub(crate) fn counts(&self) -> bool {
        self.endpoints.iter().any(|e| e.counts)
    }
}
