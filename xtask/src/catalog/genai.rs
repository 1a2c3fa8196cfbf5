//! The prices of genai-prices.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::facts::Fact;
use super::price::{Class, Pico, Prices};

/// One provider of the source.
#[derive(Deserialize)]
pub(crate) struct Genai {
    pub(crate) id: String,
    models: Vec<Entry>,
}

/// One model: its name there, the names it is recognised by, and what it costs.
#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(rename = "match")]
    rule: Value,
    context_window: Option<u64>,
    price_comments: Option<String>,
    prices: Stated,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stated {
    Always(Amounts),
    Since(Vec<Conditional>),
}

#[derive(Deserialize)]
struct Conditional {
    constraint: Option<Constraint>,
    prices: Amounts,
}

/// Since when prices hold, or between which hours of the day.
#[derive(Deserialize)]
struct Constraint {
    start_date: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Amounts {
    input_mtok: Option<Amount>,
    output_mtok: Option<Amount>,
    cache_read_mtok: Option<Amount>,
    cache_write_mtok: Option<Amount>,
    input_audio_mtok: Option<Amount>,
    output_audio_mtok: Option<Amount>,
    requests_kcount: Option<f64>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Amount {
    Flat(f64),
    Tiered { base: f64, tiers: Vec<Tier> },
}

#[derive(Clone, Deserialize)]
struct Tier {
    start: u64,
    price: f64,
}

/// Prices by the day they hold from, the oldest first; no day for as long ago as is known.
pub(crate) type Since = Vec<(Option<String>, Prices)>;

/// What the source says of one of our models.
pub(crate) struct Statement {
    /// The entry's own name, where the model is only another name of it.
    pub(crate) other_name_of: Option<String>,
    /// Its context window, in tokens.
    pub(crate) context: Option<u64>,
    /// What it costs; `None` where that depends on the hour.
    pub(crate) since: Option<Since>,
}

/// Reads the source.
pub(crate) fn read(path: &Path) -> Result<Vec<Genai>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

impl Genai {
    /// What is said of the model `id`. Only entries that name it count: by their own name, as one of the names they
    /// list, or as a dated snapshot of their own name. A rule such as "begins with" is too wide to be a statement, and
    /// so is a price the source says it took from another provider's list.
    pub(crate) fn statement(&self, id: &str) -> Option<Statement> {
        let id = id.to_lowercase();
        let find = |is: &dyn Fn(&Entry) -> bool| self.models.iter().find(|entry| is(entry));
        let own = find(&|e| e.own_names().any(|name| name == id));
        let entry = own
            .or_else(|| find(&|e| e.names().contains(&id)))
            .or_else(|| find(&|e| is_snapshot(&id, &e.id.to_lowercase())))
            .filter(|entry| !entry.is_borrowed())?;
        let other_name_of = own.is_none().then(|| entry.id.clone());
        Some(Statement { other_name_of, context: entry.context_window, since: entry.prices.since() })
    }

    /// The models that are not `listed`: id, context window, prices.
    pub(crate) fn unlisted(&self, ours: &str, listed: &[Fact]) -> Vec<(String, Option<u64>, Since)> {
        let is_listed = |id: &str| listed.iter().any(|fact| fact.id.eq_ignore_ascii_case(id));
        let entries = self.models.iter().filter_map(|entry| {
            let id = entry.own_names().last().filter(|id| !is_listed(id))?;
            // Those of Google that are not its own are served elsewhere, at other prices.
            let foreign = ours == "google" && !id.starts_with("gem");
            let since = entry.prices.since().filter(|_| !foreign && !entry.is_borrowed())?;
            since.iter().all(|(_, prices)| !prices.is_empty()).then_some((id, entry.context_window, since))
        });
        entries.collect()
    }
}

impl Entry {
    /// Its name there, and the provider's full path of it where the entry lists that.
    fn own_names(&self) -> impl Iterator<Item = String> {
        let short = self.id.to_lowercase();
        let path = format!("/{short}");
        let long =
            self.names().into_iter().find(|name| name.starts_with("accounts/") && name.ends_with(&path));
        std::iter::once(short).chain(long)
    }

    /// Whether its price is another provider's, which the source says in a comment.
    fn is_borrowed(&self) -> bool {
        let comment = self.price_comments.as_deref().unwrap_or_default();
        comment.contains("from OpenRouter") || comment.contains("on OpenRouter before")
    }

    /// The names it lists, in lower case.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect(&self.rule, &mut names);
        names
    }
}

fn collect(rule: &Value, names: &mut Vec<String>) {
    if let Some(name) = rule.get("equals").and_then(Value::as_str) {
        names.push(name.to_lowercase());
    }
    for rule in rule.get("or").and_then(Value::as_array).into_iter().flatten() {
        collect(rule, names);
    }
}

/// Whether `id` is `base` with a date behind it.
fn is_snapshot(id: &str, base: &str) -> bool {
    let Some(rest) = id.strip_prefix(base).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let digits: String = rest.chars().filter(|c| *c != '-').collect();
    digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()) && matches!(rest.len(), 8 | 10)
}

impl Stated {
    fn since(&self) -> Option<Since> {
        match self {
            Self::Always(amounts) => Some(vec![(None, amounts.prices())]),
            Self::Since(list) => list
                .iter()
                .map(|entry| match &entry.constraint {
                    None => Some((None, entry.prices.prices())),
                    Some(Constraint { start_date: Some(day) }) => {
                        Some((Some(day.clone()), entry.prices.prices()))
                    }
                    Some(Constraint { start_date: None }) => None,
                })
                .collect(),
        }
    }
}

impl Amounts {
    fn prices(&self) -> Prices {
        let mut prices = Prices { fees: self.requests_kcount.is_some(), ..Prices::default() };
        let amounts = [
            (Class::Input, &self.input_mtok),
            (Class::Output, &self.output_mtok),
            (Class::CacheRead, &self.cache_read_mtok),
            (Class::CacheWrite, &self.cache_write_mtok),
            (Class::InputAudio, &self.input_audio_mtok),
            (Class::OutputAudio, &self.output_audio_mtok),
        ];
        for (class, amount) in amounts {
            let (base, tiers) = match amount {
                None => continue,
                Some(Amount::Flat(base)) => (*base, [].as_slice()),
                Some(Amount::Tiered { base, tiers }) => (*base, tiers.as_slice()),
            };
            prices.base.extend(Pico::from_usd(base).map(|price| (class, price)));
            for tier in tiers {
                let price = Pico::from_usd(tier.price).map(|price| (class, price));
                prices.tiers.entry(tier.start).or_default().extend(price);
            }
        }
        prices
    }
}

#[cfg(test)]
mod tests {
    use super::is_snapshot;

    #[test]
    fn snapshots_end_in_a_date() {
        assert!(is_snapshot("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"));
        assert!(is_snapshot("gpt-4o-2024-08-06", "gpt-4o"));
        assert!(!is_snapshot("gpt-4o-mini-2024-07-18", "gpt-4o"));
        assert!(!is_snapshot("gpt-4o", "gpt-4o"));
        assert!(!is_snapshot("mistral-small-2409", "mistral-small"));
    }
}
