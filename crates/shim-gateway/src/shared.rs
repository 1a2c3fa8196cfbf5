//! What all workers share: the snapshot in force, metrics, log lines, recent exchanges.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use shim_ir::{ExchangeId, KeyId, PicoUsd};
use shim_store::ledger::{Change, Ledger, Money};
use shim_telemetry::{Format, LineSink, Metrics, Series, Settled, write_line};
use tokio::sync::Semaphore;

use crate::count::Corrections;
use crate::ending::Ending;
use crate::extraction::Extraction;
use crate::feedback::{Notes, Which};
use crate::generation::Snapshot;
use crate::hold::DECODERS_MAX;
use crate::kept::Keeper;
use crate::limited::Limited;
use crate::sentinel::Sentinel;
use crate::vault::Vault;

/// Recent exchanges kept in memory, for `GET /v1/exchanges`: those that are older are in the ledger.
pub const RECENT_MAX: usize = 512;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// The snapshot in force.
    pub(crate) live: ArcSwap<Snapshot>,
    /// The metrics.
    pub metrics: Metrics,
    pub(crate) lines: Option<(LineSink, Format)>,
    pub(crate) clock: Clock,
    pub(crate) no_model: Arc<str>,
    pub(crate) unrouted: Arc<Series>,
    pub(crate) draining: AtomicBool,
    /// Declared when a drain took too long.
    pub(crate) ending: Ending,
    /// Bytes of request bodies held just now, over all workers.
    pub(crate) held: AtomicUsize,
    /// Turns to undo a body's content encoding.
    pub(crate) decoders: Arc<Semaphore>,
    /// What is learned of the counts of targets without a counter.
    pub(crate) corrections: Corrections,
    /// Where exchanges are recorded, if anywhere.
    ledger: OnceLock<Ledger>,
    /// The limits at work.
    pub limited: Limited,
    /// Where feedback goes.
    pub notes: Notes,
    /// Where answers are kept that clients may go on from.
    pub(crate) kept: Keeper,
    /// Watches whether prompts are read from the providers' caches.
    pub(crate) sentinel: Sentinel,
    /// Watches whether keys harvest a model.
    pub(crate) extraction: Extraction,
    /// What is remembered of conversations; in memory alone until a store is attached.
    pub vault: Vault,
    recent: Mutex<Recent>,
}

impl Shared {
    /// Starts with an empty snapshot in force, and log lines going to `lines`.
    #[must_use]
    pub fn new(metrics: Metrics, lines: Option<(LineSink, Format)>) -> Arc<Self> {
        let unrouted = metrics.series("(none)", "(none)");
        Arc::new(Self {
            live: ArcSwap::new(Arc::new(Snapshot::empty())),
            metrics,
            lines,
            clock: Clock,
            no_model: "".into(),
            unrouted,
            draining: AtomicBool::new(false),
            ending: Ending::default(),
            held: AtomicUsize::new(0),
            decoders: Arc::new(Semaphore::new(DECODERS_MAX)),
            corrections: Corrections::default(),
            ledger: OnceLock::new(),
            limited: Limited::default(),
            notes: Notes::default(),
            kept: Keeper::default(),
            sentinel: Sentinel::default(),
            extraction: Extraction::default(),
            vault: Vault::default(),
            recent: Mutex::default(),
        })
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The snapshot in force now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Puts `snapshot` in force for every exchange that arrives from now on.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.metrics.generation.set(i64::try_from(snapshot.number().0).unwrap_or(i64::MAX));
        self.live.store(snapshot);
    }

    /// Records in `ledger` from now on; the first one stays.
    pub fn record_in(&self, ledger: Ledger) {
        self.ledger.get_or_init(|| ledger);
    }

    /// Where exchanges are recorded, if anywhere.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.get()
    }

    /// Waits, for a second at most, until the log lines written so far are out.
    pub fn close_lines(&self) {
        if let Some((sink, _)) = &self.lines {
            sink.close();
        }
    }

    /// Whether the gateway is shutting down.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The metrics in Prometheus' text format.
    ///
    /// # Errors
    /// Never in practice; the writer's type allows it.
    pub fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        let (bytes, dropped) = self.kept.counts();
        self.metrics.kept(bytes, dropped);
        self.count_extraction();
        self.metrics.vault_lost.set(i64::try_from(self.vault.lost()).unwrap_or(i64::MAX));
        self.metrics.vault_queue.set(i64::try_from(self.vault.queue_bytes()).unwrap_or(i64::MAX));
        self.metrics.encode(self.lines.as_ref().map_or(0, |(sink, _)| sink.dropped()))
    }

    /// The recent exchange of this id, if it is still kept.
    #[must_use]
    pub fn recent(&self, id: &str) -> Option<Settled> {
        self.recent_ones().newest_first().find(|settled| settled.id.to_string() == id).cloned()
    }

    /// The recent exchange that `which` means, of those made with `key`.
    pub(crate) fn exchange(&self, which: &Which, key: Option<&KeyId>) -> Option<ExchangeId> {
        let meant = |settled: &&Settled| match which {
            Which::Exchange(id) => settled.id == *id,
            Which::ClientId(id) => settled.client_id.as_deref() == Some(id),
        };
        let recent = self.recent_ones();
        recent
            .newest_first()
            .filter(meant)
            .find(|settled| settled.key.as_ref() == key)
            .map(|settled| settled.id)
    }

    /// Up to `count` recent exchanges, newest first.
    #[must_use]
    pub fn latest(&self, count: usize) -> Vec<Settled> {
        self.recent_ones().newest_first().take(count).cloned().collect()
    }

    fn recent_ones(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the costs of exchanges were reckoned anew, and are so in the ledger.
    pub(crate) fn repriced(&self, changes: &[Change]) {
        let known: HashMap<ExchangeId, Money> = changes.iter().map(|c| (c.id, c.after)).collect();
        for settled in &mut self.recent_ones().slots {
            if let Some(money) = known.get(&settled.id) {
                (settled.cost, settled.basis) = (money.cost.map(PicoUsd), money.basis);
                settled.charged = settled.charged.and(money.charged.map(PicoUsd));
            }
        }
    }

    /// Takes the record of a settled exchange: a log line, and a place among the recent ones.
    pub(crate) fn settled(&self, record: Settled) {
        if let Some((sink, format)) = &self.lines {
            sink.with(|out| write_line(*format, &record, out));
        }
        self.recent_ones().add(record);
    }
}

/// The last exchanges, in slots that are used again and again: memory that is written in order and that the allocator
/// never sees costs an exchange nothing it would notice, where a queue of boxes handed each one cold memory.
#[derive(Debug, Default)]
struct Recent {
    slots: Vec<Settled>,
    /// The slot of the oldest, once all are taken.
    oldest: usize,
}

impl Recent {
    fn add(&mut self, record: Settled) {
        if self.slots.len() < RECENT_MAX {
            self.slots.push(record);
        } else if let Some(slot) = self.slots.get_mut(self.oldest) {
            *slot = record;
            self.oldest = (self.oldest + 1) % RECENT_MAX;
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = &Settled> {
        let (newer, older) = self.slots.split_at(self.oldest.min(self.slots.len()));
        newer.iter().rev().chain(older.iter().rev())
    }
}

/// An exchange's id without its hyphens, for ids that are made of it.
pub(crate) fn hexadecimal(id: &str) -> String {
    let mut digits = String::with_capacity(id.len());
    digits.extend(id.split('-'));
    digits
}

/// The clock and the source of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A new id (UUIDv7).
    pub(crate) fn exchange_id(self) -> ExchangeId {
        ExchangeId(uuid::Uuid::now_v7().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::{Dialect, Generation};
    use shim_telemetry::Metrics;

    use super::{RECENT_MAX, Shared};
    use crate::ticket::Ticket;

    /// After `count` exchanges, the newest and the oldest that are kept, by their number.
    #[track_caller]
    fn check(count: usize, newest: u64, oldest: u64) {
        let shared = Shared::new(Metrics::new(), None);
        for number in 0..count {
            Ticket::open(&shared, Generation(number as u64), Dialect::Gemini, "generate").deliver();
        }
        let kept = shared.latest(usize::MAX);
        assert_eq!(kept.len(), count.min(RECENT_MAX));
        let numbers: Vec<u64> = kept.iter().map(|settled| settled.generation.0).collect();
        assert_eq!((numbers.first(), numbers.last()), (Some(&newest), Some(&oldest)));
        assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
        let id = kept.last().unwrap().id.to_string();
        assert_eq!(shared.recent(&id).unwrap().generation.0, oldest);
    }

    #[test]
    fn the_last_exchanges_are_kept_newest_first() {
        check(3, 2, 0);
        check(RECENT_MAX, 511, 0);
        check(RECENT_MAX + 5, 516, 5);
        check(3 * RECENT_MAX + 7, 1542, 1031);
    }
}
