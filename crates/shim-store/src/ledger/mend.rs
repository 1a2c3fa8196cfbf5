//! What becomes of a damaged file: it is set aside, never deleted, and what can be read of it goes into a new one.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::day::{Day, companions, remove};
use super::schema;
use super::sums;
use crate::StoreError;

/// What of a damaged file could be taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mended {
    /// Where the damaged file is now.
    pub(super) aside: PathBuf,
    /// Rows that were taken over.
    pub(super) rows: u64,
    /// Rows that cannot be read.
    pub(super) lost: u64,
}

/// Sets the file of `day` aside and makes a new one of what can be read of it.
///
/// # Errors
/// When the disk refuses.
pub(super) fn mend(folder: &Path, day: Day, at_ms: u64) -> Result<Mended, StoreError> {
    let file = day.file(folder);
    let aside = folder.join(format!("{day}.{at_ms}.damaged"));
    let unusable = |source| StoreError::Folder { path: file.clone(), source };
    for (from, to) in companions(&file).iter().zip(companions(&aside)) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
    }
    remove(&day.words_file(folder)).map_err(unusable)?;
    let connection = schema::open(&file, true)?;
    let mut mended = Mended { aside: aside.clone(), ..Mended::default() };
    // A file that is no database at all has nothing to give.
    let attached = connection.execute("ATTACH DATABASE ?1 AS hurt", [aside.to_string_lossy()]).is_ok();
    if attached {
        salvage(&connection, &mut mended)?;
        drop(connection.execute_batch("DETACH DATABASE hurt"));
    }
    Ok(mended)
}

/// Copies what can be read, table by table, and sums the rows up anew.
fn salvage(connection: &Connection, mended: &mut Mended) -> Result<(), StoreError> {
    let most = last(connection, "exchanges", "row").max(last(connection, "sums", "last_row"));
    copy(connection, "segments", "segment", 1, last(connection, "segments", "segment"));
    mended.rows = copy(connection, "exchanges", "row", 1, most);
    // Rows are numbered without gaps, so what is missing is known even where it cannot be read.
    mended.lost = u64::try_from(most).unwrap_or(0).saturating_sub(mended.rows);
    copy(connection, "feedback", "feedback", 1, last(connection, "feedback", "feedback"));
    drop(connection.execute_batch(
        "INSERT OR IGNORE INTO main.open SELECT * FROM hurt.open WHERE id NOT IN (SELECT id FROM main.exchanges)",
    ));
    renumber(connection)?;
    resum(connection)?;
    let admitted = "UPDATE meta SET value = (SELECT count(*) FROM exchanges) + (SELECT count(*) FROM open) \
                    WHERE name = 'admitted'";
    connection.execute(admitted, [])?;
    let lost = i64::try_from(mended.lost).unwrap_or(i64::MAX);
    count(connection, "lost", before(connection, "lost").saturating_add(lost))?;
    count(connection, "doubled", before(connection, "doubled"))?;
    Ok(())
}

/// A number the damaged file had counted, where it can be read.
fn before(connection: &Connection, name: &str) -> i64 {
    let sql = "SELECT value FROM hurt.meta WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).unwrap_or(0)
}

fn count(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<usize> {
    connection.execute("UPDATE main.meta SET value = ?2 WHERE name = ?1", rusqlite::params![name, value])
}

/// The largest number of a column, read from the end of its tree, or from its beginning where that is damaged.
fn last(connection: &Connection, table: &str, column: &str) -> i64 {
    let most = format!("SELECT coalesce(max({column}), 0) FROM hurt.{table}");
    if let Ok(most) = connection.query_row(&most, [], |row| row.get(0)) {
        return most;
    }
    let mut most = 0;
    let sql = format!("SELECT {column} FROM hurt.{table}");
    let Ok(mut statement) = connection.prepare(&sql) else { return 0 };
    let Ok(mut rows) = statement.query([]) else { return 0 };
    while let Ok(Some(row)) = rows.next() {
        most = most.max(row.get(0).unwrap_or(0));
    }
    most
}

/// Copies the rows from `from` to `to`, halving what cannot be copied until single rows are left; how many there were.
fn copy(connection: &Connection, table: &str, number: &str, from: i64, to: i64) -> u64 {
    if from > to {
        return 0;
    }
    let columns = columns(connection, table);
    let sql = format!(
        "INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM hurt.{table} WHERE {number} BETWEEN ?1 AND ?2"
    );
    if to - from < COPIED_MAX
        && let Ok(copied) = connection.execute(&sql, [from, to])
    {
        return copied as u64;
    }
    if from == to {
        return 0;
    }
    let middle = from + (to - from) / 2;
    copy(connection, table, number, from, middle) + copy(connection, table, number, middle + 1, to)
}

/// The columns of a damaged table: an older program's has fewer. All that are known, where they cannot be read.
fn columns(connection: &Connection, table: &str) -> String {
    let named = |schema: &str| {
        let sql = "SELECT group_concat(name) FROM pragma_table_info(?1, ?2)";
        connection.query_row(sql, [table, schema], |row| row.get::<_, Option<String>>(0)).ok().flatten()
    };
    named("hurt").or_else(|| named("main")).unwrap_or_default()
}

/// Most rows copied by one statement.
const COPIED_MAX: i64 = 4096;

/// Numbers the rows without gaps, in their order: the number of the last is their number.
fn renumber(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TEMP TABLE numbered AS SELECT row AS old, row_number() OVER (ORDER BY row) AS new FROM main.exchanges;
         UPDATE main.exchanges SET row = -(SELECT new FROM numbered WHERE old = row)
            WHERE row <> (SELECT new FROM numbered WHERE old = row);
         UPDATE main.exchanges SET row = -row WHERE row < 0;
         DROP TABLE numbered;",
    )
}

/// Makes the sums of the rows.
pub(super) fn resum(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM main.sums", [])?;
    let rows = sums::of_rows(connection)?;
    let mut batch = sums::Batch::default();
    rows.iter().for_each(|(of, sums)| batch.add(of.borrowed(), sums));
    batch.write(connection, 0).map(drop)
}
