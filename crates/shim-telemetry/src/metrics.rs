//! Metrics in Prometheus' text format, summed from settled exchanges.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shim_ir::{FaultKind, PicoUsd, Usage};

use crate::{LedgerMetrics, Outcome, Settled, names};

/// Most series of one name; what comes beyond is summed under `(other)`, so that no client can fill the memory by
/// inventing models.
const SERIES_MAX: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    model: String,
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    model: String,
    target: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    model: String,
    target: String,
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    level: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    level: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabels {
    code: String,
}

/// All metrics of a gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Family<OutcomeLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<Labels, Counter<f64, AtomicU64>>,
    unpriced: Counter,
    duration: Family<Labels, Histogram>,
    first_token: Family<Labels, Histogram>,
    faults: Family<FaultLabels, Counter>,
    series: Mutex<HashMap<(String, String), Arc<Series>>>,
    /// Exchanges admitted.
    pub admitted: Counter,
    /// Exchanges under way.
    pub in_flight: Gauge,
    /// Connections of clients.
    pub connections: Gauge,
    /// Generation in force.
    pub generation: Gauge,
    /// Answers whose usage could not be read.
    pub unmetered: Counter,
    cache_collapses: Family<CauseLabels, Counter>,
    cache_lost: Family<CauseLabels, Counter>,
    cache_extra: Family<CauseLabels, Counter<f64, AtomicU64>>,
    extraction_events: Family<EventLabels, Counter>,
    extraction_keys: Family<LevelLabels, Gauge>,
    /// Requests refused because their key seems to harvest a model.
    pub extraction_refused: Counter,
    responses_kept: Gauge,
    responses_dropped: Gauge,
    lines_dropped: Gauge,
    /// What the ledger counts of itself.
    pub ledger: LedgerMetrics,
    /// Records of the vault that were lost.
    pub vault_lost: Gauge,
    /// Bytes of records that wait to be written to the vault.
    pub vault_queue: Gauge,
}

/// The metrics of one alias and target, looked up once and then only added to.
#[derive(Debug)]
pub struct Series {
    delivered: Counter,
    failed: Counter,
    abandoned: Counter,
    input_uncached: Counter,
    input_audio: Counter,
    cache_read: Counter,
    cache_write: Counter,
    output_text: Counter,
    reasoning: Counter,
    output_other: Counter,
    cost: Counter<f64, AtomicU64>,
    unpriced: Counter,
    duration: Histogram,
    first_token: Histogram,
    /// Exchanges settled, for those who ask without a scrape.
    settled: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero, all registered.
    #[must_use]
    pub fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(names::SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            exchanges: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            unpriced: Counter::default(),
            duration: Family::new_with_constructor(histogram),
            first_token: Family::new_with_constructor(histogram),
            faults: Family::default(),
            series: Mutex::default(),
            admitted: Counter::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            generation: Gauge::default(),
            unmetered: Counter::default(),
            cache_collapses: Family::default(),
            cache_lost: Family::default(),
            cache_extra: Family::default(),
            extraction_events: Family::default(),
            extraction_keys: Family::default(),
            extraction_refused: Counter::default(),
            responses_kept: Gauge::default(),
            responses_dropped: Gauge::default(),
            lines_dropped: Gauge::default(),
            ledger: LedgerMetrics::default(),
            vault_lost: Gauge::default(),
            vault_queue: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(names::EXCHANGES, "Exchanges settled", self.exchanges.clone());
        r.register(names::TOKENS, "Tokens, in disjoint classes", self.tokens.clone());
        r.register(names::COST, "Dollars, as far as prices are known", self.cost.clone());
        r.register(names::UNPRICED, "Answers whose price is not known", self.unpriced.clone());
        let (duration, first) = (stem(names::DURATION), stem(names::FIRST_TOKEN));
        r.register_with_unit(duration, "Request to last byte", Unit::Seconds, self.duration.clone());
        r.register_with_unit(first, "Request to first token", Unit::Seconds, self.first_token.clone());
        r.register(names::FAULTS, "Faults told to clients", self.faults.clone());
        r.register(names::ADMITTED, "Exchanges admitted", self.admitted.clone());
        r.register(names::IN_FLIGHT, "Exchanges under way", self.in_flight.clone());
        r.register(names::CONNECTIONS, "Connections of clients", self.connections.clone());
        r.register(names::GENERATION, "Generation in force", self.generation.clone());
        r.register(names::UNMETERED, "Answers whose usage could not be read", self.unmetered.clone());
        r.register(names::CACHE_COLLAPSES, "Prompt caches that collapsed", self.cache_collapses.clone());
        r.register(names::CACHE_LOST, "Tokens not read from the cache they were in", self.cache_lost.clone());
        r.register(names::CACHE_EXTRA, "Dollars more than from the cache", self.cache_extra.clone());
        r.register(
            names::EXTRACTION_EVENTS,
            "Keys that came to stand otherwise",
            self.extraction_events.clone(),
        );
        r.register(names::EXTRACTION_KEYS, "Keys that seem to harvest", self.extraction_keys.clone());
        r.register(
            names::EXTRACTION_REFUSED,
            "Requests of such keys refused",
            self.extraction_refused.clone(),
        );
        let (kept, dropped) = (self.responses_kept.clone(), self.responses_dropped.clone());
        r.register_with_unit(stem(names::RESPONSES_KEPT), "Answers kept", Unit::Bytes, kept);
        r.register(names::RESPONSES_DROPPED, "Answers that could not be kept", dropped);
        r.register(names::LINES_DROPPED, "Log lines dropped", self.lines_dropped.clone());
        self.ledger.register(r);
        r.register(names::VAULT_LOST, "Records of the vault lost", self.vault_lost.clone());
        r.register(
            names::VAULT_QUEUE,
            "Bytes that wait to be written to the vault",
            self.vault_queue.clone(),
        );
    }

    /// The series of an alias and target.
    #[must_use]
    pub fn series(&self, model: &str, target: &str) -> Arc<Series> {
        let mut known = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (model.to_owned(), target.to_owned());
        if let Some(series) = known.get(&key) {
            return series.clone();
        }
        let key = if known.len() >= SERIES_MAX { ("(other)".to_owned(), "(other)".to_owned()) } else { key };
        let made = || Arc::new(self.make(&key.0, &key.1));
        known.entry(key.clone()).or_insert_with(made).clone()
    }

    fn make(&self, model: &str, target: &str) -> Series {
        let outcome = |outcome: Outcome| {
            let labels = OutcomeLabels {
                model: model.to_owned(),
                target: target.to_owned(),
                outcome: outcome.name().to_owned(),
            };
            self.exchanges.get_or_create(&labels).clone()
        };
        let class = |class: &str| {
            let labels =
                TokenLabels { model: model.to_owned(), target: target.to_owned(), class: class.to_owned() };
            self.tokens.get_or_create(&labels).clone()
        };
        let labels = Labels { model: model.to_owned(), target: target.to_owned() };
        Series {
            delivered: outcome(Outcome::Delivered),
            failed: outcome(Outcome::Failed),
            abandoned: outcome(Outcome::Abandoned),
            input_uncached: class("input_uncached"),
            input_audio: class("input_audio"),
            cache_read: class("cache_read"),
            cache_write: class("cache_write"),
            output_text: class("output_text"),
            reasoning: class("reasoning"),
            output_other: class("output_media"),
            cost: self.cost.get_or_create(&labels).clone(),
            unpriced: self.unpriced.clone(),
            duration: self.duration.get_or_create(&labels).clone(),
            first_token: self.first_token.get_or_create(&labels).clone(),
            settled: AtomicU64::new(0),
        }
    }

    /// Counts a fault that was told to a client.
    pub fn fault(&self, kind: FaultKind) {
        self.faults.get_or_create(&FaultLabels { code: kind.code().to_owned() }).inc();
    }

    /// Notes that a prompt was not read from the cache it was in: `lost` tokens of it, which cost `extra` more.
    pub fn cache_collapse(&self, cause: &str, lost: u64, extra: Option<PicoUsd>) {
        let labels = CauseLabels { cause: cause.to_owned() };
        self.cache_collapses.get_or_create(&labels).inc();
        self.cache_lost.get_or_create(&labels).inc_by(lost);
        if let Some(PicoUsd(extra)) = extra {
            self.cache_extra.get_or_create(&labels).inc_by(extra as f64 / 1e12);
        }
    }

    /// Notes that a key came to stand otherwise by what it asks, and the weightiest reason.
    pub fn extraction_event(&self, level: &'static str, reason: &'static str) {
        self.extraction_events.get_or_create(&EventLabels { level, reason }).inc();
    }

    /// Notes how many keys are noticed and alarmed of.
    pub fn extraction_keys(&self, noticed: usize, alarmed: usize) {
        for (level, count) in [("noticed", noticed), ("alarmed", alarmed)] {
            let gauge = self.extraction_keys.get_or_create(&LevelLabels { level }).clone();
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Notes what is kept of answers, in bytes, and how many could not be.
    pub fn kept(&self, bytes: u64, dropped: u64) {
        self.responses_kept.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.responses_dropped.set(i64::try_from(dropped).unwrap_or(i64::MAX));
    }

    /// Everything in Prometheus' text format (OpenMetrics 1.0).
    ///
    /// # Errors
    /// When the text cannot be written, which a `String` never refuses.
    pub fn encode(&self, lines_dropped: u64) -> Result<String, std::fmt::Error> {
        self.lines_dropped.set(i64::try_from(lines_dropped).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The registry adds the unit to the name itself.
fn stem(name: &'static str) -> &'static str {
    name.strip_suffix("_seconds").or_else(|| name.strip_suffix("_bytes")).unwrap_or(name)
}

impl Series {
    /// Adds a settled exchange.
    pub fn add(&self, settled: &Settled) {
        self.settled.fetch_add(1, Ordering::Relaxed);
        match settled.outcome {
            Outcome::Delivered => self.delivered.inc(),
            Outcome::Failed => self.failed.inc(),
            Outcome::Abandoned => self.abandoned.inc(),
        };
        self.duration.observe(settled.duration_us as f64 / 1e6);
        if let Some(first) = settled.first_token_us {
            self.first_token.observe(first as f64 / 1e6);
        }
        if let Some(usage) = &settled.usage {
            self.tokens(usage);
            if settled.cost.is_none() {
                self.unpriced.inc();
            }
        }
        if let Some(cost) = settled.cost {
            self.cost.inc_by(cost.0 as f64 / 1e12);
        }
    }

    /// Number of exchanges settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    fn tokens(&self, usage: &Usage) {
        for (counter, tokens) in [
            (&self.input_uncached, usage.input_uncached),
            (&self.input_audio, usage.input_audio),
            (&self.cache_read, usage.cache_read),
            (&self.cache_write, usage.cache_write + usage.cache_write_1h),
            (&self.output_text, usage.output_text),
            (&self.reasoning, usage.reasoning),
            (&self.output_other, usage.output_audio + usage.output_image),
        ] {
            if tokens.0 > 0 {
                counter.inc_by(tokens.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, SERIES_MAX};
    use crate::line::tests::settled;
    use crate::names;

    #[test]
    fn a_settled_exchange_shows_under_its_documented_names() {
        let metrics = Metrics::new();
        metrics.series("chat", "lab/m").add(&settled());
        let text = metrics.encode(3).unwrap();
        assert!(
            text.contains(r#"shim_exchanges_total{model="chat",target="lab/m",outcome="delivered"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"shim_tokens_total{model="chat",target="lab/m",class="output_text"} 4"#),
            "{text}"
        );
        assert!(text.contains(r#"shim_cost_usd_total{model="chat",target="lab/m"} 0.25"#), "{text}");
        for name in [names::DURATION, names::FIRST_TOKEN, names::IN_FLIGHT, names::LINES_DROPPED] {
            assert!(text.contains(name), "{name} is missing from {text}");
        }
    }

    #[test]
    fn invented_models_do_not_fill_the_memory() {
        let metrics = Metrics::new();
        for n in 0..SERIES_MAX + 500 {
            metrics.series(&format!("m{n}"), "lab/x").add(&settled());
        }
        assert!(metrics.series.lock().unwrap().len() <= SERIES_MAX + 1);
        assert!(metrics.encode(0).unwrap().contains(r#"model="(other)""#));
    }
}
