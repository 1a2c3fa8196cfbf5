//! One day's file, as it is written.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use rusqlite::{Connection, params};
use shim_ir::{ExchangeId, KeyId, PicoUsd};
use shim_policy::record::Record;
use shim_telemetry::Outcome;

use super::body::{Packer, Place};
use super::day::{Day, size};
use super::entry::{Admission, Exchange};
use super::insert::Inserts;
use super::pace::Pace;
use super::schema;
use super::settings::{Durability, Settings, Step};
use super::sums::{self, Sums, column};
use crate::StoreError;

/// What of a batch belongs to one day.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Those admitted that were not settled in the same batch.
    pub(super) opened: Vec<Admission>,
    /// Those settled, and whether they were admitted in the same batch.
    pub(super) settled: Vec<(Box<Exchange>, bool)>,
    /// How many were admitted.
    pub(super) admitted: u64,
}

/// A day's file that is written to.
pub(super) struct DayFile {
    pub(super) day: Day,
    pub(super) connection: Connection,
    /// Exchanges that have an open row.
    open: HashSet<u128, RandomState>,
    next_row: i64,
    next_segment: i64,
    sums_rows: usize,
}

/// An exchange found open when the ledger was opened: it was under way when the process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crashed {
    /// Which.
    pub id: ExchangeId,
    /// Who asked.
    pub key: Option<KeyId>,
    /// What was asked for.
    pub alias: String,
    /// What was set aside for it.
    pub reserved: PicoUsd,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Why an exchange was abandoned, where it was.
pub(super) const CLIENT_LEFT: &str = "client_left";
/// The process ended while it was under way.
pub(super) const CRASH: &str = "crash";
/// Its settlement had no room in the queue.
pub(super) const SHED: &str = "shed";

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    /// Rows that were there already.
    pub(super) doubled: u64,
}

impl DayFile {
    /// Opens the file of `day`, and checks it.
    ///
    /// # Errors
    /// When it is damaged, of a newer schema, or the disk refuses.
    pub(super) fn open(settings: &Settings, day: Day) -> Result<Self, StoreError> {
        settings.fails(Step::Open)?;
        let file = day.file(&settings.ledger());
        let connection = schema::open(&file, settings.durability == Durability::Strict)?;
        schema::check(&connection, size(&file))?;
        connection.execute("UPDATE meta SET value = 0 WHERE name = 'closed'", [])?;
        let next = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let next_row = next("SELECT coalesce(max(row), 0) + 1 FROM exchanges")?;
        let next_segment = next("SELECT coalesce(max(segment), 0) + 1 FROM segments")?;
        let kept = next("SELECT coalesce(max(segment), 0) + 1 FROM exchanges")?;
        let sums_rows = usize::try_from(next("SELECT count(*) FROM sums")?).unwrap_or(usize::MAX);
        let mut open = HashSet::default();
        {
            let mut statement = connection.prepare("SELECT id FROM open")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                open.insert(u128::from_be_bytes(row.get(0)?));
            }
        }
        Ok(Self { day, connection, open, next_row, next_segment: next_segment.max(kept), sums_rows })
    }

    /// Writes a part of a batch, all of it or nothing.
    ///
    /// # Errors
    /// When the disk refuses, or the file is damaged.
    pub(super) fn write(
        &mut self,
        settings: &Settings,
        part: &Part,
        packer: &mut Packer,
        pace: &mut Pace,
    ) -> Result<Written, StoreError> {
        settings.fails(Step::Write)?;
        // Rolled back when it is dropped on the way.
        let transaction = self.connection.unchecked_transaction()?;
        let mut tally = Tally { next_row: self.next_row, admitted: part.admitted, ..Tally::default() };
        for admission in &part.opened {
            open(&transaction, admission)?;
        }
        packer.begin(self.next_segment);
        // Finding a statement by its text costs as much as a tenth of what it does.
        let (mut inserts, mut closes) = (Inserts::new(&transaction)?, transaction.prepare_cached(CLOSE)?);
        for (exchange, admitted_with) in &part.settled {
            let is_open = self.open.contains(&exchange.settled.id.0);
            let place = packed(packer, tally.next_row, exchange)?;
            let is_new = inserts.insert(tally.next_row, exchange, place)?;
            tally.count(exchange, is_new, *admitted_with || is_open);
            if is_open {
                closes.execute([exchange.settled.id.0.to_be_bytes()])?;
            }
            pace.between();
        }
        drop((inserts, closes));
        let next_segment = packer.write(&transaction)?;
        let sums_rows = tally.sums.write(&transaction, self.sums_rows)?;
        count(&transaction, "admitted", tally.admitted)?;
        count(&transaction, "doubled", tally.written.doubled)?;
        settings.fails(Step::Commit)?;
        transaction.commit()?;
        (self.next_row, self.next_segment, self.sums_rows) = (tally.next_row, next_segment, sums_rows);
        self.open.extend(part.opened.iter().map(|admission| admission.id.0));
        for (exchange, _) in &part.settled {
            self.open.remove(&exchange.settled.id.0);
        }
        Ok(tally.written)
    }

    /// Settles what is open as abandoned for `reason`, and gives it.
    ///
    /// # Errors
    /// When the disk refuses, or the file is damaged.
    pub(super) fn abandon(&mut self, reason: &str) -> Result<Vec<Crashed>, StoreError> {
        if self.open.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.opened()?;
        let transaction = self.connection.unchecked_transaction()?;
        let (mut next_row, mut sums) = (self.next_row, sums::Batch::default());
        let models: Vec<&str> = found.iter().map(|crashed| crashed.alias.as_str()).collect();
        for (crashed, model) in found.iter().zip(models) {
            let key = crashed.key.as_ref().map(KeyId::as_str);
            if abandoned(&transaction, next_row, crashed, reason)? {
                let of = sums::Of {
                    hour: super::day::hour(crashed.at_ms),
                    key: key.unwrap_or(""),
                    team: "",
                    model,
                    target: "",
                    outcome: Outcome::Abandoned.name(),
                };
                let mut values = [0; sums::VALUES.len()];
                // One request, of unknown cost.
                values.iter_mut().take(2).for_each(|value| *value = 1);
                sums.add(of, &Sums { values, first_row: next_row, last_row: next_row });
                next_row += 1;
            }
            transaction.prepare_cached(CLOSE)?.execute([crashed.id.0.to_be_bytes()])?;
        }
        let sums_rows = sums.write(&transaction, self.sums_rows)?;
        transaction.commit()?;
        (self.next_row, self.sums_rows) = (next_row, sums_rows);
        self.open.clear();
        Ok(found)
    }

    fn opened(&self) -> Result<Vec<Crashed>, StoreError> {
        let sql = "SELECT id, at_ms, key, model, reserved FROM open ORDER BY id";
        let mut statement = self.connection.prepare(sql)?;
        let found = statement.query_map([], |row| {
            let key: Option<String> = row.get(2)?;
            Ok(Crashed {
                id: ExchangeId(u128::from_be_bytes(row.get(0)?)),
                at_ms: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                key: key.and_then(|key| KeyId::new(&key).ok()),
                alias: row.get(3)?,
                reserved: PicoUsd(u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0)),
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Whether any exchange of the day is under way.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Says that it was closed in order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.connection.execute("UPDATE meta SET value = 1 WHERE name = 'closed'", [])?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Lets go of the oldest bodies until no more than `bytes` are in use, and gives the disk its room back. Whether that
    /// was enough.
    ///
    /// # Errors
    /// When the disk refuses, or the file is damaged.
    pub(super) fn trim(&self, bytes: u64) -> Result<bool, StoreError> {
        let number = |name: &str| -> rusqlite::Result<u64> {
            let value: i64 = self.connection.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or(0))
        };
        let page = number("page_size")?;
        let mut enough = true;
        while (number("page_count")? - number("freelist_count")?) * page > bytes {
            let sql = "DELETE FROM segments WHERE segment IN (SELECT segment FROM segments ORDER BY segment LIMIT 64)";
            if self.connection.execute(sql, [])? == 0 {
                enough = false;
                break;
            }
        }
        schema::give_back(&self.connection)?;
        Ok(enough)
    }

    /// The first row that still has its bodies.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn first_with_body(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(min(first_row), ?1) FROM segments";
        Ok(self.connection.query_row(sql, [self.next_row], |row| row.get(0))?)
    }
}

/// What is counted of a batch while it is written.
#[derive(Default)]
struct Tally<'p> {
    next_row: i64,
    admitted: u64,
    written: Written,
    sums: sums::Batch<'p>,
}

impl<'p> Tally<'p> {
    /// Counts an exchange whose row `is_new`, or was there already. `is_admitted` says whether its admission was counted.
    fn count(&mut self, exchange: &'p Exchange, is_new: bool, is_admitted: bool) {
        if !is_new {
            self.written.doubled += 1;
            return;
        }
        self.sums.add(sums::of(exchange), &Sums::of(exchange, self.next_row));
        self.next_row += 1;
        self.written.rows += 1;
        // Its admission had no room in the queue, or went with a damaged file.
        self.admitted += u64::from(!is_admitted);
    }
}

/// Packs the bodies of an exchange that is recorded in full; where they are, by its row.
fn packed(packer: &mut Packer, row: i64, exchange: &Exchange) -> rusqlite::Result<Option<Place>> {
    if exchange.record != Record::Full {
        return Ok(None);
    }
    packer.add(row, exchange).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn open(connection: &Connection, admission: &Admission) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO open (id, at_ms, key, model, reserved) VALUES (?1, ?2, ?3, ?4, ?5)";
    let Admission { id, at_ms, key, model, reserved } = admission;
    let key = key.as_ref().map(KeyId::as_str);
    let (at_ms, reserved) = (column(*at_ms), column(reserved.0));
    let model = sums::clipped(model);
    connection.prepare_cached(sql)?.execute(params![id.0.to_be_bytes(), at_ms, key, model, reserved])?;
    Ok(())
}

const CLOSE: &str = "DELETE FROM open WHERE id = ?1";

fn count(connection: &Connection, name: &str, by: u64) -> rusqlite::Result<()> {
    if by > 0 {
        let sql = "UPDATE meta SET value = value + ?2 WHERE name = ?1";
        connection.prepare_cached(sql)?.execute(params![name, column(by)])?;
    }
    Ok(())
}

fn abandoned(connection: &Connection, row: i64, crashed: &Crashed, reason: &str) -> rusqlite::Result<bool> {
    let sql = "
        INSERT OR IGNORE INTO exchanges (row, id, at_ms, generation, dialect, operation, key, model, attempts, status,
            outcome, reason, streamed, unknown, basis, record)
        VALUES (?1, ?2, ?3, 0, '', '', ?4, ?5, 0, 0, ?6, ?7, 0, 1, 'unknown', 'off')";
    let key = crashed.key.as_ref().map(KeyId::as_str);
    let (id, at_ms) = (crashed.id.0.to_be_bytes(), column(crashed.at_ms));
    let outcome = Outcome::Abandoned.name();
    let row = params![row, id, at_ms, key, crashed.alias, outcome, reason];
    Ok(connection.prepare_cached(sql)?.execute(row)? > 0)
}
