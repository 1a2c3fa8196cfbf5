//! What was spent, by day, key and alias: from the sums, never from the rows.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use shim_ir::{KeyId, PicoUsd};

use super::day::{Day, days};
use super::{schema, totals};
use crate::StoreError;

/// What one key spent on one alias on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRow {
    /// Which key; none where keys are not configured.
    pub key: Option<KeyId>,
    /// Which alias, or model as the client named it.
    pub alias: String,
    /// Which day. Days long gone are summed under the first of their month.
    pub day: Day,
    /// What is known to have been spent.
    pub settled: PicoUsd,
    /// How many exchanges asked something of an upstream at a cost nobody knows.
    pub unknown: u64,
    /// Number of exchanges.
    pub requests: u64,
    /// Input tokens of all classes.
    pub tokens_in: u64,
    /// Output tokens of all classes.
    pub tokens_out: u64,
}

/// The same, as files hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) key: String,
    pub(super) model: String,
    pub(super) requests: u64,
    pub(super) unknown: u64,
    pub(super) cost: u64,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
}

impl Spent {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.cost = self.cost.saturating_add(other.cost);
        self.tokens_in = self.tokens_in.saturating_add(other.tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(other.tokens_out);
    }
}

/// What a day's file says was spent. The sums are added here, where they cannot overflow.
pub(super) fn spent(connection: &Connection) -> rusqlite::Result<Vec<Spent>> {
    let sql = "SELECT key, model, requests, unknown, charged, input_uncached, input_audio, cache_read, cache_write, \
               cache_write_1h, output_text, reasoning, output_audio, output_image FROM sums";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut sums: BTreeMap<(String, String), Spent> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let number = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
        let sum = |of: std::ops::Range<usize>| -> rusqlite::Result<u64> {
            of.map(number).try_fold(0u64, |sum, n| Ok(sum.saturating_add(n?)))
        };
        let (key, model): (String, String) = (row.get(0)?, row.get(1)?);
        let spent = Spent {
            key: key.clone(),
            model: model.clone(),
            requests: number(2)?,
            unknown: number(3)?,
            cost: number(4)?,
            tokens_in: sum(5..10)?,
            tokens_out: sum(10..14)?,
        };
        sums.entry((key, model)).and_modify(|sum| sum.add(&spent)).or_insert(spent);
    }
    Ok(sums.into_values().collect())
}

/// What was spent from `from` on, days whose files are gone included.
pub(super) fn since(folder: &Path, from: Day) -> Result<Vec<SpendRow>, StoreError> {
    let there = days(folder).map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
    let mut found = totals::since(folder, from)?;
    // A day whose file could not be removed yet after it was summed up counts once.
    found.retain(|(day, _)| !there.contains(day));
    for day in there.into_iter().filter(|day| *day >= from) {
        if let Some(connection) = schema::read(&day.file(folder))? {
            found.extend(spent(&connection)?.into_iter().map(|spent| (day, spent)));
        }
    }
    found.sort_by_key(|(day, _)| *day);
    Ok(found.into_iter().map(|(day, spent)| row(day, spent)).collect())
}

fn row(day: Day, spent: Spent) -> SpendRow {
    SpendRow {
        key: KeyId::new(&spent.key).ok(),
        alias: spent.model,
        day,
        settled: PicoUsd(spent.cost),
        unknown: spent.unknown,
        requests: spent.requests,
        tokens_in: spent.tokens_in,
        tokens_out: spent.tokens_out,
    }
}
