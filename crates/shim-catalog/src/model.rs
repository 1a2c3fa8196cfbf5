//! Models as data: limits, abilities and list prices, one file of rows a provider, parsed when first asked for.

use std::sync::OnceLock;

use crate::row::{is_unlisted, parse};
use crate::{Control, Date, PriceRow, provider};

/// One model of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The provider's name for it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where it is in its life.
    pub status: Status,
    /// When it was released, as a date; empty when not known.
    pub released: String,
    /// Context window, in tokens.
    pub context_max: Option<u64>,
    /// Bound on input, in tokens, where it is less than the context window.
    pub input_max: Option<u64>,
    /// Bound on output, in tokens.
    pub output_max: Option<u64>,
    /// `tools`, `reasoning`, `schema`.
    pub abilities: Vec<String>,
    /// Modalities it takes.
    pub input: Vec<String>,
    /// Modalities it gives.
    pub output: Vec<String>,
    /// List prices, the oldest first; none where nobody states any.
    pub prices: Vec<PriceRow>,
    /// What it may be told, and what it is said not to have.
    pub control: Control,
}

/// Where a model is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is said against its use.
    Current,
    /// Its provider calls it a beta or a preview.
    Beta,
    /// Its provider is going to end it.
    Deprecated,
    /// There is a price for it and nothing else is known: it may be new, or gone.
    Unlisted,
}

impl Model {
    /// The prices in force on a day; `None` where none are known for it.
    #[must_use]
    pub fn price_at(&self, day: Date) -> Option<&PriceRow> {
        self.prices.iter().rfind(|row| row.from.is_none_or(|from| from <= day))
    }
}

/// A provider's file of models, and what of it was asked for.
struct File {
    provider: &'static str,
    text: &'static str,
    listed: OnceLock<Vec<Model>>,
    unlisted: OnceLock<Vec<Model>>,
}

/// The files by their provider's id.
macro_rules! files {
    ($($provider:literal)*) => {
        [$(File {
            provider: $provider,
            text: include_str!(concat!("../data/models/", $provider, ".tsv")),
            listed: OnceLock::new(),
            unlisted: OnceLock::new(),
        }),*]
    };
}

static FILES: [File; 23] = files![
    "alibaba" "anthropic" "azure" "baseten" "cerebras" "cohere" "deepinfra" "deepseek" "fireworks" "google" "groq"
    "huggingface" "minimax" "mistral" "moonshot" "nebius" "nvidia" "openai" "openrouter" "perplexity" "together"
    "xai" "zai"
];

impl File {
    fn of(provider: &str) -> Option<&'static Self> {
        FILES.iter().find(|file| file.provider == provider)
    }

    fn listed(&self) -> &[Model] {
        self.listed.get_or_init(|| self.rows(false))
    }

    fn unlisted(&self) -> &[Model] {
        self.unlisted.get_or_init(|| self.rows(true))
    }

    fn rows(&self, unlisted: bool) -> Vec<Model> {
        self.text.lines().filter(|row| is_unlisted(row) == unlisted).filter_map(parse).collect()
    }

    fn model(&self, id: &str) -> Option<&Model> {
        by_id(self.listed(), id).or_else(|| by_id(self.unlisted(), id))
    }
}

fn by_id<'m>(models: &'m [Model], id: &str) -> Option<&'m Model> {
    models.binary_search_by(|model| model.id.as_str().cmp(id)).ok().and_then(|at| models.get(at))
}

/// The models listed of a provider, in order of id. They are parsed at the first call and kept. None for an unknown
/// provider, and for one whose models nobody lists.
#[must_use]
pub fn models(provider: &str) -> &'static [Model] {
    File::of(provider).map_or(&[], File::listed)
}

/// What is known of the model `id` of a provider, unlisted ones included.
///
/// A dated snapshot without an entry of its own is the model it is a snapshot of, where the provider documents that it
/// names them so ([`crate::Provider::snapshots`]). Nothing else is guessed: what is not known is `None`, so that no
/// wrong price is billed.
#[must_use]
pub fn model(provider: &str, id: &str) -> Option<&'static Model> {
    let file = File::of(provider)?;
    file.model(id).or_else(|| {
        let snapshots = self::provider(provider)?.snapshots.as_ref()?;
        file.model(snapshots.suffix.strip(id)?)
    })
}

#[cfg(test)]
mod tests {
    use shim_ir::{PicoUsd, Tokens};

    use super::{FILES, File, Status, model, models};
    use crate::row::is_unlisted;
    use crate::{Date, providers};

    #[test]
    fn every_row_is_sound() {
        for file in &FILES {
            assert!(providers().iter().any(|p| p.id == file.provider), "{} is no provider", file.provider);
            let rows = file.text.lines().filter(|row| !row.starts_with('#'));
            let (unlisted, listed): (Vec<_>, Vec<_>) = rows.partition(|row| is_unlisted(row));
            assert_eq!((file.listed().len(), file.unlisted().len()), (listed.len(), unlisted.len()));
            for models in [file.listed(), file.unlisted()] {
                assert!(models.is_sorted_by(|a, b| a.id < b.id), "{}", file.provider);
                models.iter().for_each(|model| sound(file, model));
            }
        }
    }

    #[track_caller]
    fn sound(file: &File, model: &super::Model) {
        let name = format!("{}: {}", file.provider, model.id);
        assert!(shim_ir::ModelId::new(&model.id).is_ok(), "{name}");
        assert_eq!(file.model(&model.id), Some(model), "{name}");
        assert!(model.prices.is_sorted_by(|a, b| a.from < b.from), "{name}");
        for refused in &model.control.refuses {
            assert!(["tools", "reasoning", "schema", "temperature"].contains(&refused.as_str()), "{name}");
            assert!(!model.abilities.contains(refused), "{name}");
        }
        for row in &model.prices {
            assert!(row.tiers.is_sorted_by(|a, b| a.above < b.above), "{name}");
            assert!(row.base.input.or(row.base.output).is_some(), "{name}");
        }
        if model.status == Status::Unlisted {
            assert!(!model.prices.is_empty(), "{name}");
        }
    }

    #[test]
    fn files_name_their_sources() {
        for file in &FILES {
            for source in [crate::PriceSource::ModelsDev, crate::PriceSource::GenaiPrices] {
                assert!(file.text.contains(source.read()), "{}", file.provider);
            }
        }
    }

    #[test]
    fn data_stays_small() {
        let bytes: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(bytes < 400_000, "{bytes} bytes of models");
    }

    /// `[input, output, cache read, cache write]` in pico-dollars a token.
    #[track_caller]
    fn check(provider: &str, id: &str, day: &str, input: u64, wanted: [Option<u64>; 4]) {
        let model = model(provider, id).unwrap();
        let price = model.price_at(Date::parse(day).unwrap()).unwrap().price(Tokens(input));
        let got = [price.input, price.output, price.cache_read, price.cache_write];
        assert_eq!(got, wanted.map(|price| price.map(PicoUsd)), "{provider}/{id} on {day}");
    }

    /// Looked up by hand in the two sources at the commits the files name, US dollars per million tokens.
    #[test]
    fn prices_are_those_of_the_sources() {
        let usd = |millionths: [u64; 4]| millionths.map(|m| (m > 0).then_some(m));
        // Both: 3, 15, 0.3, 3.75; genai-prices: twice and half as much again above 200,000 until 2026-03-13.
        let flat = usd([3_000_000, 15_000_000, 300_000, 3_750_000]);
        let long = usd([6_000_000, 22_500_000, 600_000, 7_500_000]);
        check("anthropic", "claude-sonnet-4-6", "2026-11-23", 900_000, flat);
        check("anthropic", "claude-sonnet-4-6", "2026-03-12", 200_000, flat);
        check("anthropic", "claude-sonnet-4-6", "2026-03-12", 200_001, long);
        // genai-prices: 2, 10 until the end of August 2026, then 3, 15.
        check(
            "anthropic",
            "claude-sonnet-5",
            "2026-08-31",
            1,
            usd([2_000_000, 10_000_000, 200_000, 2_500_000]),
        );
        check("anthropic", "claude-sonnet-5", "2026-09-01", 1, flat);
        // models.dev: the first snapshot kept its price when the name moved on to a cheaper one.
        check("openai", "gpt-4o-2024-05-13", "2026-11-23", 1, usd([5_000_000, 15_000_000, 0, 0]));
        check("openai", "gpt-4o", "2026-11-23", 1, usd([2_500_000, 10_000_000, 1_250_000, 0]));
        // models.dev: genai-prices still has the price by the hour that ended with V3.
        check("deepseek", "deepseek-chat", "2026-11-23", 1, usd([140_000, 280_000, 2_800, 0]));
        check("deepseek", "deepseek-v4-pro", "2026-11-23", 1, usd([435_000, 870_000, 3_625, 0]));
    }

    /// What people call most, by provider.
    #[test]
    fn the_main_models_have_prices_and_limits() {
        let today = Date::parse("2026-11-23").unwrap();
        for name in [
            "anthropic/claude-haiku-4-5",
            "anthropic/claude-opus-4-8",
            "anthropic/claude-sonnet-4-6",
            "anthropic/claude-sonnet-5",
            "cerebras/gpt-oss-120b",
            "deepseek/deepseek-chat",
            "deepseek/deepseek-v4-flash",
            "google/gemini-2.5-flash",
            "google/gemini-3.1-pro-preview",
            "google/gemini-3.5-flash",
            "groq/openai/gpt-oss-120b",
            "minimax/MiniMax-M2.5",
            "mistral/mistral-large-latest",
            "mistral/mistral-small-latest",
            "moonshot/kimi-k2.6",
            "openai/gpt-4.1",
            "openai/gpt-4o",
            "openai/gpt-4o-mini",
            "openai/gpt-5",
            "openai/gpt-5.2",
            "openai/o3",
            "xai/grok-4.3",
            "openrouter/anthropic/claude-sonnet-4.6",
            "zai/glm-4.7",
        ] {
            let (provider, id) = name.split_once('/').unwrap();
            let model = model(provider, id).unwrap_or_else(|| panic!("{name}"));
            let price = model.price_at(today).unwrap_or_else(|| panic!("{name}")).price(Tokens(1));
            assert!(price.input.is_some_and(|p| p.0 > 0) && price.output.is_some_and(|p| p.0 > 0), "{name}");
            assert!(model.context_max.is_some(), "{name}");
        }
        // models.dev leaves its limits to a base model that the facts do not hold.
        assert!(model("google", "gemini-2.5-pro").unwrap().price_at(today).is_some());
    }

    #[test]
    fn snapshots_are_their_model() {
        let base = model("anthropic", "claude-sonnet-4-6");
        assert!(base.is_some_and(|m| m.context_max.is_some()));
        assert_eq!(model("anthropic", "claude-sonnet-4-6-20260217"), base);
        assert_eq!(model("openai", "gpt-5.2-2025-12-11"), model("openai", "gpt-5.2"));
        for (provider, id) in [
            ("anthropic", "claude-sonnet-4-6-2026-02-17"),
            ("anthropic", "claude-sonnet-4-6-fast"),
            ("anthropic", "claude-sonnet-4-6-20261301"),
            ("openai", "gpt-5.2-20251211"),
            ("openai", "no-such-model"),
            ("no-such-provider", "gpt-5.2"),
            ("google", "gemini-2.5-pro-20260101"),
        ] {
            assert_eq!(model(provider, id), None, "{provider}/{id}");
        }
    }

    #[test]
    fn unlisted_models_have_a_price_and_no_place_in_the_list() {
        let unlisted = model("openai", "gpt-5.6-sol").unwrap();
        assert_eq!(unlisted.status, Status::Unlisted);
        assert!(unlisted.price_at(Date::at(0)).is_some());
        assert!(models("openai").iter().all(|m| m.status != Status::Unlisted));
    }
}
