//! The tables of a day's file, and how it is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::sums;
use crate::StoreError;

/// Newest schema known here; a migration for each step up to it. `{sums}` stands for the columns of sums.
const MIGRATIONS: [&str; 3] = [DAY, TERMS, SHARED];

/// What an answer is priced by beside its tokens; NULL in rows that an older program wrote.
const TERMS: &str = "
    ALTER TABLE exchanges ADD COLUMN service TEXT;
    ALTER TABLE exchanges ADD COLUMN region TEXT;
    ALTER TABLE exchanges ADD COLUMN searches INTEGER;
    ALTER TABLE exchanges ADD COLUMN complete INTEGER;
    ALTER TABLE exchanges ADD COLUMN stated INTEGER;
    ALTER TABLE exchanges ADD COLUMN failures INTEGER;
";

/// The schema that has them.
const WITH_TERMS: i64 = 2;

/// Bodies may begin like others of their segment: nothing to change, but programs that do not know of it cannot read those.
const SHARED: &str = "";

/// The rows of a file that has not come that far, as they are read.
const WITHOUT_TERMS: &str = "
    CREATE TEMP VIEW exchanges AS SELECT *, NULL AS service, NULL AS region, NULL AS searches, NULL AS complete,
        NULL AS stated, NULL AS failures FROM main.exchanges;
";

const DAY: &str = "
    CREATE TABLE exchanges (
        row INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        dialect TEXT NOT NULL,
        operation TEXT NOT NULL,
        key TEXT,
        team TEXT,
        model TEXT NOT NULL,
        target TEXT,
        attempts INTEGER NOT NULL,
        status INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT,
        fault TEXT,
        detail TEXT,
        streamed INTEGER NOT NULL,
        input_uncached INTEGER,
        input_audio INTEGER,
        cache_read INTEGER,
        cache_write INTEGER,
        cache_write_1h INTEGER,
        output_text INTEGER,
        reasoning INTEGER,
        output_audio INTEGER,
        output_image INTEGER,
        cost INTEGER,
        unknown INTEGER NOT NULL,
        basis TEXT,
        finish TEXT,
        losses TEXT,
        failed TEXT,
        request_bytes INTEGER,
        answer_bytes INTEGER,
        first_token_us INTEGER,
        duration_us INTEGER,
        client_id TEXT,
        record TEXT NOT NULL,
        segment INTEGER,
        body_at INTEGER,
        request_kept INTEGER,
        answer_kept INTEGER,
        cut INTEGER,
        charged INTEGER
    ) STRICT;
    CREATE INDEX exchanges_client_id ON exchanges (client_id) WHERE client_id IS NOT NULL;
    CREATE TABLE segments (
        segment INTEGER PRIMARY KEY,
        first_row INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT;
    CREATE TABLE open (
        id BLOB PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        key TEXT,
        model TEXT NOT NULL,
        reserved INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sums (
        hour INTEGER NOT NULL,
        key TEXT NOT NULL,
        team TEXT NOT NULL,
        model TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        {sums},
        PRIMARY KEY (hour, key, team, model, target, outcome)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE feedback (
        feedback INTEGER PRIMARY KEY,
        exchange BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        key TEXT,
        score REAL,
        value INTEGER,
        label TEXT,
        correction TEXT,
        comment TEXT
    ) STRICT;
    CREATE INDEX feedback_exchange ON feedback (exchange);
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('admitted', 0), ('doubled', 0), ('lost', 0), ('closed', 1);
";

/// How long a connection waits for another's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Pages of a write-ahead log before it is copied into the file.
const CHECKPOINT_PAGES: u32 = 4000;

/// Opens a day's file to write it, making it where it is missing.
///
/// # Errors
/// When it is no such file, of a newer schema, or the disk refuses.
pub(super) fn open(file: &Path, strict: bool) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(32);
    // Only before the first table: afterwards it would take a rewriting of the file.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if strict { "FULL" } else { "NORMAL" })?;
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found == known {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    let columns = sums::VALUES.map(|name| format!("{name} INTEGER NOT NULL")).join(", ");
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(&migration.replace("{sums}", &columns))?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Opens a day's file to read it; `None` where there is none, or nothing in it yet. It may be written meanwhile.
///
/// # Errors
/// When it is no such file, of a newer schema, or cannot be read.
pub(super) fn read(file: &Path) -> Result<Option<Connection>, StoreError> {
    if !file.exists() {
        return Ok(None);
    }
    let connection = reading(file)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match version(&connection)? {
        0 => Ok(None),
        found if found > known => Err(StoreError::Newer { found, known }),
        found => {
            if found < WITH_TERMS {
                complete(&connection)?;
            }
            Ok(Some(connection))
        }
    }
}

/// Lays over the rows of an older file what they lack, for this connection.
fn complete(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "query_only", false)?;
    connection.execute_batch(WITHOUT_TERMS)?;
    connection.pragma_update(None, "query_only", true)
}

/// A connection that only reads.
///
/// # Errors
/// When there is no such file, or it is damaged.
pub(super) fn reading(file: &Path) -> Result<Connection, StoreError> {
    // Readers, too, may have to make the index of the write-ahead log that a killed process left.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4096)?;
    Ok(connection)
}

/// The schema's number of a file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// A number of the file's own.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let value: i64 = connection.prepare_cached(sql)?.query_row([name], |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// Files up to this size are checked whole when they were not closed.
const CHECKED_BYTES_MAX: u64 = 256 << 20;

/// Looks for damage in a file that is to be written to: all of it where it was not closed and is not too large, else
/// what was written last, where a torn page would be.
///
/// # Errors
/// With SQLite's word for damage.
pub(super) fn check(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let closed = meta(connection, "closed")? == 1;
    if !closed && bytes <= CHECKED_BYTES_MAX {
        return sound(connection);
    }
    let mut touched = 0;
    for sql in [
        "SELECT length(id), length(model), coalesce(length(detail), 0) FROM exchanges ORDER BY row DESC LIMIT 256",
        "SELECT length(quote(data)), 0, 0 FROM segments ORDER BY segment DESC LIMIT 4",
        "SELECT count(*), 0, 0 FROM (SELECT id FROM exchanges ORDER BY id DESC LIMIT 256)",
        "SELECT count(*), sum(requests), sum(last_row) FROM sums",
        "SELECT count(*), 0, 0 FROM open",
        "SELECT count(*), 0, 0 FROM feedback",
        "SELECT count(*), sum(value), 0 FROM meta",
    ] {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            touched += row.get::<_, Option<i64>>(0)?.unwrap_or(0);
        }
    }
    tracing::trace!(touched, "the end of a ledger file was read");
    if bytes <= QUICK_BYTES_MAX { sound(connection) } else { Ok(()) }
}

/// Files up to this size are always checked whole: it takes less than a tenth of a second.
const QUICK_BYTES_MAX: u64 = 32 << 20;

/// Checks the whole file.
///
/// # Errors
/// With SQLite's word for damage.
pub(super) fn sound(connection: &Connection) -> rusqlite::Result<()> {
    let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if told == "ok" {
        return Ok(());
    }
    let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damaged, Some(told)))
}

/// Gives the disk the room back that is free in a file.
///
/// # Errors
/// When the disk refuses.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    // It frees a page with every step.
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    drop(freed);
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk does not take it just now: it may later.
    Disk,
    /// The file is damaged.
    Damaged,
    /// It will not be taken later either.
    Other,
}

/// What kind of trouble `error` is.
pub(super) fn trouble(error: &StoreError) -> Trouble {
    use rusqlite::ErrorCode;
    let StoreError::Database(error) = error else {
        return match error {
            StoreError::Folder { .. } => Trouble::Disk,
            StoreError::Damaged { .. } => Trouble::Damaged,
            _ => Trouble::Other,
        };
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => Trouble::Disk,
        _ => Trouble::Other,
    }
}
