//! The index of a day's words: a file of parts, each an FTS5 table over some ten thousand rows. A part is small enough that
//! no question to it takes long, and goes whole when its bodies go. What was put into it a little at a time is merged once
//! it is full.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::super::body::Segments;
use super::super::day::{Day, remove};
use super::super::read::end;
use super::super::row::place;
use super::super::{schema, text};
use super::query::mark;
use crate::StoreError;

const SCHEMA: &str = "
    CREATE TABLE parts (
        part INTEGER PRIMARY KEY,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        chunks INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE progress (row INTEGER NOT NULL) STRICT;
    INSERT INTO progress VALUES (0);
";

/// The schema's number; a file of an older one is made anew.
const VERSION: i64 = 3;

/// A part is full with so many rows.
const PART_ROWS: i64 = 32_768;

/// A part is full with so many bytes of words.
const PART_BYTES: i64 = 16 << 20;

/// Most rows indexed in one transaction.
const CHUNK_ROWS: i64 = 4096;

/// A full part of more chunks than this is merged: a question goes to each of them.
const CHUNKS_MAX: i64 = 16;

/// How much is merged in one transaction, in pages of 4 KB.
const MERGE_PAGES: i64 = 64;

/// How much is indexed in one transaction.
#[derive(Clone, Copy)]
pub(super) struct Most<'a> {
    /// No further row is taken when there are so many bytes of words. What it takes of memory is a few times that.
    bytes: usize,
    /// Asked after every row: whether to take another.
    on: &'a dyn Fn() -> bool,
}

impl<'a> Most<'a> {
    /// As much as is quickest, while `on` says so.
    pub(super) fn much(on: &'a dyn Fn() -> bool) -> Self {
        Self { bytes: 2 << 20, on }
    }

    /// Some milliseconds' worth.
    pub(super) fn little() -> Self {
        Self { bytes: 128 << 10, on: &|| true }
    }
}

/// A part of a day's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    number: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    bytes: i64,
    /// How many transactions filled it, or 1 when it was merged since.
    chunks: i64,
}

impl Part {
    /// Its table.
    pub(super) fn table(&self) -> String {
        format!("words{}", self.number)
    }

    fn is_full(&self) -> bool {
        self.last - self.first + 1 >= PART_ROWS || self.bytes >= PART_BYTES
    }
}

/// Opens the index of `day`, making it where it is missing, old or damaged: nothing in it is not also in the day's own file.
fn open(folder: &Path, day: Day) -> Result<Connection, StoreError> {
    let file = day.words_file(folder);
    match prepared(&file) {
        Err(error) if schema::trouble(&error) == schema::Trouble::Damaged => {
            remove(&file).map_err(|source| StoreError::Folder { path: file.clone(), source })?;
            prepared(&file)
        }
        made => made,
    }
}

fn prepared(file: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    // Only before the first table: afterwards it would take a rewriting of the file.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    match found {
        0 | VERSION => Ok(connection),
        found if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
        _ => Err(StoreError::Damaged { table: "words", row: 0, why: "it is of an older schema".to_owned() }),
    }
}

/// Opens the index of `day` to read it as it is now, without a wait for who writes it; `None` where there is none that can
/// be used.
///
/// # Errors
/// When it cannot be read, or is of a newer schema.
pub(super) fn read(folder: &Path, day: Day) -> Result<Option<Connection>, StoreError> {
    let file = day.words_file(folder);
    if !file.exists() {
        return Ok(None);
    }
    let connection = match schema::reading(&file) {
        Err(error) if schema::trouble(&error) == schema::Trouble::Damaged => return Ok(None),
        opened => opened?,
    };
    match schema::version(&connection)? {
        VERSION => {
            connection.execute_batch("BEGIN")?;
            Ok(Some(connection))
        }
        found if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
        _ => Ok(None),
    }
}

/// The last row that is indexed, or will never be.
pub(super) fn done(words: &Connection) -> rusqlite::Result<i64> {
    Ok(words.query_row("SELECT row FROM progress", [], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The parts of an index, the newest first.
pub(super) fn parts(words: &Connection) -> rusqlite::Result<Vec<Part>> {
    let sql = "SELECT part, first_row, last_row, bytes, chunks FROM parts ORDER BY part DESC";
    let mut statement = words.prepare(sql)?;
    let parts = statement.query_map([], |row| {
        Ok(Part {
            number: row.get(0)?,
            first: row.get(1)?,
            last: row.get(2)?,
            bytes: row.get(3)?,
            chunks: row.get(4)?,
        })
    })?;
    parts.collect()
}

/// Indexes rows of `day` until all are, or `until` asks to stop; whether all are.
///
/// # Errors
/// When a file cannot be read or written.
pub(in super::super) fn index(folder: &Path, day: Day, until: impl Fn() -> bool) -> Result<bool, StoreError> {
    loop {
        if chunk(folder, day, Most::much(&|| true))? == Worked::Nothing {
            return Ok(true);
        }
        if until() {
            return Ok(false);
        }
    }
}

/// What there was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worked {
    /// Nothing.
    Nothing,
    /// Some was done, and there is more.
    Some,
    /// It was done.
    All,
}

/// Indexes the next rows of `day`, so many of them.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn chunk(folder: &Path, day: Day, most: Most<'_>) -> Result<Worked, StoreError> {
    let Some(source) = schema::read(&day.file(folder))? else { return Ok(Worked::Nothing) };
    let mut words = open(folder, day)?;
    let transaction = words.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = done(&transaction)?;
    if end(&source)? <= done {
        return Ok(Worked::Nothing);
    }
    let mut part = match parts(&transaction)?.first() {
        Some(part) if !part.is_full() => *part,
        newest => make(&transaction, newest.map_or(1, |part| part.number + 1), done + 1)?,
    };
    let room = (done + 1, part.first + PART_ROWS - 1);
    let filled = fill(&source, &transaction, &part.table(), room, most)?;
    (part.last, part.bytes) = (filled.last, part.bytes.saturating_add(filled.bytes));
    let sql = "UPDATE parts SET last_row = ?2, bytes = ?3, chunks = chunks + 1 WHERE part = ?1";
    transaction.execute(sql, params![part.number, part.last, part.bytes])?;
    transaction.execute("UPDATE progress SET row = ?1", [filled.last])?;
    transaction.commit()?;
    Ok(if filled.last < end(&source)? { Worked::Some } else { Worked::All })
}

fn make(words: &Connection, number: i64, first: i64) -> rusqlite::Result<Part> {
    let part = Part { number, first, last: first - 1, bytes: 0, chunks: 0 };
    table(words, &part.table())?;
    let sql = "INSERT INTO parts (part, first_row, last_row, bytes, chunks) VALUES (?1, ?2, ?3, 0, 0)";
    words.execute(sql, [number, part.first, part.last])?;
    Ok(part)
}

/// Merges a full part of `day` that was filled a little at a time, while `on` says so.
///
/// # Errors
/// When the index cannot be read or written.
pub(super) fn merge(folder: &Path, day: Day, on: &dyn Fn() -> bool) -> Result<Worked, StoreError> {
    let Some(words) = read(folder, day)? else { return Ok(Worked::Nothing) };
    let many = |part: &Part| part.is_full() && part.chunks > CHUNKS_MAX;
    let Some(part) = parts(&words)?.into_iter().find(many) else { return Ok(Worked::Nothing) };
    drop(words);
    let words = open(folder, day)?;
    let table = part.table();
    let sql = format!("INSERT INTO {table} ({table}, rank) VALUES ('merge', ?1)");
    // What was begun is gone on with. Source: <https://sqlite.org/fts5.html#the_merge_command>, read 2026-11-26.
    let mut step = words.prepare(&sql)?;
    while on() {
        let before = words.total_changes();
        step.execute([-MERGE_PAGES])?;
        if words.total_changes() - before < 2 {
            words.execute("UPDATE parts SET chunks = 1 WHERE part = ?1", [part.number])?;
            break;
        }
    }
    Ok(Worked::Some)
}

/// Makes a table of words. What a transaction adds is sorted once, in memory, and not merged with what was there: half of
/// FTS5's time would go into that (33 µs against 63 µs of 80 words, 2026-11-26), and a part is small.
pub(super) fn table(words: &Connection, table: &str) -> rusqlite::Result<()> {
    words.execute_batch(&format!(
        "CREATE VIRTUAL TABLE {table} USING fts5(text, of, content='', columnsize=0, \
            tokenize='unicode61 remove_diacritics 2');
         INSERT INTO {table} ({table}, rank) VALUES ('automerge', 0);
         INSERT INTO {table} ({table}, rank) VALUES ('crisismerge', 1999);
         INSERT INTO {table} ({table}, rank) VALUES ('hashsize', 67108864);"
    ))
}

/// What was put into a table.
pub(super) struct Filled {
    /// The last row there was.
    pub(super) last: i64,
    /// Bytes of words.
    bytes: i64,
}

/// Puts the words of the rows from `first` to `last` into `table`, as many as one transaction takes.
pub(super) fn fill(
    source: &Connection,
    words: &Connection,
    table: &str,
    (first, last): (i64, i64),
    most: Most<'_>,
) -> rusqlite::Result<Filled> {
    let last = last.min(first.saturating_add(CHUNK_ROWS - 1)).min(end(source)?);
    // Where usage alone is kept, hardly any row has words.
    let sql = "SELECT row, detail, segment, body_at, request_kept, answer_kept, key, team, model, target, outcome \
               FROM exchanges WHERE row BETWEEN ?1 AND ?2 AND (segment IS NOT NULL OR detail IS NOT NULL) ORDER BY row";
    let mut statement = source.prepare_cached(sql)?;
    let mut rows = statement.query([first, last])?;
    let mut insert = words.prepare(&format!("INSERT INTO {table} (rowid, text, of) VALUES (?1, ?2, ?3)"))?;
    let (mut filled, mut bytes, mut segments) = (last, 0, Segments::default());
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let detail: Option<String> = row.get(1)?;
        let text = match place(row, 2)? {
            Some(place) => match segments.bodies(source, &place)? {
                Ok((request, answer)) => text::words(request, answer, detail.as_deref()),
                Err(_) => detail.unwrap_or_default(),
            },
            None => detail.unwrap_or_default(),
        };
        if !text.trim().is_empty() {
            insert.execute(params![number, text, marks(row, 6)?])?;
        }
        bytes += text.len();
        if bytes >= most.bytes || !(most.on)() {
            filled = number;
            break;
        }
    }
    Ok(Filled { last: filled, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) })
}

/// The words that say whose an exchange is: of the five columns from `from` on, in the order of a filter's names.
fn marks(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<String> {
    let mut marks = Vec::with_capacity(5);
    for n in 0..5 {
        let name = row.get_ref(from + n)?.as_str_or_null()?;
        marks.extend(name.map(|name| mark(n, name)));
    }
    Ok(marks.join(" "))
}

/// Forgets the words of rows before `first`, whose bodies are gone, and gives the disk their room back.
///
/// # Errors
/// When the index cannot be written.
pub(in super::super) fn forget(folder: &Path, day: Day, first: i64) -> Result<(), StoreError> {
    if !day.words_file(folder).exists() {
        return Ok(());
    }
    let mut words = open(folder, day)?;
    let transaction = words.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for part in parts(&transaction)?.iter().filter(|part| part.last < first) {
        transaction.execute_batch(&format!("DROP TABLE {}", part.table()))?;
        transaction.execute("DELETE FROM parts WHERE part = ?1", [part.number])?;
    }
    transaction.execute("UPDATE parts SET first_row = ?1 WHERE first_row < ?1", [first])?;
    transaction.execute("UPDATE progress SET row = max(row, ?1 - 1)", [first])?;
    transaction.commit()?;
    schema::give_back(&words)?;
    Ok(())
}

/// How many rows of a day are indexed, of how many.
///
/// # Errors
/// When a file cannot be read.
pub(in super::super) fn progress(folder: &Path, day: Day) -> Result<(i64, i64), StoreError> {
    let Some(source) = schema::read(&day.file(folder))? else { return Ok((0, 0)) };
    let all = end(&source)?;
    let done = read(folder, day)?.map_or(Ok(0), |words| done(&words))?;
    Ok((done.min(all), all))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{CHUNKS_MAX, Most, PART_ROWS, Worked, chunk, merge, parts, read, remove};
    use crate::ledger::Day;
    use crate::ledger::tests::{DAY_MS, open, run, settings};

    #[test]
    fn what_was_indexed_a_little_at_a_time_is_merged_and_found_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&settings(folder.path()));
        run(&ledger, 0..u64::try_from(PART_ROWS + 10).unwrap());
        assert!(ledger.close(true));
        let (ledgers, day) = (settings(folder.path()).ledger(), Day::of_ms(DAY_MS));
        remove(&day.words_file(&ledgers)).unwrap();
        while chunk(&ledgers, day, Most { bytes: 16 << 10, on: &|| true }).unwrap() != Worked::Nothing {}
        let look = || {
            let words = read(&ledgers, day).unwrap().unwrap();
            let sql = "SELECT count(*), max(rowid) FROM words1 WHERE words1 MATCH ?1";
            let found = ["question", "number17", "number3*", "absent"].map(|query| {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                words.query_row::<(i64, Option<i64>), _, _>(sql, [query], row).unwrap()
            });
            let chunks: Vec<i64> = parts(&words).unwrap().iter().map(|part| part.chunks).collect();
            (found, chunks)
        };
        let (found, chunks) = look();
        assert_eq!((found[0].0, found[1], found[3]), (PART_ROWS, (1, Some(18)), (0, None)));
        assert!(chunks[1] > CHUNKS_MAX, "{chunks:?}");
        let steps = Cell::new(0);
        let twice = || steps.replace(steps.get() + 1) < 2;
        assert_eq!(merge(&ledgers, day, &twice).unwrap(), Worked::Some);
        assert_eq!(look(), (found, chunks.clone()), "it stopped half-way");
        assert_eq!(merge(&ledgers, day, &|| true).unwrap(), Worked::Some);
        assert_eq!(look(), (found, vec![chunks[0], 1]));
        assert_eq!(
            merge(&ledgers, day, &|| true).unwrap(),
            Worked::Nothing,
            "the part that is not full waits"
        );
    }
}
