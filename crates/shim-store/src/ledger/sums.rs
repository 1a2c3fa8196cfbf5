//! Sums kept beside the rows, in the same transaction: by hour, key, team, model, target and outcome. They answer what a
//! console asks without looking at rows, say where rows of a kind are, and outlive them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};

use shim_policy::record::Record;

use super::day::hour;
use super::entry::Exchange;
use super::money::{charged, cost, unknown};

/// What is summed, as columns are named.
pub(super) const VALUES: [&str; COUNT] = [
    "requests",
    "unknown",
    "cost",
    "input_uncached",
    "input_audio",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output_text",
    "reasoning",
    "output_audio",
    "output_image",
    "request_bytes",
    "answer_bytes",
    "duration_us",
    "charged",
];

pub(super) const COUNT: usize = 16;

/// Most rows of sums in a file; what comes beyond is summed under `(other)`, so that no client can fill the disk by
/// inventing models.
const SUMS_MAX: usize = 10_000;

/// The name of what is not summed apart.
pub(super) const OTHER: &str = "(other)";

/// Of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Of<'a> {
    pub(super) hour: u64,
    pub(super) key: &'a str,
    pub(super) team: &'a str,
    pub(super) model: &'a str,
    pub(super) target: &'a str,
    pub(super) outcome: &'a str,
}

/// Sums in the order of [`VALUES`], and the first and last row they are of. Additions stop at what a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) values: [u64; COUNT],
    pub(super) first_row: i64,
    pub(super) last_row: i64,
}

/// The most a column can hold.
const MOST: u64 = i64::MAX as u64;

impl Sums {
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, value) in self.values.iter_mut().zip(other.values) {
            *sum = sum.saturating_add(value).min(MOST);
        }
        self.first_row = self.first_row.min(other.first_row);
        self.last_row = self.last_row.max(other.last_row);
    }

    /// Of a row: the columns of `row` from `from` on.
    pub(super) fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Self> {
        let mut values = [0; COUNT];
        for (n, value) in values.iter_mut().enumerate() {
            *value = u64::try_from(row.get::<_, Option<i64>>(from + 2 + n)?.unwrap_or(0)).unwrap_or(0);
        }
        Ok(Self { values, first_row: row.get(from)?, last_row: row.get(from + 1)? })
    }

    /// Of one exchange.
    pub(super) fn of(exchange: &Exchange, row: i64) -> Self {
        let settled = &exchange.settled;
        let usage = settled.usage.as_ref().map(shim_ir::Usage::counts).unwrap_or_default();
        // Of what may not be recorded there are no sums either.
        let told = |value: u64| if exchange.record > Record::Off { value } else { 0 };
        let values = [
            1,
            u64::from(unknown(exchange)),
            cost(exchange).unwrap_or(0),
            usage.input_uncached.0,
            usage.input_audio.0,
            usage.cache_read.0,
            usage.cache_write.0,
            usage.cache_write_1h.0,
            usage.output_text.0,
            usage.reasoning.0,
            usage.output_audio.0,
            usage.output_image.0,
            told(settled.request_bytes),
            told(settled.answer_bytes),
            told(settled.duration_us),
            charged(exchange).unwrap_or(0),
        ];
        Self { values: values.map(|value| value.min(MOST)), first_row: row, last_row: row }
    }
}

/// The columns of sums, as a statement lists them.
pub(super) static COLUMNS: LazyLock<String> = LazyLock::new(|| VALUES.join(", "));

static SELECT: LazyLock<String> = LazyLock::new(|| {
    let columns = &*COLUMNS;
    format!(
        "SELECT first_row, last_row, {columns} FROM sums WHERE hour = ?1 AND key = ?2 AND team = ?3 AND model = ?4 \
         AND target = ?5 AND outcome = ?6"
    )
});

static REPLACE: LazyLock<String> = LazyLock::new(|| {
    let columns = &*COLUMNS;
    let marks = (1..=8 + COUNT).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT OR REPLACE INTO sums (hour, key, team, model, target, outcome, first_row, last_row, {columns}) \
         VALUES ({marks})"
    )
});

/// The sums of a batch.
#[derive(Debug, Default)]
pub(super) struct Batch<'a>(BTreeMap<Of<'a>, Sums>);

impl<'a> Batch<'a> {
    /// Adds an exchange, whose key of sums is `of`.
    pub(super) fn add(&mut self, of: Of<'a>, sums: &Sums) {
        self.0.entry(of).and_modify(|sum| sum.add(sums)).or_insert(*sums);
    }

    /// Adds the batch to the file's sums; how many rows of sums there are now.
    pub(super) fn write(&self, connection: &Connection, mut rows: usize) -> rusqlite::Result<usize> {
        for (of, sums) in &self.0 {
            let mut of = of.clone();
            let mut before = find(connection, &of)?;
            if before.is_none() && rows >= SUMS_MAX {
                of = Of { model: OTHER, target: OTHER, ..of };
                before = find(connection, &of)?;
            }
            rows += usize::from(before.is_none());
            let mut sum = *sums;
            if let Some(before) = &before {
                sum.add(before);
            }
            replace(connection, &of, &sum)?;
        }
        Ok(rows)
    }
}

fn find(connection: &Connection, of: &Of<'_>) -> rusqlite::Result<Option<Sums>> {
    let mut statement = connection.prepare_cached(&SELECT)?;
    let hour = column(of.hour);
    let of = (hour, of.key, of.team, of.model, of.target, of.outcome);
    statement.query_row(of, |row| Sums::read(row, 0)).optional()
}

fn replace(connection: &Connection, of: &Of<'_>, sums: &Sums) -> rusqlite::Result<()> {
    let hour = column(of.hour);
    let values = sums.values.map(column);
    let mut columns: Vec<&dyn ToSql> =
        vec![&hour, &of.key, &of.team, &of.model, &of.target, &of.outcome, &sums.first_row, &sums.last_row];
    columns.extend(values.iter().map(|value| value as &dyn ToSql));
    connection.prepare_cached(&REPLACE)?.execute(params_from_iter(columns))?;
    Ok(())
}

/// Of what, by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owned {
    pub(super) hour: u64,
    names: [String; 5],
}

impl Owned {
    pub(super) fn borrowed(&self) -> Of<'_> {
        let [key, team, model, target, outcome] = self.names.each_ref().map(String::as_str);
        Of { hour: self.hour, key, team, model, target, outcome }
    }
}

/// Gives each row of a file to `take`, as the sums it adds to.
pub(super) fn each_row(connection: &Connection, take: impl FnMut(&Of<'_>, &Sums)) -> rusqlite::Result<()> {
    let values = VALUES.iter().skip(1).copied().collect::<Vec<_>>().join(", ");
    let hour = "at_ms / 3600000, key, team, model, target, outcome";
    each(connection, &format!("SELECT {hour}, row, row, 1, {values} FROM main.exchanges"), take)
}

/// Gives the sums a file keeps to `take`.
pub(super) fn each_kept(connection: &Connection, take: impl FnMut(&Of<'_>, &Sums)) -> rusqlite::Result<()> {
    let columns = &*COLUMNS;
    let of = "hour, key, team, model, target, outcome";
    each(connection, &format!("SELECT {of}, first_row, last_row, {columns} FROM sums"), take)
}

fn each(connection: &Connection, sql: &str, mut take: impl FnMut(&Of<'_>, &Sums)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let hour = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        let name =
            |at: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(at)?.as_str_or_null()?.unwrap_or("")) };
        let (key, team, model) = (name(1)?, name(2)?, name(3)?);
        let of = Of { hour, key, team, model, target: name(4)?, outcome: name(5)? };
        take(&of, &Sums::read(row, 6)?);
    }
    Ok(())
}

/// The sums of all rows of a file, added up anew.
pub(super) fn of_rows(connection: &Connection) -> rusqlite::Result<BTreeMap<Owned, Sums>> {
    let mut found: BTreeMap<Owned, Sums> = BTreeMap::new();
    each_row(connection, |of, sums| {
        let names = [of.key, of.team, of.model, of.target, of.outcome].map(str::to_owned);
        let sum = found.entry(Owned { hour: of.hour, names });
        sum.and_modify(|sum| sum.add(sums)).or_insert(*sums);
    })?;
    Ok(found)
}

/// How many exchanges ended how.
pub(super) fn by_outcome(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut statement = connection.prepare("SELECT outcome, sum(requests) FROM sums GROUP BY outcome")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?;
    rows.collect()
}

/// A number as a column holds it.
pub(super) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The key of sums of an exchange.
pub(super) fn of(exchange: &Exchange) -> Of<'_> {
    let settled = &exchange.settled;
    Of {
        hour: hour(settled.at_ms),
        key: settled.key.as_ref().map_or("", |key| key.as_str()),
        team: exchange.team.as_deref().unwrap_or(""),
        model: clipped(&settled.model),
        target: settled.target.as_deref().unwrap_or(""),
        outcome: settled.outcome.name(),
    }
}

/// The most that is kept of a name a client made up, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A name, or the beginning of one that is none.
pub(super) fn clipped(name: &str) -> &str {
    let end = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|at| name.is_char_boundary(*at));
    name.get(..end.unwrap_or(0)).unwrap_or("")
}
