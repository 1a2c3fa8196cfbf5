//! What a token costs: list prices by class, by the length of the input, and by the day.

use shim_ir::{PicoUsd, Tokens, Usage};

use crate::Date;

/// The list prices of one token, in pico-dollars, by class. What is not known is `None`, never 0; a 0 is stated.
///
/// The classes are those of [`shim_ir::Usage`]. A class without a price of its own is not for nothing: the provider
/// counts it in another (reasoning is output nearly everywhere), or nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Fresh input.
    pub input: Option<PicoUsd>,
    /// Output.
    pub output: Option<PicoUsd>,
    /// Input read from a cache.
    pub cache_read: Option<PicoUsd>,
    /// Input written to a cache that lives minutes. What a longer life costs is in neither source.
    pub cache_write: Option<PicoUsd>,
    /// Reasoning, where it costs another price than other output.
    pub reasoning: Option<PicoUsd>,
    /// Audio input, where it costs a price of its own.
    pub input_audio: Option<PicoUsd>,
    /// Audio output, where it costs a price of its own.
    pub output_audio: Option<PicoUsd>,
    /// Images, where they cost another price than other output.
    pub output_image: Option<PicoUsd>,
}

/// Prices that an owner states for models of its own, whatever the day and the length of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnPrice {
    /// By class.
    pub price: Price,
    /// Input written to a cache that lives an hour.
    pub cache_write_1h: Option<PicoUsd>,
}

impl OwnPrice {
    /// For nothing.
    pub const FREE: Self = {
        let free = Some(PicoUsd(0));
        let price = Price {
            input: free,
            output: free,
            cache_read: free,
            cache_write: free,
            reasoning: free,
            input_audio: free,
            output_audio: free,
            output_image: free,
        };
        Self { price, cache_write_1h: free }
    };
}

impl Price {
    /// What tokens cost; `None` where a class of them has no known price, and where it does not fit. `hour`: the price of
    /// input written to a cache that lives an hour.
    pub(crate) fn cost(&self, usage: &Usage, hour: Option<PicoUsd>) -> Option<PicoUsd> {
        // What has no price of its own is counted in the class that includes it, as both sources mean it; not so sound,
        // which costs a multiple of text wherever it has a price.
        let classes = [
            (usage.input_uncached, self.input),
            (usage.input_audio, self.input_audio),
            (usage.cache_read, self.cache_read.or(self.input)),
            (usage.cache_write, self.cache_write.or(self.input)),
            (usage.cache_write_1h, hour),
            (usage.output_text, self.output),
            (usage.reasoning, self.reasoning.or(self.output)),
            (usage.output_audio, self.output_audio),
            (usage.output_image, self.output_image.or(self.output)),
        ];
        classes.into_iter().try_fold(PicoUsd(0), |sum, (tokens, price)| match (tokens, price) {
            (Tokens(0), _) => Some(sum),
            (tokens, price) => sum.plus(price?.times(tokens)?),
        })
    }

    /// These prices, and those of `base` where there are none.
    fn or(self, base: Self) -> Self {
        Self {
            input: self.input.or(base.input),
            output: self.output.or(base.output),
            cache_read: self.cache_read.or(base.cache_read),
            cache_write: self.cache_write.or(base.cache_write),
            reasoning: self.reasoning.or(base.reasoning),
            input_audio: self.input_audio.or(base.input_audio),
            output_audio: self.output_audio.or(base.output_audio),
            output_image: self.output_image.or(base.output_image),
        }
    }
}

/// The prices of a model from one day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    /// The first day they hold; `None` for as long ago as is known.
    pub from: Option<Date>,
    /// Who states them.
    pub source: PriceSource,
    /// Whether requests, searches or citations cost something too, so that the tokens are not the whole bill.
    pub fees: bool,
    /// The prices of requests that are in no tier.
    pub base: Price,
    /// Prices of longer requests, by rising bound.
    pub tiers: Vec<PriceTier>,
}

/// The prices of requests with much input. All tokens of such a request have them, not only those above the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceTier {
    /// They hold for more input tokens than this, cached ones included.
    pub above: Tokens,
    /// Prices; a class without one has that of the base.
    pub price: Price,
}

/// Who states a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceSource {
    /// models.dev (MIT).
    ModelsDev,
    /// pydantic's genai-prices (MIT).
    GenaiPrices,
    /// Both, or each a part, without differing.
    Both,
}

impl PriceSource {
    /// The day the statement was read: that of the commit it was imported from.
    #[must_use]
    pub const fn read(self) -> &'static str {
        match self {
            Self::ModelsDev => "2026-07-02",
            Self::GenaiPrices | Self::Both => "2026-08-21",
        }
    }
}

impl PriceRow {
    /// The prices of a request with that much input, cached and fresh together.
    #[must_use]
    pub fn price(&self, input: Tokens) -> Price {
        let tier = self.tiers.iter().rfind(|tier| input > tier.above);
        tier.map_or(self.base, |tier| tier.price.or(self.base))
    }
}

/// US dollars per million tokens, as a decimal, to pico-dollars per token: six more decimal places. `None` where the
/// text is no decimal or has more places than that.
#[must_use]
pub fn per_token(usd_per_million: &str) -> Option<PicoUsd> {
    let (whole, fraction) = usd_per_million.split_once('.').unwrap_or((usd_per_million, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if fraction.len() > 6 || whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction).map(PicoUsd)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{PicoUsd, Tokens};

    use super::{Price, PriceRow, PriceSource, PriceTier, per_token};

    #[test]
    fn conversion_is_exact() {
        assert_eq!(per_token("3"), Some(PicoUsd(3_000_000)));
        assert_eq!(per_token("0.075"), Some(PicoUsd(75_000)));
        assert_eq!(per_token("0.003625"), Some(PicoUsd(3_625)));
        assert_eq!(per_token("0.000001"), Some(PicoUsd(1)));
        assert_eq!(per_token("0"), Some(PicoUsd(0)));
        for text in ["", ".5", "1e-7", "0.1234567", "-1", "+1", "1.+5", "NaN", "18446744073710"] {
            assert_eq!(per_token(text), None, "{text}");
        }
    }

    #[test]
    fn long_requests_cost_what_their_tier_says() {
        let base = Price { input: Some(PicoUsd(1)), output: Some(PicoUsd(2)), ..Price::default() };
        let tier = |above, input| PriceTier {
            above: Tokens(above),
            price: Price { input: Some(PicoUsd(input)), ..Price::default() },
        };
        let tiers = vec![tier(10, 5), tier(20, 6)];
        let row = PriceRow { from: None, source: PriceSource::Both, fees: false, base, tiers };
        let input = |tokens| row.price(Tokens(tokens)).input.map(|price| price.0);
        assert_eq!([input(10), input(11), input(20), input(21)], [Some(1), Some(5), Some(5), Some(6)]);
        assert_eq!(row.price(Tokens(21)).output, Some(PicoUsd(2)));
    }

    proptest! {
        #[test]
        fn any_decimal_survives(pico in 0u64..1_000_000_000_000) {
            let text = format!("{}.{:06}", pico / 1_000_000, pico % 1_000_000);
            prop_assert_eq!(per_token(&text), Some(PicoUsd(pico)));
        }

        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = per_token(&text);
        }
    }
}
