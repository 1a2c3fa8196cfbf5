//! The store in a SQLite file.

mod keys;

use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::{Connection, params};
use shim_ir::{AliasName, Generation, TargetId};
use shim_policy::swap::{Step, StepKind};

use crate::{StateStore, StoreError, private};

/// Newest schema known here; a migration for each step up to it.
const MIGRATIONS: [&str; 3] = [SWAPS, keys::TABLE, keys::EXTRACTION];

const SWAPS: &str = "
    CREATE TABLE swap_steps (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        alias TEXT NOT NULL,
        kind TEXT NOT NULL,
        from_target TEXT NOT NULL,
        to_target TEXT NOT NULL
    ) STRICT;
    CREATE TABLE generations (
        number INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        hash TEXT NOT NULL,
        cause TEXT NOT NULL
    ) STRICT;
";

/// Generations kept; older rows only tell of long ago.
const GENERATIONS_MAX: u64 = 10_000;

/// The state file of a store's folder.
#[derive(Debug)]
pub struct SqliteState {
    connection: Connection,
    /// Held for as long as the store is open, where it is in a folder. The system lets go of it with the process.
    _lock: Option<File>,
}

impl SqliteState {
    /// Opens `state.db` in `folder`, making both where they are missing.
    ///
    /// # Errors
    /// When the folder cannot be made, is another process's store, or the file is no such database or of a newer schema.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        private(folder).map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        Self::prepare(Connection::open(folder.join("state.db"))?, Some(lock))
    }

    /// A store in memory, for a gateway without a folder.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, None)
    }

    fn prepare(mut connection: Connection, lock: Option<File>) -> Result<Self, StoreError> {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -256)?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        let transaction = connection.transaction()?;
        for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
        Ok(Self { connection, _lock: lock })
    }
}

impl StateStore for SqliteState {
    fn steps(&self) -> Result<Vec<Step>, StoreError> {
        let sql = "SELECT id, at_ms, alias, kind, from_target, to_target FROM swap_steps ORDER BY id";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            let columns: [String; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            steps.push(step(row.get(0)?, row.get(1)?, &columns)?);
        }
        Ok(steps)
    }

    fn append(&mut self, step: &Step) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO swap_steps (at_ms, alias, kind, from_target, to_target) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (from, to) = (step.from.to_string(), step.to.to_string());
        let at_ms = i64::try_from(step.at_ms).unwrap_or(i64::MAX);
        self.connection.execute(sql, params![at_ms, step.alias.as_str(), step.kind.name(), from, to])?;
        Ok(())
    }

    fn next_generation(&mut self, hash: &str, cause: &str, at_ms: u64) -> Result<Generation, StoreError> {
        let sql = "INSERT INTO generations (at_ms, hash, cause) VALUES (?1, ?2, ?3)";
        let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        self.connection.execute(sql, params![at_ms, hash, cause])?;
        let number = u64::try_from(self.connection.last_insert_rowid()).unwrap_or_default();
        let oldest = i64::try_from(number.saturating_sub(GENERATIONS_MAX)).unwrap_or_default();
        self.connection.execute("DELETE FROM generations WHERE number <= ?1", params![oldest])?;
        Ok(Generation(number))
    }
}

fn step(row: i64, at_ms: i64, columns: &[String; 4]) -> Result<Step, StoreError> {
    let [alias, kind, from, to] = columns;
    let damaged = |why: String| StoreError::Damaged { table: "swap_steps", row, why };
    Ok(Step {
        at_ms: u64::try_from(at_ms).map_err(|e| damaged(e.to_string()))?,
        alias: AliasName::new(alias).map_err(|e| damaged(e.to_string()))?,
        kind: StepKind::parse(kind).ok_or_else(|| damaged(format!("no kind of step \"{kind}\"")))?,
        from: TargetId::parse(from).map_err(|e| damaged(e.to_string()))?,
        to: TargetId::parse(to).map_err(|e| damaged(e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use shim_ir::{AliasName, Generation, TargetId};
    use shim_policy::swap::{Step, StepKind};

    use super::SqliteState;
    use crate::{StateStore, StoreError};

    fn step(to: &str, kind: StepKind) -> Step {
        Step {
            at_ms: 1_700_000_000_000,
            alias: AliasName::new("chat").unwrap(),
            from: TargetId::parse("lab/a").unwrap(),
            to: TargetId::parse(to).unwrap(),
            kind,
        }
    }

    #[test]
    fn what_was_appended_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let steps = [step("openrouter/meta/llama", StepKind::Committed), step("lab/a", StepKind::RolledBack)];
        {
            let mut store = SqliteState::open(&folder.path().join("new/folder")).unwrap();
            for step in &steps {
                store.append(step).unwrap();
            }
            assert_eq!(store.next_generation("aa", "start", 1).unwrap(), Generation(1));
        }
        let mut store = SqliteState::open(&folder.path().join("new/folder")).unwrap();
        assert_eq!(store.steps().unwrap(), steps);
        assert_eq!(store.next_generation("bb", "reload", 2).unwrap(), Generation(2));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_made_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("shim-data");
        SqliteState::open(&store).unwrap();
        assert_eq!(std::fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_store_is_one_process_s_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteState::open(folder.path()).unwrap();
        assert!(matches!(SqliteState::open(folder.path()), Err(StoreError::InUse(_))));
        drop(first);
        SqliteState::open(folder.path()).unwrap();
    }

    #[test]
    fn a_file_of_a_newer_program_or_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteState::open(folder.path()).unwrap();
        store.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(store);
        assert!(matches!(SqliteState::open(folder.path()), Err(StoreError::Newer { found: 99, .. })));
        std::fs::write(folder.path().join("state.db"), "not a database, surely not a database").unwrap();
        assert!(matches!(SqliteState::open(folder.path()), Err(StoreError::Database(_))));
    }

    #[test]
    fn a_damaged_row_is_told_of() {
        let store = SqliteState::in_memory().unwrap();
        let sql = "INSERT INTO swap_steps (at_ms, alias, kind, from_target, to_target) VALUES (1, 'a', 'x', 'p/m', 'p/m')";
        store.connection.execute(sql, []).unwrap();
        assert!(matches!(store.steps(), Err(StoreError::Damaged { row: 1, .. })));
    }
}
