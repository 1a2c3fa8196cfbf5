//! The search: exchanges that hold words. It looks from the newest on, through what is indexed and a little of what is not,
//! and answers when its time is up, saying how far it came.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::body::Segments;
use super::read::{Cursor, Filter, Reader, ranges, select};
use super::row::Row;
use super::words::{Asked, Query, look};
use super::{schema, text};
use crate::StoreError;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// Words that a body or a fault must hold, all of them; `"a phrase"`, `begin*`.
    pub words: &'a str,
    /// Of which exchanges.
    pub filter: &'a Filter,
    /// Only of those before this place: the `next` of an earlier answer.
    pub before: Option<Cursor>,
    /// Most that are found.
    pub limit: usize,
    /// When to answer with what is found so far. What was begun is ended first: a part of a day's index, a few hundredths of
    /// a second, or a few tenths where the beginning of a word is that of very many.
    pub patience: Duration,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Searched {
    /// The exchanges, newest first.
    pub found: Vec<Found>,
    /// How many that may hold the words are not indexed yet and were not looked at.
    pub unindexed: u64,
    /// Where to go on, when enough were found or the time was up: what comes before was not looked at.
    pub next: Option<Cursor>,
}

/// An exchange that holds what was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its row.
    pub row: Row,
    /// Where it holds it.
    pub snippet: String,
}

impl Reader {
    /// Looks for exchanges. `None` where there is no word to look for.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn search(&self, search: &Search<'_>) -> Result<Option<Searched>, StoreError> {
        let Some(query) = Query::read(search.words) else { return Ok(None) };
        let until = Instant::now().checked_add(search.patience);
        let enough = || until.is_some_and(|until| Instant::now() >= until);
        let mut searched = Searched::default();
        let mut days = self.days()?.into_iter().rev().filter(|day| search.filter.has(*day)).peekable();
        while let Some(day) = days.next() {
            let before = match search.before {
                Some(before) if before.day < day => continue,
                Some(before) if before.day == day => before.row,
                _ => i64::MAX,
            };
            let Some(source) = schema::read(&day.file(&self.folder))? else { continue };
            let ranges = ranges(&source, search.filter)?;
            let asked = Asked { query: &query, filter: search.filter, ranges: &ranges, before };
            let (mut segments, found) = (Segments::default(), &mut searched.found);
            let take = |number| {
                select(&source, search.filter, (number, number), "ASC", 1, |row| {
                    let snippet = snippet(&source, &mut segments, &row, &query.terms)?;
                    found.push(Found { row, snippet });
                    Ok(())
                })?;
                Ok(found.len() < search.limit && !enough())
            };
            let looked = look(&self.folder, day, &source, &asked, take, enough)?;
            searched.unindexed += looked.unindexed;
            if let Some(row) = looked.stopped {
                searched.next = (row > 1 || days.peek().is_some()).then_some(Cursor { day, row });
                break;
            }
        }
        Ok(Some(searched))
    }
}

fn snippet(
    connection: &Connection,
    segments: &mut Segments,
    row: &Row,
    terms: &[String],
) -> Result<String, StoreError> {
    let detail = row.detail.as_deref();
    let Some(place) = &row.place else { return Ok(text::snippet(detail.unwrap_or(""), terms)) };
    Ok(match segments.bodies(connection, place)? {
        Ok((request, answer)) => text::snippet(&text::words(request, answer, detail), terms),
        Err(_) => text::snippet(detail.unwrap_or(""), terms),
    })
}
