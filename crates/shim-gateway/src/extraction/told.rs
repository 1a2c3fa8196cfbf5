//! How operators are told of extraction. Never what was said: only figures.

use std::sync::PoisonError;

use shim_policy::extraction::{Event, Level, Mode, Reason, Rule, Standing, Verdict};
use shim_telemetry::Metrics;

use super::Sample;
use crate::generation::Snapshot;
use crate::shared::Shared;

/// How the keys stand that are watched.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractionStatus {
    /// The rule, where neither key nor alias says otherwise.
    pub rule: Rule,
    /// The keys of which something is known, those with the highest score first.
    pub keys: Vec<KeyStanding>,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyStanding {
    /// Its level, its score and why.
    pub standing: Standing,
    /// Whether it is held back just now.
    pub throttled: bool,
}

impl ExtractionStatus {
    /// How many keys stand so.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.keys.iter().filter(|key| key.standing.level == level).count()
    }
}

impl Shared {
    /// How the keys stand that are watched.
    #[must_use]
    pub fn extraction(&self) -> ExtractionStatus {
        let (snapshot, now_ms) = (self.snapshot(), self.limited.now_ms());
        let mut keys = Vec::new();
        for shard in &self.extraction.shards {
            let watch = shard.lock().unwrap_or_else(PoisonError::into_inner);
            keys.extend(watch.keys().filter_map(|key| {
                let rule = snapshot.keys().named(key.as_str())?.watched(loudest(&snapshot))?;
                let standing = watch.standing(key, now_ms, &rule)?;
                let over = standing.level == Level::Alarmed && standing.verdict.score >= rule.threshold;
                Some(KeyStanding { standing, throttled: over && rule.mode == Mode::Throttle })
            }));
        }
        let score = |key: &KeyStanding| std::cmp::Reverse(key.standing.verdict.score);
        keys.sort_by(|a, b| score(a).cmp(&score(b)).then_with(|| a.standing.key.cmp(&b.standing.key)));
        ExtractionStatus { rule: snapshot.extraction, keys }
    }

    /// Takes what a key does as usual from now on. Whether it has done anything since the start.
    pub(crate) fn lift(&self, snapshot: &Snapshot, name: &str) -> bool {
        let Some(key) = snapshot.keys().named(name) else { return false };
        let known = self.extraction.shard(&key.id).accepts(&key.id, self.limited.now_ms());
        tracing::info!(key = %key.id, known, "what the key does is taken as usual for it");
        known
    }

    /// Counts the keys that stand otherwise than quiet, for who scrapes.
    pub(crate) fn count_extraction(&self) {
        let status = self.extraction();
        self.metrics.extraction_keys(status.count(Level::Noticed), status.count(Level::Alarmed));
    }
}

/// What is done under the alias that does most.
fn loudest(snapshot: &Snapshot) -> Option<Mode> {
    let modes = || snapshot.aliases().filter_map(|alias| alias.extraction);
    let louder = [Mode::Throttle, Mode::Watch].into_iter().find(|mode| modes().any(|own| own == *mode));
    louder.filter(|mode| *mode == Mode::Throttle || snapshot.extraction.mode == Mode::Off)
}

/// Tells of a key that came to stand otherwise.
pub(super) fn tell(event: &Event, sample: &Sample, metrics: &Metrics) {
    let Event { from, to, verdict } = event;
    let first = verdict.reasons.first().map_or("none", |weighed| weighed.reason.name());
    metrics.extraction_event(to.name(), first);
    let (key, score, reasons) = (&sample.key, verdict.score, reasons(verdict));
    let held_back = *to == Level::Alarmed && sample.rule.mode == Mode::Throttle;
    if to < from {
        tracing::info!(%key, %score, level = to.name(), reasons, "a key looks less like extraction than it did");
    } else if *to == Level::Alarmed {
        tracing::warn!(%key, %score, reasons, held_back, "a key seems to extract a model");
    } else {
        tracing::info!(%key, %score, reasons, "a key is noticed: some of what it does is how models are extracted");
    }
}

/// The reasons in a line: `sweep 4312 (usual 120, 0.71)`.
fn reasons(verdict: &Verdict) -> String {
    let told = verdict.reasons.iter().map(|weighed| {
        let (name, value, baseline) = (Reason::name(weighed.reason), weighed.value, weighed.baseline);
        format!("{name} {value:.0} (usual {baseline:.0}, {:.2})", weighed.part())
    });
    told.collect::<Vec<_>>().join(", ")
}
