//! Extraction at the gateway: exchanges of keys that are watched are counted when they are settled, which is behind the
//! write of their answer, and a key that seems to harvest is told of, and held back where the configuration says so. See
//! [`shim_policy::extraction`].

mod told;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use shim_dialect::{Operation, Route, speaker};
use shim_ir::{Dialect, KeyId, Request};
use shim_policy::extraction::{Asked, KEYS_MAX, Mode, PastDay, Question, Rule, Salt, Watch};
use shim_policy::limits::{Governed, Limits, Subject};
use shim_telemetry::Settled;
use shim_wire::scan::utf8;

use crate::generation::Snapshot;
use crate::pipeline::Admitted;
use crate::plan::Plan;
use crate::shared::Shared;
use crate::spent::{SpendRow, SpentError};

pub use told::{ExtractionStatus, KeyStanding};

/// Keys are held in so many parts, each with a lock of its own.
const SHARDS: usize = 16;

/// How far back a start looks: twice the time in which what was learned fades to a half.
const HISTORY_MS: u64 = 28 * 24 * 3_600_000;

/// Watches the keys.
#[derive(Debug)]
pub(crate) struct Extraction {
    shards: [Mutex<Watch>; SHARDS],
    salt: Salt,
    /// Whether it knows what the ledger has of days before the start.
    begun: AtomicBool,
}

/// What was asked with a key that is watched.
#[derive(Debug)]
pub(crate) struct Sample {
    key: KeyId,
    rule: Rule,
    said: Said,
}

/// A request as it is at hand.
#[derive(Debug)]
enum Said {
    Decoded(Arc<Request>),
    Body(Dialect, Route, Bytes),
}

impl Default for Extraction {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Watch::new(KEYS_MAX / SHARDS)));
        let salt = Salt(RandomState::new().build_hasher().finish());
        Self { shards, salt, begun: AtomicBool::new(false) }
    }
}

/// What was asked, where its key is watched. It is read when the exchange is settled.
pub(crate) fn sample(admitted: &Admitted, plan: &Plan) -> Option<Box<Sample>> {
    let (key, rule) = watched(admitted, plan)?;
    let decoded = admitted.decoded.get().and_then(|decoded| decoded.as_ref().ok().cloned());
    let body = || Said::Body(admitted.codec.0.dialect(), admitted.route.clone(), admitted.body.clone());
    let said = decoded.map_or_else(body, Said::Decoded);
    Some(Box::new(Sample { key, rule, said }))
}

/// The limit of a key that is held back just now.
pub(crate) fn throttle(shared: &Shared, admitted: &Admitted, plan: &Plan) -> Option<Governed> {
    let (key, rule) = watched(admitted, plan).filter(|(_, rule)| rule.mode == Mode::Throttle)?;
    let over = shared.extraction.shard(&key).is_over(&key, shared.limited.now_ms(), &rule);
    let limits = Limits { requests_per_minute: Some(rule.requests_per_minute), ..Limits::default() };
    over.then_some(Governed { subject: Subject::Throttled(key), limits })
}

fn watched(admitted: &Admitted, plan: &Plan) -> Option<(KeyId, Rule)> {
    let key = admitted.key.as_ref().filter(|_| admitted.route.operation == Operation::Generate)?;
    let rule = key.watched(plan.alias.extraction)?;
    Some((key.id.clone(), rule))
}

impl Sample {
    fn question(&self, salt: Salt) -> Option<Question> {
        match &self.said {
            Said::Decoded(request) => Question::of(request, salt),
            Said::Body(dialect, route, body) => {
                let request = speaker(*dialect).decode_request(route, utf8(body).ok()?).ok()?;
                Question::of(&request, salt)
            }
        }
    }
}

impl Extraction {
    /// Counts a settled exchange, where something was answered, be it that the client left in the middle.
    pub(crate) fn settles(&self, sample: &Sample, record: &Settled, shared: &Shared) {
        if !(200..300).contains(&record.status) {
            return;
        }
        let output_tokens = record.usage.as_ref().map(|usage| usage.output_total().0);
        let asked = Asked { question: sample.question(self.salt), output_tokens };
        let now_ms = shared.limited.now_ms();
        let event = self.shard(&sample.key).takes(&sample.key, now_ms, &asked, &sample.rule);
        if let Some(event) = event {
            told::tell(&event, sample, &shared.metrics);
        }
    }

    /// Begins with what the ledger has of the days before, once it is wanted.
    fn begin(&self, snapshot: &Snapshot, shared: &Shared) -> Result<(), SpentError> {
        if self.begun.load(Ordering::Relaxed) || !snapshot.watches() {
            return Ok(());
        }
        let now_ms = shared.limited.now_ms();
        let Some(rows) = shared.limited.spent_since(now_ms.saturating_sub(HISTORY_MS))? else {
            return Ok(());
        };
        let days = days(&rows);
        for (at, shard) in self.shards.iter().enumerate() {
            let own = |key: &KeyId| snapshot.keys().named(key.as_str()).is_some() && place(key) == at;
            shard.lock().unwrap_or_else(PoisonError::into_inner).begin(now_ms, &days, own);
        }
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn shard(&self, key: &KeyId) -> MutexGuard<'_, Watch> {
        let shard = self.shards.get(place(key)).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Begins to watch the keys of `snapshot` with what is known of them, before it is in force.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn begin_extraction(&self, snapshot: &Snapshot) -> Result<(), SpentError> {
        self.extraction.begin(snapshot, self)
    }
}

fn place(key: &KeyId) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default()
}

/// What each key came to on each day, whatever it asked for.
fn days(rows: &[SpendRow]) -> Vec<PastDay> {
    let mut sums: BTreeMap<(&KeyId, u64), (u64, u64)> = BTreeMap::new();
    for row in rows {
        let Some(key) = &row.key else { continue };
        let (requests, output_tokens) = sums.entry((key, row.day_ms)).or_default();
        *requests = requests.saturating_add(row.requests);
        *output_tokens = output_tokens.saturating_add(row.tokens_out);
    }
    let day = |((key, day_ms), (requests, output_tokens)): ((&KeyId, u64), (u64, u64))| PastDay {
        key: key.clone(),
        day_ms,
        requests,
        output_tokens,
    };
    sums.into_iter().map(day).collect()
}
