//! Costs of recorded exchanges, reckoned anew by the prices a configuration and the catalogue know now.

use std::collections::{BTreeMap, HashMap};

use shim_catalog::{Answered, Date, OwnPrice, Pricing, fits};
use shim_config::Config;
use shim_store::ledger::{Price, Priced};

/// Targets whose prices are looked up once; they are named by clients, so there is a bound.
const KNOWN_MAX: usize = 4096;

/// The prices that are known now, by target.
#[derive(Debug, Default)]
pub struct PriceList {
    own: BTreeMap<String, Vec<(String, OwnPrice)>>,
    known: HashMap<String, Pricing>,
}

impl PriceList {
    /// The prices that `config` and the catalogue know.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let own = config.providers.iter().map(|(id, provider)| (id.to_string(), provider.prices.clone()));
        let demo = ("demo".to_owned(), vec![("*".to_owned(), OwnPrice::FREE)]);
        Self { own: own.chain([demo]).collect(), known: HashMap::new() }
    }

    /// What an exchange costs by them, on the day it was asked.
    pub fn price(&mut self, priced: &Priced) -> Price {
        let pricing = self.pricing(&priced.target);
        let day = Date::at(priced.at_ms / 1000);
        if !pricing.is_known(day) {
            return Price::Unlisted;
        }
        let bill = pricing.bill(&Answered {
            usage: &priced.usage,
            service: priced.service.as_deref(),
            searches: priced.searches,
            region: priced.region.as_deref(),
            stated: None,
            complete: true,
            day,
        });
        bill.cost.map_or(Price::Unknown, Price::Known)
    }

    fn pricing(&mut self, target: &str) -> Pricing {
        if let Some(known) = self.known.get(target) {
            return *known;
        }
        let (provider, model) = target.split_once('/').unwrap_or((target, ""));
        let listed = Pricing::of(provider, model);
        let own = self.own.get(provider).into_iter().flatten().find(|(models, _)| fits(models, model));
        let pricing = own.map_or(listed, |(_, own)| listed.own(*own));
        if self.known.len() < KNOWN_MAX {
            self.known.insert(target.to_owned(), pricing);
        }
        pricing
    }
}

#[cfg(test)]
mod tests {
    use shim_config::parse;
    use shim_ir::{PicoUsd, Tokens, Usage};
    use shim_store::ledger::{Price, Priced};

    use super::PriceList;

    /// 2026-07-10T00:00:00Z.
    const JULY_MS: u64 = 1_783_641_600_000;

    #[test]
    fn a_recorded_exchange_costs_what_an_answer_of_its_day_would() {
        let text = "[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\nprices.\"a*\" = { input = \"2\" }\n";
        let mut prices = PriceList::of(&parse(text, "shim.toml", &[]).unwrap());
        let priced = |target: &str| Priced {
            target: target.to_owned(),
            at_ms: JULY_MS,
            usage: Usage { input_uncached: Tokens(10), ..Usage::default() },
            service: None,
            region: None,
            searches: 0,
        };
        let mut check = |asked: &Priced, price: Price| assert_eq!(prices.price(asked), price, "{asked:?}");
        let claude = priced("anthropic/claude-sonnet-4-6");
        check(&claude, Price::Known(PicoUsd(30_000_000)));
        check(&Priced { service: Some("batch".into()), ..claude.clone() }, Price::Known(PicoUsd(15_000_000)));
        check(&Priced { region: Some("us".into()), ..claude.clone() }, Price::Known(PicoUsd(33_000_000)));
        check(&Priced { searches: 2, ..claude.clone() }, Price::Known(PicoUsd(20_030_000_000)));
        check(&Priced { service: Some("priority".into()), ..claude }, Price::Unknown);
        check(&priced("lab/alpha"), Price::Known(PicoUsd(20_000_000)));
        check(&priced("lab/beta"), Price::Unlisted);
        check(&priced("gone/model"), Price::Unlisted);
        check(&priced("demo/hello"), Price::Known(PicoUsd(0)));
    }
}
