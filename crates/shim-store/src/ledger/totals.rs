//! `totals.db`: what days came to whose files are gone.

use std::path::Path;

use rusqlite::{Connection, params};

use super::day::Day;
use super::schema;
use super::spend::{Spent, spent};
use super::sums::column;
use crate::StoreError;

/// Days kept one by one; those before are one row a month.
const DAYS_MAX: u32 = 400;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS totals (
        day INTEGER NOT NULL,
        key TEXT NOT NULL,
        model TEXT NOT NULL,
        requests INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        cost INTEGER NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        PRIMARY KEY (day, key, model)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
";

const INSERT: &str = "INSERT OR REPLACE INTO totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("totals.db")
}

/// Keeps what `day` came to. Keeping it twice is keeping it once.
///
/// # Errors
/// When its file cannot be read, or the disk refuses.
pub(super) fn keep(folder: &Path, day: Day) -> Result<(), StoreError> {
    let Some(connection) = schema::read(&day.file(folder))? else { return Ok(()) };
    let rows = spent(&connection)?;
    drop(connection);
    let totals = open(folder)?;
    let transaction = totals.unchecked_transaction()?;
    for row in &rows {
        insert(&transaction, day, row)?;
    }
    fold(&transaction, day)?;
    transaction.commit()?;
    Ok(())
}

fn open(folder: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file(folder))?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

fn insert(connection: &Connection, day: Day, row: &Spent) -> rusqlite::Result<()> {
    let Spent { key, model, requests, unknown, cost, tokens_in, tokens_out } = row;
    let [requests, unknown, cost, tokens_in, tokens_out] =
        [*requests, *unknown, *cost, *tokens_in, *tokens_out].map(column);
    let row = params![day.0, key, model, requests, unknown, cost, tokens_in, tokens_out];
    connection.prepare_cached(INSERT)?.execute(row)?;
    Ok(())
}

/// Makes one row a month of what is older than [`DAYS_MAX`] before `day`.
fn fold(connection: &Connection, day: Day) -> rusqlite::Result<()> {
    let Some(before) = day.0.checked_sub(DAYS_MAX) else { return Ok(()) };
    let old = read(connection, 0, before)?;
    let mut months: std::collections::BTreeMap<(Day, String, String), Spent> =
        std::collections::BTreeMap::new();
    for (day, row) in old {
        let sum = months.entry((first_of_month(day), row.key.clone(), row.model.clone()));
        sum.and_modify(|sum| sum.add(&row)).or_insert(row);
    }
    connection.execute("DELETE FROM totals WHERE day < ?1", [before])?;
    months.iter().try_for_each(|((day, ..), row)| insert(connection, *day, row))
}

/// The first day of the month of `day`.
fn first_of_month(day: Day) -> Day {
    let text = day.to_string();
    text.get(..8).and_then(|month| format!("{month}01").parse().ok()).unwrap_or(day)
}

fn read(connection: &Connection, from: u32, before: u32) -> rusqlite::Result<Vec<(Day, Spent)>> {
    let sql = "SELECT day, key, model, requests, unknown, cost, tokens_in, tokens_out FROM totals \
               WHERE day >= ?1 AND day < ?2";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([from, before], |row| {
        let number = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
        let spent = Spent {
            key: row.get(1)?,
            model: row.get(2)?,
            requests: number(3)?,
            unknown: number(4)?,
            cost: number(5)?,
            tokens_in: number(6)?,
            tokens_out: number(7)?,
        };
        Ok((Day(row.get(0)?), spent))
    })?;
    rows.collect()
}

/// What the days from `from` on came to whose files are gone.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn since(folder: &Path, from: Day) -> Result<Vec<(Day, Spent)>, StoreError> {
    if !file(folder).exists() {
        return Ok(Vec::new());
    }
    Ok(read(&open(folder)?, from.0, u32::MAX)?)
}
