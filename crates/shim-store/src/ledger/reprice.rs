//! Costs reckoned anew, by prices that whoever asks knows: rows and their sums change together.
//!
//! Reading and reckoning never make the writer wait: it is handed what changes, a piece at a time, and writes each piece in
//! one transaction, between what else it writes. After any of them the sums are those of the rows.

mod apply;
mod report;

use std::path::Path;

use rusqlite::{Connection, Row, ToSql, params_from_iter};
use shim_ir::{Basis, ExchangeId, KeyId, PicoUsd, Tokens, Usage};
use shim_telemetry::Outcome;

use super::day::{Day, days};
use super::read::{Filter, Reader};
use super::schema;
use super::sums::column;
use crate::StoreError;

pub use apply::Resting;
pub(super) use apply::apply;
pub use report::{RepriceReport, Repriced};

/// Most rows that are read, or changed, at a time.
const PIECE: usize = 4096;

/// What an exchange is priced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Its target, as `provider/model`.
    pub target: String,
    /// When it was admitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it used.
    pub usage: Usage,
    /// The class of service, where it was not the ordinary one.
    pub service: Option<String>,
    /// Where it was processed, as far as that was told.
    pub region: Option<String>,
    /// Searches of the web.
    pub searches: u64,
}

/// What an answer costs by the prices of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Nothing is known of the target on that day: what was reckoned stays.
    Unlisted,
    /// A part of it has no known price.
    Unknown,
    /// So much.
    Known(PicoUsd),
}

/// What a row says of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// What it cost, in pico-dollars; `None` where that is not known.
    pub cost: Option<u64>,
    /// Whether something was asked of an upstream at a cost nobody knows.
    pub unknown: bool,
    /// What the cost rests on.
    pub basis: Basis,
    /// What budgets were charged with.
    pub charged: Option<u64>,
}

/// A row whose cost changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which exchange.
    pub id: ExchangeId,
    /// When it was admitted, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whose it is.
    pub key: Option<KeyId>,
    /// The model as the client named it.
    pub model: String,
    /// What the row says.
    pub before: Money,
    /// What it will say.
    pub after: Money,
    row: i64,
    /// Key, team, target and outcome, as the sums name them.
    names: [String; 4],
}

/// What writes changes: the rows of one day, a piece of them. It gives how many it changed.
pub type Apply<'a> = dyn FnMut(Day, Vec<Change>) -> Result<u64, StoreError> + 'a;

impl Reader {
    /// Reckons the costs of what passes `filter` anew by `price`, and gives what changes to `apply`, a piece at a time.
    ///
    /// # Errors
    /// When a file cannot be read, or `apply` fails: what was applied before that stays so.
    pub fn reprice(
        &self,
        filter: &Filter,
        price: &mut dyn FnMut(&Priced) -> Price,
        apply: &mut Apply<'_>,
    ) -> Result<RepriceReport, StoreError> {
        reprice(&self.folder, filter, price, apply)
    }
}

/// Reckons what passes `filter` anew by `price`, and gives what changes to `apply`.
fn reprice(
    folder: &Path,
    filter: &Filter,
    price: &mut dyn FnMut(&Priced) -> Price,
    apply: &mut Apply<'_>,
) -> Result<RepriceReport, StoreError> {
    let listed = days(folder).map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
    let mut report = RepriceReport::default();
    for day in listed.into_iter().filter(|day| filter.has(*day)) {
        let Some(connection) = schema::read(&day.file(folder))? else { continue };
        // What comes from now on is priced as it comes.
        let end =
            connection.query_row("SELECT coalesce(max(row), 0) FROM exchanges", [], |row| row.get(0))?;
        let mut last = 0;
        loop {
            let piece = piece(&connection, filter, (last, end))?;
            let full = piece.len() == PIECE;
            last = piece.last().map_or(end, |found| found.row);
            let changes: Vec<Change> =
                piece.into_iter().filter_map(|f| changed(f, price, &mut report)).collect();
            if !changes.is_empty() {
                report.written += apply(day, changes)?;
            }
            if !full {
                break;
            }
        }
    }
    Ok(report)
}

/// A row, as far as it is priced.
struct Found {
    row: i64,
    id: u128,
    key: Option<String>,
    team: Option<String>,
    model: String,
    outcome: String,
    money: Money,
    /// Whether what it is priced by, beside its tokens, was recorded.
    told: bool,
    stated: bool,
    complete: bool,
    failures: u64,
    priced: Priced,
}

const COLUMNS: &str = "row, id, at_ms, key, team, model, target, outcome, cost, unknown, basis, charged, service, region, \
    searches, complete, stated, failures, input_uncached, input_audio, cache_read, cache_write, cache_write_1h, \
    output_text, reasoning, output_audio, output_image";

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let maybe =
            |at: usize| row.get::<_, Option<i64>>(at).map(|n| n.map(|n| u64::try_from(n).unwrap_or(0)));
        let number = |at: usize| maybe(at).map(Option::unwrap_or_default);
        let tokens = |at: usize| number(at).map(Tokens);
        let basis = row.get::<_, Option<String>>(10)?;
        let basis = basis.as_deref().and_then(Basis::parse).unwrap_or_default();
        let usage = Usage {
            input_uncached: tokens(18)?,
            input_audio: tokens(19)?,
            cache_read: tokens(20)?,
            cache_write: tokens(21)?,
            cache_write_1h: tokens(22)?,
            output_text: tokens(23)?,
            reasoning: tokens(24)?,
            output_audio: tokens(25)?,
            output_image: tokens(26)?,
            words: None,
        };
        let money = Money { cost: maybe(8)?, unknown: row.get(9)?, basis, charged: maybe(11)? };
        let (target, at_ms) = (row.get::<_, Option<String>>(6)?.unwrap_or_default(), number(2)?);
        let (service, region, searches) = (row.get(12)?, row.get(13)?, number(14)?);
        Ok(Self {
            row: row.get(0)?,
            id: u128::from_be_bytes(row.get(1)?),
            key: row.get(3)?,
            team: row.get(4)?,
            model: row.get(5)?,
            outcome: row.get(7)?,
            money,
            told: maybe(14)?.is_some(),
            stated: basis == Basis::Stated || number(16)? > 0,
            complete: number(15)? > 0,
            failures: number(17)?,
            priced: Priced { target, at_ms, usage, service, region, searches },
        })
    }
}

/// The next rows behind the first number, up to the second, that pass and have anything to be priced by.
fn piece(
    connection: &Connection,
    filter: &Filter,
    (after, end): (i64, i64),
) -> Result<Vec<Found>, StoreError> {
    let limit = i64::try_from(PIECE).unwrap_or(i64::MAX);
    let mut values: Vec<&dyn ToSql> = vec![&after, &end, &limit];
    let (since, until) = (filter.since_ms.map(column), filter.until_ms.map(column));
    let mut sql = format!(
        "SELECT {COLUMNS} FROM exchanges WHERE row > ?1 AND row <= ?2 AND input_uncached IS NOT NULL AND target IS NOT NULL"
    );
    for (name, value) in filter.equal() {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {name} = ?{}", values.len());
        }
    }
    for (condition, value) in [("at_ms >=", &since), ("at_ms <", &until)] {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {condition} ?{}", values.len());
        }
    }
    sql += " ORDER BY row LIMIT ?3";
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map(params_from_iter(values), Found::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// What becomes of a row; `None` where it stays as it is. Either way it is reported.
fn changed(
    found: Found,
    price: &mut dyn FnMut(&Priced) -> Price,
    report: &mut RepriceReport,
) -> Option<Change> {
    let line = report.of(&found.priced.target);
    line.rows += 1;
    let now = if found.stated {
        line.stated += 1;
        Price::Unlisted
    } else if found.told {
        let now = price(&found.priced);
        line.unlisted += u64::from(now == Price::Unlisted);
        now
    } else {
        line.untold += 1;
        Price::Unlisted
    };
    let after = match now {
        Price::Unlisted => found.money,
        Price::Unknown => found.money.unknown(),
        Price::Known(cost) => {
            let delivered = found.outcome == Outcome::Delivered.name();
            found.money.known(cost.0.saturating_add(found.failures), found.complete, delivered)
        }
    };
    line.add(found.money, after);
    let Found { row, id, key, team, model, outcome, money: before, priced, .. } = found;
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    (before != after).then(|| Change {
        id: ExchangeId(id),
        at_ms: priced.at_ms,
        key: key.as_deref().and_then(|key| KeyId::new(key).ok()),
        model,
        before,
        after,
        row,
        names: [name(&key), name(&team), priced.target, outcome],
    })
}

impl Money {
    /// The same at a cost that is known. What budgets were charged with is that, as it would have been, where the answer was
    /// `delivered` whole; where it was estimated because nobody told all of it, it is no less than what is known now.
    fn known(self, cost: u64, complete: bool, delivered: bool) -> Self {
        let cost = cost.min(i64::MAX as u64);
        let charged = match self.charged {
            Some(charged) if !delivered && self.charged != self.cost => charged.max(cost),
            _ => cost,
        };
        let basis = if complete { Basis::Listed } else { Basis::Partial };
        Self { cost: Some(cost), unknown: false, basis, charged: Some(charged) }
    }

    /// The same at a cost that is not. A row that had none stays as it is: it may have been a refusal.
    fn unknown(self) -> Self {
        if self.cost.is_none() {
            return self;
        }
        let charged = self.charged.filter(|_| self.charged != self.cost);
        Self { cost: None, unknown: true, basis: Basis::Unknown, charged }
    }
}
