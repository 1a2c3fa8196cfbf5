//! Models as data: limits, abilities and list prices, one file of rows a provider, parsed when first asked for.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use shim_ir::PicoUsd;

/// One model of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The provider's name for it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// When it was released, as a date; empty when not known.
    pub released: String,
    /// Context window, in tokens.
    pub context_max: Option<u64>,
    /// Bound on output, in tokens.
    pub output_max: Option<u64>,
    /// `tools`, `reasoning`, `schema`.
    pub abilities: Vec<String>,
    /// Modalities it takes.
    pub input: Vec<String>,
    /// Modalities it gives.
    pub output: Vec<String>,
    /// List prices; what is not known is `None`, never 0.
    pub price: Price,
}

/// List prices of one token, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Fresh input.
    pub input: Option<PicoUsd>,
    /// Output.
    pub output: Option<PicoUsd>,
    /// Input read from a cache.
    pub cache_read: Option<PicoUsd>,
    /// Input written to a cache.
    pub cache_write: Option<PicoUsd>,
}

/// The rows of a provider, as text; empty for providers whose models nobody lists.
fn rows(provider: &str) -> &'static str {
    match provider {
        "anthropic" => include_str!("../data/models/anthropic.tsv"),
        "azure" => include_str!("../data/models/azure.tsv"),
        "cerebras" => include_str!("../data/models/cerebras.tsv"),
        "cohere" => include_str!("../data/models/cohere.tsv"),
        "deepseek" => include_str!("../data/models/deepseek.tsv"),
        "fireworks" => include_str!("../data/models/fireworks.tsv"),
        "google" => include_str!("../data/models/google.tsv"),
        "groq" => include_str!("../data/models/groq.tsv"),
        "huggingface" => include_str!("../data/models/huggingface.tsv"),
        "mistral" => include_str!("../data/models/mistral.tsv"),
        "moonshot" => include_str!("../data/models/moonshot.tsv"),
        "openai" => include_str!("../data/models/openai.tsv"),
        "openrouter" => include_str!("../data/models/openrouter.tsv"),
        "perplexity" => include_str!("../data/models/perplexity.tsv"),
        "together" => include_str!("../data/models/together.tsv"),
        "xai" => include_str!("../data/models/xai.tsv"),
        "zai" => include_str!("../data/models/zai.tsv"),
        _ => "",
    }
}

/// The models known of a provider, by id. They are parsed at the first call and kept.
#[must_use]
pub fn models(provider: &str) -> &'static [Model] {
    static PARSED: OnceLock<Mutex<HashMap<String, &'static [Model]>>> = OnceLock::new();
    let mut parsed = PARSED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(models) = parsed.get(provider) {
        return models;
    }
    let text = rows(provider);
    if text.is_empty() {
        return &[];
    }
    // Leaked once for each of the few providers in the data, and then used until the end.
    let models: &'static [Model] = Vec::leak(text.lines().filter_map(parse).collect());
    parsed.insert(provider.to_owned(), models);
    models
}

/// The model `id` of a provider.
#[must_use]
pub fn model(provider: &str, id: &str) -> Option<&'static Model> {
    let all = models(provider);
    all.binary_search_by(|model| model.id.as_str().cmp(id)).ok().and_then(|at| all.get(at))
}

/// Parses a row; comments give nothing.
fn parse(row: &str) -> Option<Model> {
    if row.starts_with('#') {
        return None;
    }
    let mut columns = row.split('\t');
    let mut next = || columns.next().unwrap_or_default();
    let list = |text: &str| text.split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect();
    Some(Model {
        id: next().to_owned(),
        name: next().to_owned(),
        released: next().to_owned(),
        context_max: next().parse().ok(),
        output_max: next().parse().ok(),
        abilities: list(next()),
        input: list(next()),
        output: list(next()),
        price: Price {
            input: per_token(next()),
            output: per_token(next()),
            cache_read: per_token(next()),
            cache_write: per_token(next()),
        },
    })
}

/// US dollars per million tokens, as a decimal, to pico-dollars per token: six more decimal places. `None` where the
/// text is no decimal or has more places than that.
fn per_token(usd_per_million: &str) -> Option<PicoUsd> {
    let (whole, fraction) = usd_per_million.split_once('.').unwrap_or((usd_per_million, ""));
    if fraction.len() > 6 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction).map(PicoUsd)
}

#[cfg(test)]
mod tests {
    use shim_ir::PicoUsd;

    use super::{model, models, per_token, rows};
    use crate::providers;

    #[test]
    fn every_row_is_sound() {
        for provider in providers() {
            let rows = rows(&provider.id).lines().filter(|row| !row.starts_with('#')).count();
            let models = models(&provider.id);
            assert_eq!(models.len(), rows);
            assert!(models.is_sorted_by(|a, b| a.id < b.id), "{}", provider.id);
            for model in models {
                assert!(shim_ir::ModelId::new(&model.id).is_ok(), "{}: {}", provider.id, model.id);
                assert!(super::model(&provider.id, &model.id).is_some());
            }
        }
    }

    #[test]
    fn prices_are_exact() {
        assert_eq!(per_token("3"), Some(PicoUsd(3_000_000)));
        assert_eq!(per_token("0.075"), Some(PicoUsd(75_000)));
        assert_eq!(per_token(""), None);
        assert_eq!(per_token("1e-7"), None);
        assert_eq!(per_token("0.1234567"), None);
    }

    #[test]
    fn the_well_known_are_there() {
        assert!(model("anthropic", "claude-sonnet-4-6").is_some_and(|m| m.context_max.is_some()));
        assert!(model("openai", "gpt-5.2").is_some_and(|m| m.price.input.is_some()));
        assert_eq!(model("openai", "no-such-model"), None);
    }
}
