//! What an answer costs: the provider's own statement where it makes one, else its tokens at list price.

use serde::Deserialize;
use shim_ir::{Basis, Bill, PicoUsd, Usage};

use crate::price::per_token;
use crate::{Date, PriceRow, fits, model, provider};

/// What a provider bills otherwise than by the list prices of tokens. Part of its file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// Where its answers state what they cost.
    pub stated: Option<StatedCost>,
    /// What input written to a cache that lives an hour costs, where that is documented.
    pub cache_write_1h: Option<Multiple>,
    /// What a search of the web costs.
    pub search: Option<Search>,
    /// Classes of service that cost another price than the ordinary one. What is not here has no known price.
    #[serde(default)]
    pub service: Vec<Service>,
}

/// Where the usage of an answer states its cost.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct StatedCost {
    /// The member of the usage object, with a dot before the name of one within it.
    pub path: String,
    /// Digits behind the decimal point that the number lacks: 0 for dollars, 10 for ten-thousand-millionths.
    pub scale: u8,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// A price as a multiple of that of fresh input.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Multiple {
    /// In hundredths.
    pub percent: u32,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// The price of a search of the web.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Dollars for a thousand, as a decimal.
    pub usd_per_thousand: String,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// A class of service.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in answers.
    pub name: String,
    /// The price of a token there, in hundredths of the ordinary one.
    pub percent: u32,
    /// The models that have it, `*` standing for any text; none where all have it.
    #[serde(default)]
    pub models: Vec<String>,
    /// Where that is documented.
    pub source: String,
    /// When that was read, as a date.
    pub read: String,
}

/// What is known of the prices of one model of one provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pricing {
    rows: &'static [PriceRow],
    billing: Option<&'static Billing>,
    model: &'static str,
}

/// An answer, as far as it is billed.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// What it used.
    pub usage: &'a Usage,
    /// The class of service, where it is not the ordinary one.
    pub service: Option<&'a str>,
    /// Searches of the web.
    pub searches: u64,
    /// The number in which it states its cost, where it has one: what stands at [`Pricing::stated_at`].
    pub stated: Option<&'a str>,
    /// Whether it was complete.
    pub complete: bool,
    /// The day it was asked.
    pub day: Date,
}

impl Pricing {
    /// The prices of the model `id` of a provider of the catalogue; none where it is not known.
    #[must_use]
    pub fn of(provider: &str, id: &str) -> Self {
        let billing = self::provider(provider).and_then(|known| known.billing.as_ref());
        let known = self::provider(provider).and_then(|known| model(&known.id, id));
        let (rows, model) = known.map_or((&[][..], ""), |model| (model.prices.as_slice(), model.id.as_str()));
        Self { rows, billing, model }
    }

    /// Where the usage of an answer states its cost.
    #[must_use]
    pub fn stated_at(&self) -> Option<&'static str> {
        self.billing?.stated.as_ref().map(|stated| stated.path.as_str())
    }

    /// The prices in force on a day; `None` where none are known for it.
    #[must_use]
    pub fn row(&self, day: Date) -> Option<&'static PriceRow> {
        self.rows.iter().rfind(|row| row.from.is_none_or(|from| from <= day))
    }

    /// What an answer costs.
    #[must_use]
    pub fn bill(&self, answered: &Answered<'_>) -> Bill {
        if let Some(cost) = self.stated(answered) {
            return Bill { cost: Some(cost), basis: Basis::Stated };
        }
        match self.listed(answered) {
            None => Bill::default(),
            cost if answered.complete => Bill { cost, basis: Basis::Listed },
            cost => Bill { cost, basis: Basis::Partial },
        }
    }

    fn stated(&self, answered: &Answered<'_>) -> Option<PicoUsd> {
        let scale = self.billing?.stated.as_ref()?.scale;
        pico(answered.stated?, scale)
    }

    fn listed(&self, answered: &Answered<'_>) -> Option<PicoUsd> {
        let row = self.row(answered.day)?;
        let hour = self.billing.and_then(|billing| billing.cache_write_1h.as_ref());
        let tokens = row.cost(answered.usage, hour.map(|hour| hour.percent))?;
        percent(tokens, self.percent(answered.service)?)?.plus(self.searched(answered.searches)?)
    }

    /// What a token costs in a class of service, in hundredths of the ordinary price; `None` where that is not known.
    fn percent(&self, service: Option<&str>) -> Option<u32> {
        let Some(name) = service else { return Some(100) };
        let is_of = |service: &&Service| {
            let models = &service.models;
            service.name == name && (models.is_empty() || models.iter().any(|m| fits(m, self.model)))
        };
        self.billing?.service.iter().find(is_of).map(|service| service.percent)
    }

    fn searched(&self, searches: u64) -> Option<PicoUsd> {
        if searches == 0 {
            return Some(PicoUsd(0));
        }
        let thousand = &self.billing?.search.as_ref()?.usd_per_thousand;
        // Dollars a thousand are a thousand times what dollars a million are.
        let one = per_token(thousand)?.0.checked_mul(1_000)?;
        one.checked_mul(searches).map(PicoUsd)
    }
}

/// So many hundredths of an amount, rounded up: nobody bills less than a pico-dollar too little.
pub(crate) fn percent(amount: PicoUsd, percent: u32) -> Option<PicoUsd> {
    let scaled = (u128::from(amount.0) * u128::from(percent)).div_ceil(100);
    u64::try_from(scaled).ok().map(PicoUsd)
}

/// A decimal number of dollars, or of 10^-scale dollars, in pico-dollars, rounded to the next; `None` for a negative one
/// and one that does not fit.
fn pico(number: &str, scale: u8) -> Option<PicoUsd> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > 38 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: u128 = digits.parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    let shift = exponent.checked_sub(places)?.checked_add(12)?.checked_sub(i32::from(scale))?;
    let amount = match u32::try_from(shift) {
        Ok(_) if digits == 0 => 0,
        Ok(up) => digits.checked_mul(10_u128.checked_pow(up)?)?,
        Err(_) => rounded(digits, shift.unsigned_abs()),
    };
    u64::try_from(amount).ok().map(PicoUsd)
}

/// A number divided by a power of ten, to the nearest.
fn rounded(digits: u128, down: u32) -> u128 {
    let Some(by) = 10_u128.checked_pow(down) else { return 0 };
    digits / by + u128::from(digits % by >= by.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{Basis, Bill, PicoUsd, Tokens, Usage};

    use super::{Answered, Pricing, percent, pico};
    use crate::{Date, provider, providers};

    #[test]
    fn stated_amounts_are_read_exactly() {
        for (number, scale, expected) in [
            ("0.00141", 0, Some(1_410_000_000)),
            ("1e-06", 0, Some(1_000_000)),
            ("1.5E-3", 0, Some(1_500_000_000)),
            ("37756000", 10, Some(3_775_600_000)),
            ("0", 0, Some(0)),
            ("0.0", 10, Some(0)),
            ("0.0000000000005", 0, Some(1)),
            ("0.0000000000004", 0, Some(0)),
            ("1e-400", 0, Some(0)),
            ("12", 0, Some(12_000_000_000_000)),
            ("1e9", 0, None),
            ("1e400", 0, None),
            ("-1", 0, None),
            ("1e", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(pico(number, scale), expected.map(PicoUsd), "{number} {scale}");
        }
    }

    fn answered(usage: &Usage) -> Answered<'_> {
        let day = Date::parse("2026-07-10").unwrap();
        Answered { usage, service: None, searches: 0, stated: None, complete: true, day }
    }

    /// What `asked` of a model costs, in pico-dollars.
    #[track_caller]
    fn check(target: (&str, &str), asked: &Answered<'_>, cost: Option<u64>, basis: Basis) {
        let bill = Pricing::of(target.0, target.1).bill(asked);
        assert_eq!(bill, Bill { cost: cost.map(PicoUsd), basis }, "{target:?}");
    }

    #[test]
    fn an_answer_is_billed_by_class_service_and_search() {
        let used = Usage {
            input_uncached: Tokens(100),
            cache_read: Tokens(1_000),
            cache_write: Tokens(10),
            cache_write_1h: Tokens(10),
            output_text: Tokens(20),
            reasoning: Tokens(5),
            ..Usage::default()
        };
        // 3 and 15 dollars a million; 0.3 read, 3.75 written for minutes, 6 for an hour.
        let sonnet = ("anthropic", "claude-sonnet-4-6");
        let tokens = 100 * 3_000_000 + 1_000 * 300_000 + 10 * 3_750_000 + 10 * 6_000_000 + 25 * 15_000_000;
        let plain = answered(&used);
        check(sonnet, &plain, Some(tokens), Basis::Listed);
        check(sonnet, &Answered { complete: false, ..plain }, Some(tokens), Basis::Partial);
        let searched = Answered { searches: 3, ..plain };
        check(sonnet, &searched, Some(tokens + 3 * 10_000_000_000), Basis::Listed);
        check(sonnet, &Answered { service: Some("batch"), ..plain }, Some(tokens / 2), Basis::Listed);
        check(sonnet, &Answered { service: Some("priority"), ..plain }, None, Basis::Unknown);
        check(("anthropic", "claude-nobody"), &plain, None, Basis::Unknown);
        check(("nobody", "model"), &plain, None, Basis::Unknown);
        let hour = Usage { cache_write_1h: Tokens(1), ..Usage::default() };
        check(("openai", "gpt-5.2"), &answered(&hour), None, Basis::Unknown);
        check(("google", "gemini-2.5-flash"), &searched, None, Basis::Unknown);
    }

    #[test]
    fn what_a_provider_states_is_what_it_costs() {
        let used = Usage { input_uncached: Tokens(100), ..Usage::default() };
        let stated = Answered { stated: Some("0.95"), ..answered(&used) };
        check(("openrouter", "some/model"), &stated, Some(950_000_000_000), Basis::Stated);
        let ticks = Answered { stated: Some("37756000"), ..answered(&used) };
        check(("xai", "grok-4"), &ticks, Some(3_775_600_000), Basis::Stated);
        assert_eq!(Pricing::of("openrouter", "x").stated_at(), Some("cost"));
        assert_eq!(Pricing::of("openai", "gpt-5.2").stated_at(), None);
    }

    #[test]
    fn every_statement_of_a_provider_is_sound() {
        for billing in providers().iter().filter_map(|p| p.billing.as_ref()) {
            let sources = [
                billing.stated.as_ref().map(|stated| (&stated.source, &stated.read)),
                billing.cache_write_1h.as_ref().map(|hour| (&hour.source, &hour.read)),
                billing.search.as_ref().map(|search| (&search.source, &search.read)),
            ];
            let services = billing.service.iter().map(|service| (&service.source, &service.read));
            for (source, read) in sources.into_iter().flatten().chain(services) {
                assert!(source.starts_with("https://") && Date::parse(read).is_some(), "{source} {read}");
            }
            let search = billing.search.as_ref().map(|search| search.usd_per_thousand.as_str());
            assert!(search.is_none_or(|usd| super::per_token(usd).is_some()), "{search:?}");
        }
        assert!(provider("anthropic").unwrap().billing.is_some());
    }

    proptest! {
        #[test]
        fn any_number_is_answered(number in any::<String>(), scale in any::<u8>()) {
            let _ = pico(&number, scale);
        }

        #[test]
        fn no_part_is_more_than_the_whole(amount in any::<u64>(), part in 0u32..=100) {
            let part = percent(PicoUsd(amount), part).unwrap();
            prop_assert!(part.0 <= amount);
        }
    }
}
