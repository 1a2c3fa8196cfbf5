//! Prices as the importer compares them: whole pico-dollars a token, by class and by length of the input.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// What a price is of. The order is that of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    Reasoning,
    InputAudio,
    OutputAudio,
}

impl Class {
    /// The name in a row.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Input => "in",
            Self::Output => "out",
            Self::CacheRead => "read",
            Self::CacheWrite => "write",
            Self::Reasoning => "think",
            Self::InputAudio => "audio-in",
            Self::OutputAudio => "audio-out",
        }
    }

    /// The name on a page.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache read",
            Self::CacheWrite => "cache write",
            Self::Reasoning => "reasoning",
            Self::InputAudio => "audio input",
            Self::OutputAudio => "audio output",
        }
    }
}

/// A price: pico-dollars a token, which is millionths of a dollar a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pico(u64);

impl Pico {
    /// From US dollars per million tokens, to the nearest pico-dollar a token: the sources have a few prices with
    /// more places. `None` for what is no price, as the -1 of models whose price depends on where they are routed.
    pub(crate) fn from_usd(usd_per_million: f64) -> Option<Self> {
        if !(0.0..1e9).contains(&usd_per_million) {
            return None;
        }
        let text = format!("{usd_per_million:.6}");
        let (whole, fraction) = text.split_once('.')?;
        format!("{whole}{fraction}").parse().ok().map(Self)
    }

    /// What so many tokens cost, in pico-dollars.
    #[cfg(test)]
    pub(crate) const fn times(self, tokens: u64) -> u64 {
        self.0 * tokens
    }

    /// Whether it is for nothing.
    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Pico {
    /// As US dollars per million tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000_000, format!("{:06}", self.0 % 1_000_000));
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

/// Prices by class.
pub(crate) type Classes = BTreeMap<Class, Pico>;

/// What one source says a model costs at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prices {
    /// Whatever the length.
    pub(crate) base: Classes,
    /// Of requests with more input tokens than the key.
    pub(crate) tiers: BTreeMap<u64, Classes>,
    /// Whether requests, searches or citations cost something beside the tokens.
    pub(crate) fees: bool,
}

impl Prices {
    /// Whether a source says nothing of what tokens cost.
    pub(crate) fn is_empty(&self) -> bool {
        self.base.is_empty()
    }

    /// Every price with where it applies: `None` for whatever the length.
    pub(crate) fn all(&self) -> BTreeMap<(Option<u64>, Class), Pico> {
        let base = self.base.iter().map(|(class, price)| ((None, *class), *price));
        let tiers = self.tiers.iter().flat_map(|(above, classes)| {
            classes.iter().map(|(class, price)| ((Some(*above), *class), *price))
        });
        base.chain(tiers).collect()
    }

    /// Takes over what `other` states and `self` does not.
    pub(crate) fn fill(&mut self, other: &Self) {
        for ((above, class), price) in other.all() {
            let classes = above.map_or(&mut self.base, |above| self.tiers.entry(above).or_default());
            classes.entry(class).or_insert(price);
        }
        self.fees |= other.fees;
    }
}

/// `cost` of a model of models.dev, in US dollars per million tokens.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Cost {
    input: Option<f64>,
    output: Option<f64>,
    // Three spellings of one thing occur.
    #[serde(alias = "cache_input", alias = "cached_input")]
    cache_read: Option<f64>,
    #[serde(alias = "cached_write")]
    cache_write: Option<f64>,
    reasoning: Option<f64>,
    input_audio: Option<f64>,
    output_audio: Option<f64>,
    request: Option<f64>,
    citation: Option<f64>,
    #[serde(default)]
    tiers: Vec<CostTier>,
}

#[derive(Clone, Debug, Deserialize)]
struct CostTier {
    tier: TierStart,
    #[serde(flatten)]
    cost: Cost,
}

#[derive(Clone, Debug, Deserialize)]
struct TierStart {
    size: u64,
}

impl Cost {
    /// The same as prices.
    pub(crate) fn prices(&self) -> Prices {
        Prices {
            base: self.classes(),
            tiers: self.tiers.iter().map(|tier| (tier.tier.size, tier.cost.classes())).collect(),
            fees: self.request.or(self.citation).is_some(),
        }
    }

    fn classes(&self) -> Classes {
        let mut classes: Classes = [
            (Class::Input, self.input),
            (Class::Output, self.output),
            (Class::CacheRead, self.cache_read),
            (Class::CacheWrite, self.cache_write),
            (Class::Reasoning, self.reasoning),
            (Class::InputAudio, self.input_audio),
            (Class::OutputAudio, self.output_audio),
        ]
        .into_iter()
        .filter_map(|(class, usd)| Some((class, Pico::from_usd(usd?)?)))
        .collect();
        // Reasoning at the price of output needs no saying.
        if classes.get(&Class::Reasoning) == classes.get(&Class::Output) {
            classes.remove(&Class::Reasoning);
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::Pico;

    #[track_caller]
    fn check(usd: f64, text: &str) {
        assert_eq!(Pico::from_usd(usd).unwrap().to_string(), text);
    }

    #[test]
    fn prices_keep_their_decimals() {
        check(3.0, "3");
        check(0.0, "0");
        check(0.0028, "0.0028");
        check(0.003_625, "0.003625");
        check(0.083_333_333_333_333_34, "0.083333");
        check(18.75, "18.75");
        assert_eq!(Pico::from_usd(-1.0), None);
        assert_eq!(Pico::from_usd(f64::NAN), None);
    }
}
