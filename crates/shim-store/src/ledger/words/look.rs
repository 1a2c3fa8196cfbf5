//! Looking for words in a day, the newest rows first: in what is not indexed yet as far as that is quick, then part by part.

use std::path::Path;

use rusqlite::{Connection, params};

use super::super::day::Day;
use super::super::read::{Filter, end};
use super::index::{Most, done, fill, parts, read, table};
use super::query::Query;
use crate::StoreError;

/// Most rows that are looked at without an index.
const TAIL_ROWS: i64 = 1024;

/// Most bytes of bodies that are looked at without an index, but for one row.
const TAIL_BYTES: i64 = 1 << 20;

/// Rows that are not indexed and are looked at together, before it is asked whether to go on.
const PIECE_ROWS: i64 = 128;

/// What is looked for in a day.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Asked<'a> {
    pub(in super::super) query: &'a Query,
    pub(in super::super) filter: &'a Filter,
    /// Where rows that pass the filter are: apart from each other, in order.
    pub(in super::super) ranges: &'a [(i64, i64)],
    /// Only rows before this one.
    pub(in super::super) before: i64,
}

/// How far a look went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Looked {
    /// Rows that are not indexed yet and were not looked at.
    pub(in super::super) unindexed: u64,
    /// Where it was told to stop: no row before this one was looked at.
    pub(in super::super) stopped: Option<i64>,
}

/// Rows of `day` that hold what is asked for, newest first. `take` is given each and says whether to go on; `enough` says
/// between two parts whether to stop there.
///
/// # Errors
/// When a file cannot be read, or `take` fails.
pub(in super::super) fn look(
    folder: &Path,
    day: Day,
    source: &Connection,
    asked: &Asked<'_>,
    mut take: impl FnMut(i64) -> Result<bool, StoreError>,
    enough: impl Fn() -> bool,
) -> Result<Looked, StoreError> {
    let mut looked = Looked::default();
    let words = read(folder, day)?;
    let indexed = words.as_ref().map_or(Ok(0), done)?;
    let last = end(source)?.min(asked.before - 1);
    if indexed < last && asked.within(indexed + 1, last).is_some() {
        let from = tail(source, indexed, last)?;
        looked.stopped = look_at(source, asked, (from, last), &mut take, &enough)?;
        if looked.stopped.is_none() {
            looked.unindexed = asked.rows(indexed + 1, from - 1);
        }
    }
    let Some(words) = words.filter(|_| looked.stopped.is_none()) else { return Ok(looked) };
    for part in parts(&words)?.iter().filter(|part| part.first <= last) {
        let stopped = rows(&words, &part.table(), asked, (part.first, part.last.min(last)), &mut take)?;
        looked.stopped = stopped.or_else(|| enough().then_some(part.first));
        if looked.stopped.is_some() {
            break;
        }
    }
    Ok(looked)
}

/// The table of what is not indexed yet.
const TAIL: &str = "tail";

/// The first of the rows behind `indexed`, up to `last`, that are looked at without an index.
fn tail(source: &Connection, indexed: i64, last: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT row, coalesce(request_kept, 0) + coalesce(answer_kept, 0) FROM exchanges \
               WHERE row > ?1 AND row <= ?2 ORDER BY row DESC LIMIT ?3";
    let mut statement = source.prepare(sql)?;
    let mut rows = statement.query(params![indexed, last, TAIL_ROWS])?;
    let (mut from, mut bytes) = (last, 0i64);
    while let Some(row) = rows.next()? {
        bytes = bytes.saturating_add(row.get(1)?);
        if bytes > TAIL_BYTES {
            break;
        }
        from = row.get(0)?;
    }
    Ok(from)
}

/// Looks at the rows from `first` to `last`, which are not indexed, some at a time; where that stopped.
fn look_at(
    source: &Connection,
    asked: &Asked<'_>,
    (first, last): (i64, i64),
    take: &mut impl FnMut(i64) -> Result<bool, StoreError>,
    enough: &impl Fn() -> bool,
) -> Result<Option<i64>, StoreError> {
    let mut last = last;
    while last >= first {
        let from = first.max(last - PIECE_ROWS + 1);
        let memory = gathered(source, from, last)?;
        let stopped = rows(&memory, TAIL, asked, (from, last), take)?.or_else(|| enough().then_some(from));
        if stopped.is_some() {
            return Ok(stopped);
        }
        last = from - 1;
    }
    Ok(None)
}

/// An index in memory of the rows from `from` to `last`: what is not indexed yet is found by the same rules.
fn gathered(source: &Connection, from: i64, last: i64) -> rusqlite::Result<Connection> {
    let memory = Connection::open_in_memory()?;
    table(&memory, TAIL)?;
    let mut first = from;
    while first <= last {
        let filled = fill(source, &memory, TAIL, (first, last), Most::much(&|| true))?;
        if filled.last < first {
            break;
        }
        first = filled.last + 1;
    }
    Ok(memory)
}

/// Gives the rows of a table that hold what is asked for to `take`, newest first; where that stopped.
fn rows(
    words: &Connection,
    table: &str,
    asked: &Asked<'_>,
    (first, last): (i64, i64),
    take: &mut impl FnMut(i64) -> Result<bool, StoreError>,
) -> Result<Option<i64>, StoreError> {
    let Some((first, last)) = asked.within(first, last) else { return Ok(None) };
    let sql = format!(
        "SELECT rowid FROM {table} WHERE {table} MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC"
    );
    let mut statement = words.prepare(&sql)?;
    if let Some(quick) = asked.query.quick(asked.filter)
        && !statement.exists(params![quick, first, last])?
    {
        return Ok(None);
    }
    let mut rows = statement.query(params![asked.query.expression(asked.filter), first, last])?;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        if asked.has(number) && !take(number)? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

impl Asked<'_> {
    /// What of the rows from `first` to `last` may pass the filter; `None` where none does.
    fn within(&self, first: i64, last: i64) -> Option<(i64, i64)> {
        let overlapping = || self.ranges.iter().filter(|(from, to)| *from <= last && *to >= first);
        let from = overlapping().next()?.0.max(first);
        let to = overlapping().next_back()?.1.min(last);
        (from <= to).then_some((from, to))
    }

    /// How many of the rows from `first` to `last` may pass the filter.
    fn rows(&self, first: i64, last: i64) -> u64 {
        let overlap = |(from, to): &(i64, i64)| (*to).min(last).saturating_sub((*from).max(first)) + 1;
        self.ranges.iter().map(overlap).filter_map(|rows| u64::try_from(rows).ok()).sum()
    }

    fn has(&self, row: i64) -> bool {
        let at = self.ranges.partition_point(|(_, to)| *to < row);
        self.ranges.get(at).is_some_and(|(from, _)| *from <= row)
    }
}
