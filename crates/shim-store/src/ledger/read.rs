//! Reading the ledger, while it is written and when it is not. Every call opens the files it needs: there is nothing to
//! keep in memory between two.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, ToSql, params_from_iter};
use shim_ir::ExchangeId;

use super::body::{Gone, Segments};
use super::day::{Day, NoDay, days, hour};
use super::row::{COLUMNS, Row};
use super::spend::SpendRow;
use super::sums::{self, Of};
use super::verify::{Verified, verify};
use super::{feedback, schema, settings, spend, words};
use crate::StoreError;

/// Reads a ledger.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) folder: PathBuf,
}

/// Which exchanges. What is `None` asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this key.
    pub key: Option<String>,
    /// Of this team.
    pub team: Option<String>,
    /// Of this alias, or model as the client named it.
    pub model: Option<String>,
    /// Answered last by this target.
    pub target: Option<String>,
    /// Ended so.
    pub outcome: Option<String>,
    /// Admitted at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Admitted before this time.
    pub until_ms: Option<u64>,
}

/// A place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Whose file.
    pub day: Day,
    /// Its row.
    pub row: i64,
}

impl Cursor {
    /// The place right behind it.
    #[must_use]
    pub fn behind(self) -> Self {
        Self { row: self.row.saturating_add(1), ..self }
    }
}

/// As in `2026-11-26.17`.
impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.day, self.row)
    }
}

impl std::str::FromStr for Cursor {
    type Err = NoDay;
    fn from_str(text: &str) -> Result<Self, NoDay> {
        let no_place = || NoDay(text.to_owned());
        let (day, row) = text.split_once('.').ok_or_else(no_place)?;
        Ok(Self { day: day.parse()?, row: row.parse().map_err(|_| no_place())? })
    }
}

/// An exchange with all that is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its row.
    pub row: Row,
    /// The request, as far as it was kept.
    pub request: Option<Vec<u8>>,
    /// The answer, as far as it was kept.
    pub answer: Option<Vec<u8>>,
    /// Why bodies that were kept are not there.
    pub gone: Option<&'static str>,
    /// What was said of it, as JSON.
    pub feedback: Vec<serde_json::Value>,
}

impl Reader {
    /// Reads the ledger of the store in `store`.
    #[must_use]
    pub fn new(store: &Path) -> Self {
        Self { folder: settings::folder(store) }
    }

    /// Whether there is a ledger at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// The days there are files of, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn days(&self) -> Result<Vec<Day>, StoreError> {
        days(&self.folder).map_err(|source| StoreError::Folder { path: self.folder.clone(), source })
    }

    /// Exchanges that pass `filter`, newest first, up to `limit` of them, older than `before` where it is given.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn list(
        &self,
        filter: &Filter,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<(Cursor, Row)>, StoreError> {
        let mut found = Vec::new();
        for day in self.days()?.into_iter().rev().filter(|day| filter.has(*day)) {
            if before.is_some_and(|before| day > before.day) {
                continue;
            }
            let last = before.filter(|before| before.day == day).map_or(i64::MAX, |before| before.row - 1);
            let Some(connection) = schema::read(&day.file(&self.folder))? else { continue };
            for (from, to) in ranges(&connection, filter)?.into_iter().rev() {
                let to = to.min(last);
                let left = limit - found.len();
                select(&connection, filter, (from, to), "DESC", left, |row| {
                    found.push((Cursor { day, row: row.row }, row));
                    Ok(())
                })?;
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Gives exchanges that pass `filter` to `take`, oldest first, from behind `after` on; the place of the last row there
    /// is.
    ///
    /// # Errors
    /// When a file cannot be read, or `take` fails.
    pub fn each(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        mut take: impl FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<Option<Cursor>, StoreError> {
        let mut last = after;
        for day in self.days()? {
            if after.is_some_and(|after| day < after.day) {
                continue;
            }
            let Some(connection) = schema::read(&day.file(&self.folder))? else { continue };
            let first = after.filter(|after| after.day == day).map_or(0, |after| after.row + 1);
            let end = end(&connection)?;
            if filter.has(day) {
                for (from, to) in ranges(&connection, filter)? {
                    let range = (from.max(first), to.min(end));
                    select(&connection, filter, range, "ASC", usize::MAX, &mut take)?;
                }
            }
            last = last.max(Some(Cursor { day, row: end }));
        }
        Ok(last)
    }

    /// The place of the last row there is.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn end(&self) -> Result<Option<Cursor>, StoreError> {
        for day in self.days()?.into_iter().rev() {
            if let Some(connection) = schema::read(&day.file(&self.folder))? {
                return Ok(Some(Cursor { day, row: end(&connection)? }));
            }
        }
        Ok(None)
    }

    /// The exchange of this id, with all that is kept of it.
    ///
    /// # Errors
    /// When its day's file cannot be read.
    pub fn show(&self, id: ExchangeId) -> Result<Option<Shown>, StoreError> {
        let Some(connection) = schema::read(&Day::of_ms(id.at_ms()).file(&self.folder))? else {
            return Ok(None);
        };
        let sql = format!("SELECT {COLUMNS} FROM exchanges WHERE id = ?1");
        let id = id.0.to_be_bytes();
        let Some(row) = connection.query_row(&sql, [id], Row::read).optional()? else { return Ok(None) };
        let feedback = feedback::of(&connection, &id)?;
        let mut shown = Shown { request: None, answer: None, gone: None, feedback, row };
        if let Some(place) = &shown.row.place {
            let mut segments = Segments::default();
            match segments.bodies(&connection, place)? {
                Ok((request, answer)) => {
                    (shown.request, shown.answer) = (Some(request.to_vec()), Some(answer.to_vec()));
                }
                Err(Gone::Trimmed) => shown.gone = Some("they made room for younger ones"),
                Err(Gone::Damaged) => shown.gone = Some("they are damaged"),
            }
        }
        Ok(Some(shown))
    }

    /// How many rows of all days are indexed for the search, of how many.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn indexed(&self) -> Result<(i64, i64), StoreError> {
        self.days()?.into_iter().try_fold((0, 0), |(done, all), day| {
            let (more_done, more) = words::progress(&self.folder, day)?;
            Ok((done + more_done, all + more))
        })
    }

    /// What was spent by day, key and alias, from `from` on.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn spend(&self, from: Day) -> Result<Vec<SpendRow>, StoreError> {
        spend::since(&self.folder, from)
    }

    /// Checks that everything is accounted exactly once; with `deep`, row by row and page by page.
    ///
    /// # Errors
    /// When the folder cannot be read. What is wrong with a file is in the answer.
    pub fn verify(&self, deep: bool) -> Result<Verified, StoreError> {
        verify(&self.folder, deep)
    }

    /// Indexes words, of the youngest day first, until all are, or the time is up; whether all are.
    ///
    /// # Errors
    /// When a file cannot be read, or an index not written.
    pub fn index(&self, most: Duration) -> Result<bool, StoreError> {
        let until = Instant::now().checked_add(most);
        for day in self.days()?.into_iter().rev() {
            if !words::index(&self.folder, day, || until.is_some_and(|until| Instant::now() >= until))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The last row of a day's file.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(row), 0) FROM exchanges", [], |row| row.get(0))
}

impl Filter {
    /// What must be equal, by column.
    pub(super) fn equal(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("key", &self.key),
            ("team", &self.team),
            ("model", &self.model),
            ("target", &self.target),
            ("outcome", &self.outcome),
        ]
    }

    /// Whether exchanges of `day` may pass.
    pub(super) fn has(&self, day: Day) -> bool {
        self.since_ms.is_none_or(|since| day.next().start_ms() > since)
            && self.until_ms.is_none_or(|until| day.start_ms() < until)
    }

    /// Whether exchanges summed under `of` may pass. Those summed under `(other)` may have any name.
    pub(super) fn sums(&self, of: &Of<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|w| w == found || found == "(other)")
        };
        is(&self.key, of.key)
            && is(&self.team, of.team)
            && is(&self.model, of.model)
            && is(&self.target, of.target)
            && is(&self.outcome, of.outcome)
            && self.since_ms.is_none_or(|since| of.hour >= hour(since))
            && self.until_ms.is_none_or(|until| of.hour <= hour(until))
    }
}

/// Where in a file rows that pass are, by its sums: apart from each other, in order.
pub(super) fn ranges(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<(i64, i64)>> {
    if *filter == Filter::default() {
        return Ok(vec![(0, i64::MAX)]);
    }
    let (since, until) =
        (filter.since_ms.map(hour).map(sums::column), filter.until_ms.map(hour).map(sums::column));
    let mut sql = "SELECT first_row, last_row FROM sums WHERE true".to_owned();
    let mut values: Vec<&dyn ToSql> = Vec::new();
    for (column, value) in filter.equal() {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {column} IN (?{}, '{}')", values.len(), sums::OTHER);
        }
    }
    for (condition, value) in [("hour >=", &since), ("hour <=", &until)] {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {condition} ?{}", values.len());
        }
    }
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut ranges: Vec<(i64, i64)> = found.collect::<Result<_, _>>()?;
    ranges.sort_unstable();
    let mut apart: Vec<(i64, i64)> = Vec::new();
    for (from, to) in ranges {
        match apart.last_mut() {
            Some((_, last)) if from <= *last + 1 => *last = to.max(*last),
            _ => apart.push((from, to)),
        }
    }
    Ok(apart)
}

/// Gives the rows between two that pass to `take`, up to `limit`.
pub(super) fn select(
    connection: &Connection,
    filter: &Filter,
    (from, to): (i64, i64),
    order: &str,
    limit: usize,
    mut take: impl FnMut(Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (since, until) = (filter.since_ms.map(sums::column), filter.until_ms.map(sums::column));
    let mut sql = format!("SELECT {COLUMNS} FROM exchanges WHERE row BETWEEN ?1 AND ?2");
    let mut values: Vec<&dyn ToSql> = vec![&from, &to, &limit];
    for (column, value) in filter.equal() {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {column} = ?{}", values.len());
        }
    }
    for (condition, value) in [("at_ms >=", &since), ("at_ms <", &until)] {
        if let Some(value) = value {
            values.push(value);
            sql += &format!(" AND {condition} ?{}", values.len());
        }
    }
    sql += &format!(" ORDER BY row {order} LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        take(Row::read(row)?)?;
    }
    Ok(())
}
