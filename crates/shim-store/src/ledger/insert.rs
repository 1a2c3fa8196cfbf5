//! Rows of exchanges, as they are inserted.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection};
use shim_ir::{FaultKind, KeyId, Tokens, Usage};
use shim_policy::record::Record;
use shim_telemetry::{Outcome, losses_json};

use super::body::{Place, size};
use super::entry::Exchange;
use super::file::CLIENT_LEFT;
use super::money::{basis, charged, complete, cost, failed, unknown};
use super::sums::{clipped, column};

/// Columns beside the row's number and the exchange's id, by what tells of them.
const ASKED: usize = 10;
const ENDED: usize = 8;
const USED: usize = 9;
const COST: usize = 10;
const SIZES: usize = 6;
const KEPT: usize = 5;
const REMEMBERED: usize = ASKED + ENDED + USED + COST + SIZES + KEPT;

const INSERT: &str = "
    INSERT OR IGNORE INTO exchanges (
        row, id,
        at_ms, generation, dialect, operation, key, team, model, target, attempts, streamed,
        status, outcome, reason, fault, detail, finish, losses, failed,
        input_uncached, input_audio, cache_read, cache_write, cache_write_1h, output_text, reasoning, output_audio,
        output_image,
        cost, unknown, basis, charged, service, region, searches, complete, stated, failures,
        request_bytes, answer_bytes, first_token_us, duration_us, client_id, record,
        segment, body_at, request_kept, answer_kept, cut
    ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
        ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, ?45,
        ?46, ?47, ?48, ?49, ?50
    )";

/// Inserts rows. What a row has in common with the one before it stays bound: of fifty columns that is most, and binding
/// all of them anew took a third of the time of an insertion.
pub(super) struct Inserts<'c> {
    statement: CachedStatement<'c>,
    bound: [Value; REMEMBERED],
}

impl<'c> Inserts<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        // Nothing is bound to a statement that comes out of the cache.
        let bound = [const { Value::Null }; REMEMBERED];
        Ok(Self { statement: connection.prepare_cached(INSERT)?, bound })
    }

    /// Inserts a row; `false` where the exchange has one already.
    pub(super) fn insert(
        &mut self,
        row: i64,
        exchange: &Exchange,
        place: Option<Place>,
    ) -> rusqlite::Result<bool> {
        let told = exchange.record > Record::Off;
        let losses = exchange.settled.losses.as_ref().filter(|_| told);
        let losses = losses.map(|losses| losses_json(losses).to_string());
        let failed = failed(exchange).filter(|_| told);
        self.statement.raw_bind_parameter(1, row)?;
        self.statement.raw_bind_parameter(2, exchange.settled.id.0.to_be_bytes())?;
        let ended = ended(exchange, losses.as_deref(), failed.as_deref());
        let groups: [&[ValueRef<'_>]; 6] = [
            &asked(exchange),
            &ended,
            &used(exchange),
            &costs(exchange),
            &sizes(exchange),
            &kept(exchange, place),
        ];
        let values = groups.into_iter().flatten();
        for (at, (value, bound)) in values.zip(&mut self.bound).enumerate() {
            if ValueRef::from(&*bound) != *value {
                self.statement.raw_bind_parameter(at + 3, ToSqlOutput::Borrowed(*value))?;
                *bound = (*value).try_into()?;
            }
        }
        Ok(self.statement.raw_execute()? > 0)
    }
}

fn number(value: impl Into<i64>) -> ValueRef<'static> {
    ValueRef::Integer(value.into())
}

fn maybe(value: Option<u64>) -> ValueRef<'static> {
    value.map_or(ValueRef::Null, |value| number(column(value)))
}

fn word(value: &str) -> ValueRef<'_> {
    ValueRef::Text(value.as_bytes())
}

fn words(value: Option<&str>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, word)
}

fn asked(exchange: &Exchange) -> [ValueRef<'_>; ASKED] {
    let s = &exchange.settled;
    [
        number(column(s.at_ms)),
        number(column(s.generation.0)),
        word(s.dialect.name()),
        word(s.operation),
        words(s.key.as_ref().map(KeyId::as_str)),
        words(exchange.team.as_deref()),
        word(clipped(&s.model)),
        words(s.target.as_deref()),
        number(s.attempts),
        number(s.streamed),
    ]
}

fn ended<'e>(
    exchange: &'e Exchange,
    losses: Option<&'e str>,
    failed: Option<&'e str>,
) -> [ValueRef<'e>; ENDED] {
    let s = &exchange.settled;
    let told = exchange.record > Record::Off;
    [
        number(s.status),
        word(s.outcome.name()),
        words((s.outcome == Outcome::Abandoned).then_some(CLIENT_LEFT)),
        words(s.fault.map(FaultKind::code)),
        words(s.detail.as_deref().filter(|_| exchange.record == Record::Full)),
        words(s.finish.as_ref().filter(|_| told).map(shim_telemetry::finish_word)),
        words(losses),
        words(failed),
    ]
}

fn used(exchange: &Exchange) -> [ValueRef<'static>; USED] {
    let usage = exchange.settled.usage.as_ref();
    let tokens = |of: fn(&Usage) -> Tokens| maybe(usage.map(|usage| of(usage).0));
    [
        tokens(|u| u.input_uncached),
        tokens(|u| u.input_audio),
        tokens(|u| u.cache_read),
        tokens(|u| u.cache_write),
        tokens(|u| u.cache_write_1h),
        tokens(|u| u.output_text),
        tokens(|u| u.reasoning),
        tokens(|u| u.output_audio),
        tokens(|u| u.output_image),
    ]
}

fn costs(exchange: &Exchange) -> [ValueRef<'_>; COST] {
    let terms = exchange.settled.terms.as_ref();
    let is = |value: Option<bool>| value.map_or(ValueRef::Null, number);
    [
        maybe(cost(exchange)),
        number(unknown(exchange)),
        word(basis(exchange)),
        maybe(charged(exchange)),
        words(terms.and_then(|terms| terms.service.as_deref())),
        words(terms.and_then(|terms| terms.region.as_deref())),
        maybe(terms.map(|terms| terms.searches)),
        is(complete(exchange)),
        is(terms.map(|terms| terms.stated)),
        number(column(exchange.settled.failures().0)),
    ]
}

fn sizes(exchange: &Exchange) -> [ValueRef<'_>; SIZES] {
    let s = &exchange.settled;
    let told = exchange.record > Record::Off;
    [
        maybe(told.then_some(s.request_bytes)),
        maybe(told.then_some(s.answer_bytes)),
        maybe(s.first_token_us.filter(|_| told)),
        maybe(told.then_some(s.duration_us)),
        words(exchange.client_id.as_deref()),
        word(exchange.record.name()),
    ]
}

fn kept(exchange: &Exchange, place: Option<Place>) -> [ValueRef<'static>; KEPT] {
    let cut = i64::from(exchange.request.cut) | i64::from(exchange.answer.cut) << 1;
    let full = exchange.record == Record::Full;
    let of =
        |number: fn(Place) -> i64| place.map_or(ValueRef::Null, |place| ValueRef::Integer(number(place)));
    [
        of(|place| place.segment),
        of(|place| size(place.at)),
        of(|place| size(place.request)),
        of(|place| size(place.answer)),
        if full && cut > 0 { number(cut) } else { ValueRef::Null },
    ]
}
