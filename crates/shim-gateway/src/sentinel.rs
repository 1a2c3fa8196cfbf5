//! The cache sentinel of the gateway: outlines of prompts, taken before they are sent, and compared when an exchange is
//! settled. See [`shim_policy::sentinel`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shim_catalog::Price;
use shim_dialect::Operation;
use shim_ir::{KeyId, PicoUsd, Tokens};
use shim_policy::sentinel::{Cause, Collapse, Outline, Turn, Watch, WatchLimits, judge, predecessor};
use shim_telemetry::{Metrics, Settled};
use shim_wire::scan::{Limits, ScanError, utf8};
use shim_wire::{Layout, LayoutAsked};

use crate::kept;
use crate::pipeline::Admitted;

/// Prompts shorter than this are cached by nobody: about a thousand tokens.
const BODY_BYTES_MIN: usize = 4 << 10;

/// Turns are held in so many parts, each with a lock of its own.
const SHARDS: usize = 16;

/// What each part holds: all together 8 Ki turns, each under its two names, and 32 MiB.
const LIMITS: WatchLimits = WatchLimits { turns_max: 1024, outline_bytes_max: 2 << 20 };

/// Watches the caches of all conversations.
#[derive(Debug)]
pub(crate) struct Sentinel {
    shards: [Mutex<Watch>; SHARDS],
    told: Mutex<CacheStatus>,
}

/// What the sentinel saw since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Collapses, by cause.
    pub collapses: BTreeMap<&'static str, u64>,
    /// Tokens that were in a cache and not read from it.
    pub lost_tokens: u64,
    /// What they cost more than from the cache, in pico-dollars at list prices, as far as those are known.
    pub extra_pico_usd: u64,
    /// The last one.
    pub last: Option<LastCollapse>,
}

/// A collapse, as operators are told of it. Never what was said: only where, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCollapse {
    /// The exchange.
    pub exchange: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The model as the client named it.
    pub model: String,
    /// Who answered.
    pub target: String,
    /// Why.
    pub cause: &'static str,
    /// Where the prompt changed: `tools[3]`, `messages[17]`.
    pub path: Option<String>,
    /// The first and the last but one byte of the request's body among which the first difference is.
    pub bytes: Option<(u64, u64)>,
    /// The hash of those bytes.
    pub hash: Option<String>,
    /// Tokens that were in the cache.
    pub expected_tokens: u64,
    /// Tokens that were read from it.
    pub read_tokens: u64,
    /// What the rest cost more than from the cache, in pico-dollars; none where prices are not known.
    pub extra_pico_usd: Option<u64>,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::new(Watch::new(LIMITS))), told: Mutex::default() }
    }
}

/// The outline of what was asked; none where no cache could matter.
pub(crate) fn sample(admitted: &Admitted) -> Option<Box<Outline>> {
    if admitted.route.operation != Operation::Generate {
        return None;
    }
    // Where the provider keeps the conversation, what it reads is not in the request.
    let body = kept::sent(admitted)?;
    if body.len() < BODY_BYTES_MIN {
        return None;
    }
    let outline = if admitted.is_own(&body) {
        Outline::of(&body, &admitted.head.layout)
    } else {
        let text = utf8(&body).ok()?;
        let asked = LayoutAsked { words: None, elements: true };
        let layout = Layout::read(text, Limits::default(), asked, |_| Ok::<_, ScanError>(())).ok()?;
        Outline::of(&body, &layout)
    };
    (!outline.is_empty()).then(|| Box::new(outline))
}

impl Sentinel {
    /// Takes a settled exchange and the outline of its prompt. `price` is that of its target.
    pub(crate) fn settles(
        &self,
        outline: Outline,
        record: &Settled,
        price: Option<&Price>,
        metrics: &Metrics,
    ) {
        let (Some(usage), Some(target)) = (&record.usage, &record.target) else { return };
        let owner = owner(record.key.as_ref());
        let at_ms = record.at_ms.saturating_add(record.duration_us / 1000);
        let now = Turn { outline, target: target.clone(), at_ms, usage: usage.clone() };
        let find = |name: u64| self.shard(name).find(name).to_vec();
        if let Some(before) = predecessor(&now.outline, owner, find) {
            if let Some(collapse) = judge(&before, &now, price, cached_from(&now.target)) {
                self.tell(&collapse, record, metrics);
            }
            names(&before, owner).for_each(|name| self.shard(name).remove(name, &before));
        }
        let now = Arc::new(now);
        names(&now, owner).for_each(|name| self.shard(name).put(name, now.clone()));
    }

    fn shard(&self, name: u64) -> MutexGuard<'_, Watch> {
        let at = usize::try_from(name % SHARDS as u64).unwrap_or_default();
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, collapse: &Collapse, record: &Settled, metrics: &Metrics) {
        let last = last(collapse, record);
        let lost = collapse.expected.without(collapse.read).0;
        metrics.cache_collapse(last.cause, lost, collapse.extra);
        if collapse.cause.alarms() {
            tracing::warn!(
                exchange = %last.exchange, model = %last.model, target = %last.target, cause = last.cause,
                path = last.path.as_deref().unwrap_or_default(), bytes = ?last.bytes, hash = last.hash.as_deref(),
                expected = last.expected_tokens, read = last.read_tokens, extra_pico_usd = last.extra_pico_usd,
                "the prompt cache of a conversation collapsed"
            );
        } else {
            tracing::info!(
                exchange = %last.exchange, target = %last.target, cause = last.cause, expected = last.expected_tokens,
                read = last.read_tokens, "a provider did not read a prompt from its cache"
            );
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told.collapses.entry(last.cause).or_default() += 1;
        told.lost_tokens = told.lost_tokens.saturating_add(lost);
        let PicoUsd(extra) = collapse.extra.unwrap_or_default();
        told.extra_pico_usd = told.extra_pico_usd.saturating_add(extra);
        told.last = Some(last);
    }

    /// What was seen since the start.
    pub(crate) fn status(&self) -> CacheStatus {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl crate::Shared {
    /// What the cache sentinel saw since the start.
    #[must_use]
    pub fn caches(&self) -> CacheStatus {
        self.sentinel.status()
    }
}

fn last(collapse: &Collapse, record: &Settled) -> LastCollapse {
    let place = match &collapse.cause {
        Cause::Prompt(place) => Some(place),
        Cause::Short | Cause::Provider | Cause::Model | Cause::Expired | Cause::Evicted => None,
    };
    LastCollapse {
        exchange: record.id.to_string(),
        at_ms: record.at_ms,
        model: record.model.to_string(),
        target: record.target.as_deref().unwrap_or_default().to_owned(),
        cause: collapse.cause.name(),
        path: place.map(|place| place.path.clone()),
        bytes: place.map(|place| (place.range.start, place.range.end)),
        hash: place.map(|place| format!("{:016x}", place.hash)),
        expected_tokens: collapse.expected.0,
        read_tokens: collapse.read.0,
        extra_pico_usd: collapse.extra.map(|PicoUsd(extra)| extra),
    }
}

/// From which length on prompts of a target are cached, where its provider says so.
fn cached_from(target: &str) -> Option<Tokens> {
    let (provider, model) = target.split_once('/')?;
    shim_catalog::cached_from(provider, model).map(Tokens)
}

/// The names a turn is held under.
fn names(turn: &Turn, owner: u64) -> impl Iterator<Item = u64> {
    let exact = turn.outline.exact_names(owner).into_iter().next();
    exact.into_iter().chain(turn.outline.loose_names(owner).next())
}

/// What tells keys apart among the names of turns.
fn owner(key: Option<&KeyId>) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    key.map(KeyId::as_str).hash(&mut hasher);
    hasher.finish()
}
