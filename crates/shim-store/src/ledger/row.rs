//! A row of the ledger, as it is read.

use rusqlite::Row as Columns;
use serde_json::{Value, json};
use shim_telemetry::Outcome;

use super::body::Place;

/// The columns a [`Row`] is read from, in its order.
pub(super) const COLUMNS: &str = "row, id, at_ms, generation, dialect, operation, key, team, model, target, attempts, \
    status, outcome, reason, fault, detail, streamed, input_uncached, input_audio, cache_read, cache_write, \
    cache_write_1h, output_text, reasoning, output_audio, output_image, cost, basis, finish, losses, failed, \
    request_bytes, answer_bytes, first_token_us, duration_us, client_id, record, segment, body_at, request_kept, \
    answer_kept, cut, charged, unknown, service, region, searches, failures";

/// Classes of tokens, in the order of the columns.
pub(super) const CLASSES: [&str; 9] = [
    "input_uncached",
    "input_audio",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output_text",
    "reasoning",
    "output_audio",
    "output_image",
];

/// A settled exchange, as the ledger holds it. What may not be recorded is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number in its day's file.
    pub row: i64,
    /// The exchange's id, as it is written.
    pub id: String,
    /// When it was admitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// The snapshot it ran under; 0 where that is not known.
    pub generation: u64,
    /// The client's dialect.
    pub dialect: String,
    /// What was asked.
    pub operation: String,
    /// The client's key.
    pub key: Option<String>,
    /// The key's team.
    pub team: Option<String>,
    /// The model as the client named it.
    pub model: String,
    /// The target that was tried last.
    pub target: Option<String>,
    /// Number of attempts.
    pub attempts: u64,
    /// Status the client got.
    pub status: u64,
    /// `delivered`, `failed` or `abandoned`.
    pub outcome: String,
    /// Why it was abandoned: `client_left`, `crash` or `shed`.
    pub reason: Option<String>,
    /// Code of what went wrong.
    pub fault: Option<String>,
    /// The fault's message.
    pub detail: Option<String>,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// Tokens by class; none where nothing was counted.
    pub usage: Option<[u64; 9]>,
    /// What it cost, in pico-dollars; none where that is not known.
    pub cost: Option<u64>,
    /// What the cost rests on.
    pub basis: Option<String>,
    /// What budgets were charged with, in pico-dollars: the cost, or what is taken for it where it is not known of all.
    pub charged: Option<u64>,
    /// Whether something was asked of an upstream at a cost nobody knows.
    pub unknown: bool,
    /// What the attempts before the last cost, as far as that is known; none in rows of older programs.
    pub failures: Option<u64>,
    /// The class of service, where it was not the ordinary one.
    pub service: Option<String>,
    /// Where it was processed, as far as that was told.
    pub region: Option<String>,
    /// Searches of the web; none where nobody told what was used.
    pub searches: Option<u64>,
    /// Why the answer ended.
    pub finish: Option<String>,
    /// What a translation could not carry, as JSON.
    pub losses: Option<Value>,
    /// The attempts before the last, as JSON.
    pub failed: Option<Value>,
    /// Bytes of the request's body.
    pub request_bytes: Option<u64>,
    /// Bytes of the answer's body.
    pub answer_bytes: Option<u64>,
    /// Microseconds to the first token.
    pub first_token_us: Option<u64>,
    /// Microseconds to the last byte.
    pub duration_us: Option<u64>,
    /// The id the client chose.
    pub client_id: Option<String>,
    /// How much could be recorded.
    pub record: String,
    /// Where its bodies are.
    pub(super) place: Option<Place>,
    /// Whether only the beginning of the request, and of the answer, was kept.
    pub cut: (bool, bool),
}

impl Row {
    pub(super) fn read(row: &Columns<'_>) -> rusqlite::Result<Self> {
        let number = |at: usize| row.get::<_, i64>(at).map(unsigned);
        let maybe = |at: usize| maybe(row, at);
        let json = |at: usize| -> rusqlite::Result<Option<Value>> {
            Ok(row.get::<_, Option<String>>(at)?.and_then(|text| serde_json::from_str(&text).ok()))
        };
        let cut = maybe(41)?.unwrap_or(0);
        Ok(Self {
            row: row.get(0)?,
            id: shim_ir::ExchangeId(u128::from_be_bytes(row.get(1)?)).to_string(),
            at_ms: number(2)?,
            generation: number(3)?,
            dialect: row.get(4)?,
            operation: row.get(5)?,
            key: row.get(6)?,
            team: row.get(7)?,
            model: row.get(8)?,
            target: row.get(9)?,
            attempts: number(10)?,
            status: number(11)?,
            outcome: row.get(12)?,
            reason: row.get(13)?,
            fault: row.get(14)?,
            detail: row.get(15)?,
            streamed: row.get(16)?,
            usage: usage(row, 17)?,
            cost: maybe(26)?,
            basis: row.get(27)?,
            finish: row.get(28)?,
            losses: json(29)?,
            failed: json(30)?,
            request_bytes: maybe(31)?,
            answer_bytes: maybe(32)?,
            first_token_us: maybe(33)?,
            duration_us: maybe(34)?,
            client_id: row.get(35)?,
            record: row.get(36)?,
            place: place(row, 37)?,
            cut: (cut & 1 > 0, cut & 2 > 0),
            charged: maybe(42)?,
            unknown: row.get(43)?,
            service: row.get(44)?,
            region: row.get(45)?,
            searches: maybe(46)?,
            failures: maybe(47)?,
        })
    }

    /// What of the cost is that of an answer that was delivered whole, in pico-dollars; none where it is not known.
    #[must_use]
    pub fn delivered(&self) -> Option<u64> {
        if self.outcome != Outcome::Delivered.name() {
            return Some(0);
        }
        self.cost.map(|cost| cost.saturating_sub(self.failures.unwrap_or(0)))
    }

    /// The row as JSON: the members of `GET /v1/exchanges/{id}` and what only the ledger knows.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ms = |us: Option<u64>| us.map(|us| us as f64 / 1000.0);
        json!({
            "exchange": self.id,
            "at": shim_telemetry::timestamp(self.at_ms),
            "generation": self.generation,
            "dialect": self.dialect,
            "operation": self.operation,
            "key": self.key,
            "team": self.team,
            "model": self.model,
            "target": self.target,
            "attempts": self.attempts,
            "status": self.status,
            "outcome": self.outcome,
            "reason": self.reason,
            "fault": self.fault,
            "detail": self.detail,
            "fidelity": self.fidelity(),
            "losses": self.losses.clone().unwrap_or_else(|| json!([])),
            "failed": self.failed.clone().unwrap_or_else(|| json!([])),
            "streamed": self.streamed,
            "usage": self.usage_json(),
            "cost_pico_usd": self.cost,
            "cost_basis": self.basis,
            "cost_unknown": self.unknown,
            "delivered_pico_usd": self.delivered(),
            "charged_pico_usd": self.charged,
            "service": self.service,
            "region": self.region,
            "searches": self.searches,
            "finish": self.finish,
            "request_bytes": self.request_bytes,
            "answer_bytes": self.answer_bytes,
            "first_token_ms": ms(self.first_token_us),
            "duration_ms": ms(self.duration_us),
            "client_id": self.client_id,
            "record": self.record,
        })
    }

    /// How the request was carried to its target.
    fn fidelity(&self) -> &'static str {
        match (&self.losses, self.fault.as_deref()) {
            (Some(_), _) => "mapped",
            (None, Some("untranslatable")) => "refused",
            (None, _) => "exact",
        }
    }

    /// The tokens by the names of their classes.
    fn usage_json(&self) -> Option<Value> {
        self.usage.map(|usage| {
            let classes = CLASSES.iter().zip(usage).map(|(class, n)| ((*class).to_owned(), n.into()));
            Value::Object(classes.collect())
        })
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn maybe(row: &Columns<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(unsigned))
}

/// The tokens of a row, by the columns of their classes from `from` on. Where the first is not known none was counted.
fn usage(row: &Columns<'_>, from: usize) -> rusqlite::Result<Option<[u64; CLASSES.len()]>> {
    let mut usage = [0; CLASSES.len()];
    let counted = maybe(row, from)?.is_some();
    for (n, class) in usage.iter_mut().enumerate() {
        *class = maybe(row, from + n)?.unwrap_or(0);
    }
    Ok(counted.then_some(usage))
}

/// Where the bodies of a row are, by the four columns from `from` on.
pub(super) fn place(row: &Columns<'_>, from: usize) -> rusqlite::Result<Option<Place>> {
    let Some(segment) = row.get::<_, Option<i64>>(from)? else { return Ok(None) };
    let size =
        |at: usize| row.get::<_, Option<i64>>(at).map(|n| usize::try_from(n.unwrap_or(0)).unwrap_or(0));
    Ok(Some(Place { segment, at: size(from + 1)?, request: size(from + 2)?, answer: size(from + 3)? }))
}
