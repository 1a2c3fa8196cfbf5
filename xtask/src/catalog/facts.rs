//! The models of models.dev.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::control::{Interleaved, Way};
use super::price::Cost;

/// One model of a provider, with what it inherits.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) release_date: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) tool_call: Option<bool>,
    pub(crate) reasoning: Option<bool>,
    pub(crate) structured_output: Option<bool>,
    /// Whether temperature and its like may be set.
    pub(crate) temperature: Option<bool>,
    pub(crate) reasoning_options: Option<Vec<Way>>,
    pub(crate) interleaved: Option<Interleaved>,
    #[serde(default)]
    pub(crate) limit: Limit,
    #[serde(default)]
    pub(crate) modalities: Modalities,
    #[serde(default)]
    pub(crate) cost: Cost,
    provider_options: Option<Options>,
}

/// Bounds in tokens; 0 stands for not known.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Limit {
    pub(crate) context: Option<u64>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Modalities {
    #[serde(default)]
    pub(crate) input: Vec<String>,
    #[serde(default)]
    pub(crate) output: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Options {
    api: Option<String>,
}

impl Fact {
    /// Whether the model answers where our provider file points. Some models of Azure live on another host.
    pub(crate) fn served_where_we_call(&self) -> bool {
        let api = self.provider_options.as_ref().and_then(|options| options.api.as_deref());
        !api.is_some_and(|api| api.contains("services.ai.azure.com"))
    }
}

/// Every model, by provider and id, in the source's words.
pub(crate) struct Facts(BTreeMap<(String, String), Map<String, Value>>);

/// Reads the source: a model a line.
pub(crate) fn read(path: &Path) -> Result<Facts> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Facts::parse(&text).with_context(|| path.display().to_string())
}

impl Facts {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut facts = BTreeMap::new();
        for line in text.lines() {
            let fact: Map<String, Value> = serde_json::from_str(line)?;
            let word = |name| fact.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            facts.insert((word("provider"), word("id")), fact);
        }
        Ok(Self(facts))
    }

    /// The models of a provider, by id.
    pub(crate) fn of(&self, provider: &str) -> Result<Vec<Fact>> {
        let own = self.0.iter().filter(|((of, _), _)| of == provider);
        own.map(|((_, id), fact)| {
            serde_json::from_value(Value::Object(self.whole(fact)))
                .with_context(|| format!("{provider}/{id}"))
        })
        .collect()
    }

    /// A model with what it leaves to its base model, as far as the source tells of that one.
    fn whole(&self, fact: &Map<String, Value>) -> Map<String, Value> {
        let mut whole = fact.clone();
        let Some(name) = fact.get("base_model").and_then(Value::as_str) else { return whole };
        let base = self.base(name);
        let omitted = fact.get("base_model_omit").and_then(Value::as_array).cloned().unwrap_or_default();
        for name in INHERITED {
            let (Some(value), false) = (base.get(name), omitted.contains(&Value::from(name))) else {
                continue;
            };
            match (whole.get_mut(name), value) {
                (None, _) => drop(whole.insert(name.to_owned(), value.clone())),
                (Some(Value::Object(own)), Value::Object(value)) => inherit(own, value),
                (Some(_), _) => {}
            }
        }
        whole
    }

    /// The model `family/id`: what its family's own provider says of it. Where that only points to a base model that
    /// the source does not hold, it is what all other providers say of it that state it themselves.
    fn base(&self, name: &str) -> Map<String, Value> {
        let Some((family, id)) = name.split_once('/') else { return Map::new() };
        let provider = match family {
            "zhipuai" => "zai",
            "meta" => "llama",
            other => other,
        };
        let of = |id: &str| self.0.get(&(provider.to_owned(), id.to_owned()));
        if let Some(own) = of(id).or_else(|| of(name)).filter(|own| states(own)) {
            return own.clone();
        }
        let kin =
            self.0.iter().filter(|((_, theirs), fact)| (theirs == id || theirs == name) && states(fact));
        let kin: Vec<_> = kin.map(|(_, fact)| fact.clone()).collect();
        let alone = kin.len() < 2;
        let mut base = kin.into_iter().reduce(|a, b| agreed(&a, &b)).unwrap_or_default();
        // One provider's limits may be those of its servers, not of the model.
        if alone {
            base.remove("limit");
        }
        base
    }
}

/// What a model has from its base model where it does not say it itself. How it is told to reason is not among them:
/// that is each provider's own.
const INHERITED: [&str; 8] = [
    "name",
    "release_date",
    "tool_call",
    "reasoning",
    "structured_output",
    "temperature",
    "limit",
    "modalities",
];

/// Whether a model states its limits itself.
fn states(fact: &Map<String, Value>) -> bool {
    !fact.contains_key("base_model") && fact.contains_key("limit")
}

/// What two objects say alike.
fn agreed(a: &Map<String, Value>, b: &Map<String, Value>) -> Map<String, Value> {
    let both = |(name, a): (&String, &Value)| match (a, b.get(name)?) {
        (Value::Object(a), Value::Object(b)) => Some((name.clone(), Value::Object(agreed(a, b)))),
        (a, b) => (a == b).then(|| (name.clone(), a.clone())),
    };
    a.iter().filter_map(both).collect()
}

fn inherit(own: &mut Map<String, Value>, base: &Map<String, Value>) {
    for (name, value) in base {
        own.entry(name.clone()).or_insert_with(|| value.clone());
    }
}
