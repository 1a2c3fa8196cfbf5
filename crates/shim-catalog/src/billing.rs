//! What an answer costs: the provider's own statement where it makes one, else its tokens at list price.

use shim_ir::{Basis, Bill, PicoUsd, Tokens, Usage};

use crate::price::per_token;
use crate::{Billing, Date, OwnPrice, Price, PriceRow, Service, Surcharge, fits, model, provider};

/// What is known of the prices of one model of one provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pricing {
    own: Option<OwnPrice>,
    rows: &'static [PriceRow],
    billing: Option<&'static Billing>,
    model: &'static str,
    released: &'static str,
    region: Option<&'static str>,
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
    /// Where it was processed, where it says so itself; else it was where [`Pricing::processed_in`] says.
    pub region: Option<&'a str>,
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
        let Some(known) = known else { return Self { billing, ..Self::default() } };
        let (rows, model, released) = (known.prices.as_slice(), known.id.as_str(), known.released.as_str());
        Self { own: None, rows, billing, model, released, region: None }
    }

    /// The same, but for what the owner says it costs.
    #[must_use]
    pub const fn own(self, own: OwnPrice) -> Self {
        Self { own: Some(own), ..self }
    }

    /// The same, where requests are processed in a region unless an answer names another.
    #[must_use]
    pub const fn processed_in(self, region: Option<&'static str>) -> Self {
        Self { region, ..self }
    }

    /// The region in which requests are processed, as far as the host says it.
    #[must_use]
    pub const fn region(&self) -> Option<&'static str> {
        self.region
    }

    /// Whether any price is known of the day: the owner's, or one of the list.
    #[must_use]
    pub fn is_known(&self, day: Date) -> bool {
        self.own.is_some() || self.row(day).is_some()
    }

    /// The prices of a request with that much input, cached and fresh together; `None` where none are known for the day.
    #[must_use]
    pub fn price(&self, day: Date, input: Tokens) -> Option<Price> {
        self.own.map(|own| own.price).or_else(|| Some(self.row(day)?.price(input)))
    }

    /// Where the usage of an answer states its cost.
    #[must_use]
    pub fn stated_at(&self) -> Option<&'static str> {
        self.billing?.stated.as_ref().map(|stated| stated.path.as_str())
    }

    /// The member of the usage that, where it is `true`, says that the stated cost is not the whole.
    #[must_use]
    pub fn stated_unless(&self) -> Option<&'static str> {
        self.billing?.stated.as_ref()?.unless.as_deref()
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
        if let Some(own) = &self.own {
            return own.price.cost(answered.usage, own.cache_write_1h);
        }
        let row = self.row(answered.day).filter(|row| !row.fees)?;
        let price = self.with_images(row.price(answered.usage.input_total()))?;
        let hour = self.billing.and_then(|billing| billing.cache_write_1h.as_ref());
        let hour = hour.zip(price.input).and_then(|(hour, input)| percent(input, hour.percent));
        let tokens = price.cost(answered.usage, hour)?;
        let served = percent(tokens, self.percent(answered.service)?)?;
        let there = percent(served, self.surcharge(answered.region.or(self.region))?)?;
        there.plus(self.searched(answered.searches)?)
    }

    /// The list prices, of which that of output is that of images where the provider says so.
    fn with_images(&self, price: Price) -> Option<Price> {
        let mut of = self.billing.iter().flat_map(|billing| &billing.images);
        let Some(images) = of.find(|images| images.models.iter().any(|m| fits(m, self.model))) else {
            return Some(price);
        };
        let text = per_token(&images.text_usd_per_million)?;
        Some(Price { output: Some(text), output_image: price.output_image.or(price.output), ..price })
    }

    /// What a token costs in a region, in hundredths of the ordinary price; `None` where that is not known.
    fn surcharge(&self, region: Option<&str>) -> Option<u32> {
        let Some(name) = region else { return Some(100) };
        let is_of = |there: &&Surcharge| {
            let models = &there.models;
            there.region == name && (models.is_empty() || models.iter().any(|m| fits(m, self.model)))
        };
        let found = self.billing.and_then(|billing| billing.surcharge.iter().find(is_of));
        let Some(found) = found else { return Some(100) };
        match found.released.as_deref() {
            // A date reads in the order of time.
            Some(from) if !self.released.is_empty() => {
                Some(if self.released >= from { found.percent } else { 100 })
            }
            Some(_) => None,
            None => Some(found.percent),
        }
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
mod tests;
