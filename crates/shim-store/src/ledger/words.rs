//! Full-text search over recorded bodies and faults. The index of a day is a file of its own, filled in the writer's idle
//! time or by whoever searches first: recording never waits for it, and it can be thrown away.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::body::Segments;
use super::day::{Day, remove};
use super::row::place;
use super::{schema, text};
use crate::StoreError;

const SCHEMA: &str = "
    CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
    CREATE TABLE progress (row INTEGER NOT NULL) STRICT;
    INSERT INTO progress VALUES (0);
";

/// The schema's number; a file of another is made anew.
const VERSION: i64 = 1;

/// Rows indexed in one transaction.
const CHUNK: i64 = 256;

/// Opens the index of `day`, making it where it is missing.
fn open(folder: &Path, day: Day) -> Result<Connection, StoreError> {
    let file = day.words_file(folder);
    match prepared(&file) {
        Err(error) if schema::trouble(&error) == schema::Trouble::Damaged => {
            // Nothing in it is not also in the day's own file.
            remove(&file).map_err(|source| StoreError::Folder { path: file.clone(), source })?;
            prepared(&file)
        }
        made => made,
    }
}

fn prepared(file: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    Ok(connection)
}

/// Indexes rows of `day` until all are, or `until` asks to stop; whether all are.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn index(folder: &Path, day: Day, until: impl Fn() -> bool) -> Result<bool, StoreError> {
    let Some(source) = schema::read(&day.file(folder))? else { return Ok(true) };
    let mut words = open(folder, day)?;
    loop {
        if chunk(&source, &mut words)? == 0 {
            return Ok(true);
        }
        if until() {
            return Ok(false);
        }
    }
}

/// Indexes the next rows; how many there were.
fn chunk(source: &Connection, words: &mut Connection) -> Result<usize, StoreError> {
    let transaction = words.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: i64 = transaction.query_row("SELECT row FROM progress", [], |row| row.get(0))?;
    let (mut count, mut last, mut segments) = (0, done, Segments::default());
    {
        let sql = "SELECT row, detail, segment, body_at, request_kept, answer_kept FROM exchanges \
                   WHERE row > ?1 ORDER BY row LIMIT ?2";
        let mut rows = source.prepare_cached(sql)?;
        let mut rows = rows.query([done, CHUNK])?;
        let mut insert = transaction.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
        while let Some(row) = rows.next()? {
            (count, last) = (count + 1, row.get(0)?);
            let detail: Option<String> = row.get(1)?;
            let text = match place(row, 2)? {
                Some(place) => match segments.bodies(source, &place)? {
                    Ok((request, answer)) => text::words(request, answer, detail.as_deref()),
                    Err(_) => detail.unwrap_or_default(),
                },
                None => detail.unwrap_or_default(),
            };
            if !text.trim().is_empty() {
                insert.execute(params![last, text])?;
            }
        }
    }
    transaction.execute("UPDATE progress SET row = ?1", [last])?;
    transaction.commit()?;
    Ok(count)
}

/// Forgets the words of rows before `first`, whose bodies are gone.
///
/// # Errors
/// When the index cannot be written.
pub(super) fn forget(folder: &Path, day: Day, first: i64) -> Result<(), StoreError> {
    if day.words_file(folder).exists() {
        open(folder, day)?.execute("DELETE FROM words WHERE rowid < ?1", [first])?;
    }
    Ok(())
}

/// Words to look for, as FTS5 reads them: each word as it is, words in quotes as a phrase, `*` behind one for its
/// beginning. `None` where there is no word.
pub(super) fn query(words: &str) -> Option<(String, Vec<String>)> {
    let mut terms = Vec::new();
    for (n, part) in words.split('"').enumerate() {
        if n % 2 == 1 {
            terms.push(part.trim().to_owned());
        } else {
            terms.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    terms.retain(|term| term.chars().any(char::is_alphanumeric));
    if terms.is_empty() {
        return None;
    }
    let quoted = terms.iter().map(|term| match term.strip_suffix('*') {
        Some(beginning) => format!("\"{beginning}\"*"),
        None => format!("\"{term}\""),
    });
    let query = quoted.collect::<Vec<_>>().join(" AND ");
    Some((query, terms.iter().map(|term| term.trim_end_matches('*').to_lowercase()).collect()))
}

/// Rows of `day` that hold what `query` asks for, newest first; `take` says whether to go on.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn search(
    folder: &Path,
    day: Day,
    query: &str,
    mut take: impl FnMut(i64) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let connection = open(folder, day)?;
    let sql = "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([query])?;
    while let Some(row) = rows.next()? {
        if !take(row.get(0)?)? {
            break;
        }
    }
    Ok(())
}

/// How many rows of a day are indexed, of how many.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn progress(folder: &Path, day: Day) -> Result<(i64, i64), StoreError> {
    let Some(source) = schema::read(&day.file(folder))? else { return Ok((0, 0)) };
    let all = source.query_row("SELECT coalesce(max(row), 0) FROM exchanges", [], |row| row.get(0))?;
    if !day.words_file(folder).exists() {
        return Ok((0, all));
    }
    let done = open(folder, day)?.query_row("SELECT row FROM progress", [], |row| row.get(0)).optional()?;
    Ok((done.unwrap_or(0), all))
}

/// A stop at a time.
pub(super) fn at(until: Instant) -> impl Fn() -> bool {
    move || Instant::now() >= until
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn words_are_read_as_they_are() {
        let ask = |words: &str| query(words).map(|(query, _)| query);
        assert_eq!(ask("two words").as_deref(), Some("\"two\" AND \"words\""));
        assert_eq!(ask("a \"whole phrase\" b*").as_deref(), Some("\"a\" AND \"whole phrase\" AND \"b\"*"));
        assert_eq!(
            ask("NOT (x) OR -y: \"open").as_deref(),
            Some("\"NOT\" AND \"(x)\" AND \"OR\" AND \"-y:\" AND \"open\"")
        );
        assert_eq!(ask(" \"\" * - "), None);
    }
}
