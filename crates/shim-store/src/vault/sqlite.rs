//! The vault in a SQLite file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use shim_policy::vault::Name;

use super::writer::Writer;
use super::{Entry, VaultLimits, VaultStore};
use crate::{StoreError, private};

/// The schema, and its number.
const SCHEMA: i64 = 1;
const TABLES: &str = "
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_age ON entries (at_ms);
    CREATE TABLE names (
        name BLOB PRIMARY KEY,
        entry INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX names_by_entry ON names (entry);
";

/// `vault.db` in a store's folder: written by one thread in group commits, read by whoever may wait.
///
/// What the last moments before a power failure wrote may be lost, which a conversation survives; an end of the process,
/// however sudden, loses nothing that was written.
#[derive(Debug)]
pub struct SqliteVault {
    reader: Mutex<Connection>,
    writer: Writer,
    limits: VaultLimits,
}

impl SqliteVault {
    /// Opens `vault.db` in `folder`, making it where it is missing. Whose folder it is, `state.db` tells.
    ///
    /// # Errors
    /// When the folder cannot be made, or the file is no such database or of a newer schema.
    pub fn open(folder: &Path, limits: VaultLimits) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        private(folder).map_err(unusable)?;
        let path = folder.join("vault.db");
        let mut writer = Connection::open(&path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        writer.pragma_update(None, "journal_size_limit", 4 << 20)?;
        prepare(&mut writer)?;
        let reader = Connection::open(&path)?;
        for connection in [&writer, &reader] {
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            connection.pragma_update(None, "cache_size", -1024)?;
        }
        reader.pragma_update(None, "query_only", true)?;
        Ok(Self { reader: Mutex::new(reader), writer: Writer::start(writer, limits)?, limits })
    }
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA });
    }
    if found == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        transaction.commit()?;
    }
    Ok(())
}

impl VaultStore for SqliteVault {
    fn find(&self, names: &[Name], now_ms: u64) -> Result<Vec<Option<Arc<[u8]>>>, StoreError> {
        let since = i64::try_from(now_ms.saturating_sub(self.limits.age_ms_max)).unwrap_or(i64::MAX);
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "SELECT e.value FROM names n JOIN entries e ON e.id = n.entry WHERE n.name = ?1 AND e.at_ms >= ?2";
        let mut statement = reader.prepare_cached(sql)?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let value = statement.query_row(params![&name.0[..], since], |row| row.get::<_, Vec<u8>>(0));
            found.push(value.optional()?.map(Arc::from));
        }
        Ok(found)
    }

    fn keep(&self, entry: Entry) -> bool {
        self.writer.keep(entry)
    }

    fn flush(&self) {
        self.writer.flush();
    }

    fn lost(&self) -> u64 {
        self.writer.lost()
    }

    fn queue_bytes(&self) -> usize {
        self.writer.queue_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use shim_policy::vault::Name;

    use super::SqliteVault;
    use crate::StoreError;
    use crate::vault::{Entry, VaultLimits, VaultStore as _};

    fn name(number: u64) -> Name {
        let mut name = [7; 16];
        name[..8].copy_from_slice(&number.to_le_bytes());
        Name(name)
    }

    fn entry(names: &[u64], value: &[u8], at_ms: u64) -> Entry {
        Entry { names: names.iter().copied().map(name).collect(), value: Arc::from(value), at_ms }
    }

    #[track_caller]
    fn found(vault: &SqliteVault, number: u64, now_ms: u64) -> Option<Vec<u8>> {
        vault.flush();
        vault.find(&[name(number)], now_ms).unwrap().remove(0).map(|value| value.to_vec())
    }

    #[test]
    fn what_was_kept_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        {
            let vault = SqliteVault::open(folder.path(), VaultLimits::default()).unwrap();
            assert!(vault.keep(entry(&[1, 2], b"one", 5)));
            assert!(vault.keep(entry(&[2, 3], b"two", 6)));
        }
        let vault = SqliteVault::open(folder.path(), VaultLimits::default()).unwrap();
        let all: Vec<_> = (1..=4).map(|number| found(&vault, number, 7)).collect();
        // A name that comes again is the later entry's.
        assert_eq!(all, [Some(b"one".to_vec()), Some(b"two".to_vec()), Some(b"two".to_vec()), None]);
        assert_eq!(vault.lost(), 0);
    }

    #[test]
    fn a_flood_stays_within_the_bounds_and_the_oldest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let limits = VaultLimits { bytes_max: 256 << 10, ..VaultLimits::default() };
        let vault = SqliteVault::open(folder.path(), limits).unwrap();
        let value = [9; 1000];
        for number in 0..20_000 {
            while !vault.keep(entry(&[2 * number, 2 * number + 1], &value, number)) {
                vault.flush();
            }
        }
        assert_eq!(found(&vault, 2 * 19_999, 20_000), Some(value.to_vec()));
        assert_eq!(found(&vault, 0, 20_000), None);
        let file = std::fs::metadata(folder.path().join("vault.db")).unwrap().len();
        assert!(file < 2 * limits.bytes_max, "{file}");
        let held: i64 = vault
            .reader
            .lock()
            .unwrap()
            .query_row("SELECT sum(bytes) FROM entries", [], |row| row.get(0))
            .unwrap();
        assert!(u64::try_from(held).unwrap() <= limits.bytes_max);
        let names: i64 = vault
            .reader
            .lock()
            .unwrap()
            .query_row("SELECT count(*) FROM names WHERE entry NOT IN (SELECT id FROM entries)", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(names, 0);
    }

    #[test]
    fn what_is_too_old_is_not_found_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let limits = VaultLimits { age_ms_max: 100, ..VaultLimits::default() };
        let vault = SqliteVault::open(folder.path(), limits).unwrap();
        vault.keep(entry(&[1], b"old", 1_000));
        assert_eq!(found(&vault, 1, 1_100), Some(b"old".to_vec()));
        assert_eq!(found(&vault, 1, 1_101), None);
        vault.keep(entry(&[2], b"new", 2_000));
        assert_eq!(found(&vault, 1, 1_000), None);
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let vault = SqliteVault::open(folder.path(), VaultLimits::default()).unwrap();
        let value: Arc<[u8]> = Arc::from(vec![1; 17 << 20]);
        assert!(!vault.keep(Entry { names: vec![name(1)], value, at_ms: 1 }));
        assert_eq!((vault.lost(), found(&vault, 1, 1)), (1, None));
        // Until it is written, it waits; the connection that holds the file lets nothing be written.
        let holding = rusqlite::Connection::open(folder.path().join("vault.db")).unwrap();
        holding.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(vault.keep(entry(&[2], b"four", 1)));
        assert_eq!(vault.queue_bytes(), 4);
        holding.execute_batch("COMMIT").unwrap();
        assert_eq!((found(&vault, 2, 1), vault.queue_bytes()), (Some(b"four".to_vec()), 0));
    }

    #[test]
    fn a_file_of_a_newer_program_or_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        drop(SqliteVault::open(folder.path(), VaultLimits::default()).unwrap());
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let opened = SqliteVault::open(folder.path(), VaultLimits::default());
        assert!(matches!(opened, Err(StoreError::Newer { found: 99, known: 1 })));
        std::fs::write(&path, "not a database, surely not a database").unwrap();
        let _ = std::fs::remove_file(folder.path().join("vault.db-wal"));
        assert!(matches!(
            SqliteVault::open(folder.path(), VaultLimits::default()),
            Err(StoreError::Database(_))
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Against a map: the last entry of a name is found, whatever was kept, in any order.
        #[test]
        fn the_last_entry_of_a_name_is_found(writes in proptest::collection::vec((0_u64..8, 0_u64..8, any::<u8>()), 1..40)) {
            let folder = tempfile::tempdir().unwrap();
            let vault = SqliteVault::open(folder.path(), VaultLimits::default()).unwrap();
            let mut model = std::collections::HashMap::new();
            for (at, (a, b, value)) in writes.into_iter().enumerate() {
                vault.keep(entry(&[a, b], &[value], at as u64));
                model.insert(a, value);
                model.insert(b, value);
            }
            for number in 0..8 {
                prop_assert_eq!(found(&vault, number, 50), model.get(&number).map(|value| vec![*value]));
            }
        }
    }
}
