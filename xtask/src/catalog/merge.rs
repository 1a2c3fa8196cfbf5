//! One price out of two sources.
//!
//! The newer source, genai-prices, is taken where both state a price and differ. Two bounds keep that from making a
//! wrong price: an entry that names the model only as another name of a second one does not overrule an entry of the
//! model's own, and prices that depend on the hour of the day are not taken at all. What only one of them states is
//! filled in, as long as they agree on input and output: prices of different days do not mix.

use super::genai::Statement;
use super::price::{Class, Pico, Prices};

/// The day of the models.dev commit.
pub(crate) const MODELS_DEV_DATE: &str = "2026-07-02";
/// The day of the genai-prices commit.
pub(crate) const GENAI_DATE: &str = "2026-08-21";

/// Who states a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    ModelsDev,
    Genai,
    /// Both, or each a part, without differing.
    Both,
}

impl Source {
    /// The word in a row.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::ModelsDev => "m",
            Self::Genai => "g",
            Self::Both => "mg",
        }
    }
}

/// Prices that hold from a day on; from as long ago as is known where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) from: Option<String>,
    pub(crate) source: Source,
    pub(crate) prices: Prices,
}

/// One difference between the sources.
pub(crate) struct Finding {
    pub(crate) class: Class,
    /// For requests with more input than this.
    pub(crate) above: Option<u64>,
    pub(crate) models_dev: Option<Pico>,
    pub(crate) genai: Option<Pico>,
    pub(crate) cause: Cause,
}

/// Why the sources differ, as far as they show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Both have an entry for the model.
    Revised,
    /// One of them says that it is free.
    Free,
    /// Only genai-prices has a price for long input.
    LongInGenai,
    /// Only models.dev has a price for long input.
    LongInModelsDev,
    /// The same, but the two state other prices for short input too.
    LongOfOlder,
    /// genai-prices has no entry for the model, only one of this name that lists it as another name.
    OtherName(String),
    /// genai-prices has prices by the hour of the day.
    ByHour,
}

/// A difference, and of which model.
pub(crate) struct Difference {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) finding: Finding,
}

impl Difference {
    pub(crate) fn new(provider: &str, model: &str, finding: Finding) -> Self {
        Self { provider: provider.to_owned(), model: model.to_owned(), finding }
    }
}

/// The prices of a model, the oldest first, and where the sources differ.
pub(crate) fn prices(models_dev: &Prices, genai: Option<&Statement>) -> (Vec<Dated>, Vec<Finding>) {
    let older = || {
        let dated = Dated { from: None, source: Source::ModelsDev, prices: models_dev.clone() };
        Vec::from_iter((!models_dev.is_empty()).then_some(dated))
    };
    let Some(genai) = genai else { return (older(), Vec::new()) };
    let Some(since) = &genai.since else {
        let found = models_dev.base.iter().map(|(class, price)| Finding {
            class: *class,
            above: None,
            models_dev: Some(*price),
            genai: None,
            cause: Cause::ByHour,
        });
        return (older(), found.collect());
    };
    if models_dev.is_empty() {
        return (dated(since, None), Vec::new());
    }
    let at = since.iter().rposition(|(from, _)| from.as_deref().is_none_or(|day| day <= MODELS_DEV_DATE));
    let Some((at, (_, then))) = at.and_then(|at| Some((at, since.get(at)?))) else {
        return (older(), Vec::new());
    };
    let differ = differences(models_dev, then);
    let base_differs = |class| differ.iter().any(|(above, c, ..)| above.is_none() && *c == class);
    let clash = base_differs(Class::Input) || base_differs(Class::Output);
    let overruled =
        genai.other_name_of.as_ref().filter(|_| differ.iter().any(|(.., m, g)| m.is_some() && g.is_some()));
    let rows = match overruled {
        Some(_) => older(),
        None => dated(since, (!clash).then_some((at, models_dev))),
    };
    let findings = differ.into_iter().map(|(above, class, m, g)| Finding {
        class,
        above,
        models_dev: m,
        genai: g,
        cause: cause(m, g, clash, overruled),
    });
    (rows, findings.collect())
}

fn cause(models_dev: Option<Pico>, genai: Option<Pico>, clash: bool, overruled: Option<&String>) -> Cause {
    match (overruled, models_dev, genai) {
        (Some(name), ..) => Cause::OtherName(name.clone()),
        (None, Some(_), None) if clash => Cause::LongOfOlder,
        (None, Some(_), None) => Cause::LongInModelsDev,
        (None, None, _) => Cause::LongInGenai,
        (None, Some(m), Some(g)) if m.is_zero() || g.is_zero() => Cause::Free,
        (None, Some(_), Some(_)) => Cause::Revised,
    }
}

/// The rows of the newer source; `fill` says which of them is completed from the older.
fn dated(since: &[(Option<String>, Prices)], fill: Option<(usize, &Prices)>) -> Vec<Dated> {
    let row = |(at, (from, prices)): (usize, &(Option<String>, Prices))| {
        let mut row = Dated { from: from.clone(), source: Source::Genai, prices: prices.clone() };
        if let Some((_, older)) = fill.filter(|(filled, _)| *filled == at) {
            row.prices.fill(older);
            row.source = Source::Both;
        }
        row
    };
    since.iter().enumerate().map(row).collect()
}

type Differing = (Option<u64>, Class, Option<Pico>, Option<Pico>);

/// Where the two differ: both state a price and not the same, or only one has a price for long input, though both
/// have one for short.
fn differences(models_dev: &Prices, genai: &Prices) -> Vec<Differing> {
    let (older, newer) = (models_dev.all(), genai.all());
    let keys: std::collections::BTreeSet<_> = older.keys().chain(newer.keys()).copied().collect();
    let differing = keys.into_iter().filter_map(|(above, class)| {
        let (m, g) = (older.get(&(above, class)).copied(), newer.get(&(above, class)).copied());
        let comparable = match (m, g) {
            (Some(_), Some(_)) => true,
            _ => above.is_some() && models_dev.base.contains_key(&class) && genai.base.contains_key(&class),
        };
        (comparable && m != g).then_some((above, class, m, g))
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use super::{Source, prices};
    use crate::catalog::genai::Statement;
    use crate::catalog::price::{Class, Pico, Prices};

    fn flat(input: f64, output: f64) -> Prices {
        let base = [(Class::Input, input), (Class::Output, output)];
        let base = base.into_iter().filter_map(|(class, usd)| Some((class, Pico::from_usd(usd)?))).collect();
        Prices { base, ..Prices::default() }
    }

    fn stated(prices: Prices, other_name_of: Option<&str>) -> Statement {
        Statement {
            other_name_of: other_name_of.map(str::to_owned),
            context: None,
            since: Some(vec![(None, prices)]),
        }
    }

    #[test]
    fn the_newer_wins() {
        let (rows, found) = prices(&flat(1.0, 2.0), Some(&stated(flat(1.0, 3.0), None)));
        assert_eq!((rows[0].source, &rows[0].prices), (Source::Genai, &flat(1.0, 3.0)));
        assert_eq!((found.len(), found[0].class), (1, Class::Output));
    }

    #[test]
    fn another_name_does_not_overrule() {
        let (rows, found) = prices(&flat(5.0, 15.0), Some(&stated(flat(2.5, 10.0), Some("gpt-4o"))));
        assert_eq!((rows[0].source, &rows[0].prices), (Source::ModelsDev, &flat(5.0, 15.0)));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn prices_of_different_days_do_not_mix() {
        let mut older = flat(1.0, 2.0);
        older.base.extend(Pico::from_usd(0.1).map(|price| (Class::CacheRead, price)));
        let (rows, _) = prices(&older, Some(&stated(flat(1.0, 2.0), None)));
        assert_eq!((rows[0].source, &rows[0].prices), (Source::Both, &older));
        let (rows, _) = prices(&older, Some(&stated(flat(2.0, 2.0), None)));
        assert_eq!((rows[0].source, &rows[0].prices), (Source::Genai, &flat(2.0, 2.0)));
    }

    #[test]
    fn prices_by_the_hour_are_not_taken() {
        let statement = Statement { other_name_of: None, context: None, since: None };
        let (rows, found) = prices(&flat(1.0, 2.0), Some(&statement));
        assert_eq!((rows[0].source, found.len()), (Source::ModelsDev, 2));
    }
}
