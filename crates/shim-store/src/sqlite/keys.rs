//! The keys that the gateway made, as rows. Of a secret there is the hash alone.

use rusqlite::types::Type;
use rusqlite::{Row, named_params};
use shim_ir::{Dialect, KeyId, PicoUsd, ProviderId, TeamName};
use shim_policy::access::{Grant, MadeKey, Previous};
use shim_policy::extraction::Mode;
use shim_policy::limits::{Budget, BudgetWindow, Limits, Unpriced};
use shim_policy::record::Record;

use super::SqliteState;
use crate::{KeyStore, StoreError};

/// Lists are texts with a line for each entry: no name holds white space. An amount is a text, since it may be more
/// than SQLite's integers hold.
pub(super) const TABLE: &str = "
    CREATE TABLE made_keys (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        hash BLOB NOT NULL,
        shown TEXT NOT NULL,
        made_ms INTEGER NOT NULL,
        revoked_ms INTEGER,
        previous_hash BLOB,
        previous_until_ms INTEGER,
        allow TEXT NOT NULL,
        providers TEXT NOT NULL,
        deny_providers TEXT NOT NULL,
        regions TEXT NOT NULL,
        dialects TEXT NOT NULL,
        owner TEXT,
        team TEXT,
        expires_ms INTEGER,
        record TEXT,
        requests_per_minute INTEGER,
        tokens_per_minute INTEGER,
        concurrent INTEGER,
        output_tokens_max INTEGER,
        budget_pico TEXT,
        budget_window TEXT,
        unpriced TEXT
    ) STRICT;
";

/// What is done where a key seems to harvest a model.
pub(super) const EXTRACTION: &str = "ALTER TABLE made_keys ADD COLUMN extraction TEXT;";

const SELECT: &str = "SELECT * FROM made_keys ORDER BY name";

const KEEP: &str = "
    INSERT INTO made_keys (
        name, hash, shown, made_ms, revoked_ms, previous_hash, previous_until_ms, allow, providers, deny_providers,
        regions, dialects, owner, team, expires_ms, record, requests_per_minute, tokens_per_minute, concurrent,
        output_tokens_max, budget_pico, budget_window, unpriced, extraction
    ) VALUES (
        :name, :hash, :shown, :made_ms, :revoked_ms, :previous_hash, :previous_until_ms, :allow, :providers,
        :deny_providers, :regions, :dialects, :owner, :team, :expires_ms, :record, :requests_per_minute,
        :tokens_per_minute, :concurrent, :output_tokens_max, :budget_pico, :budget_window, :unpriced,
        :extraction
    ) ON CONFLICT (name) DO UPDATE SET
        hash = excluded.hash, shown = excluded.shown, revoked_ms = excluded.revoked_ms,
        previous_hash = excluded.previous_hash, previous_until_ms = excluded.previous_until_ms,
        allow = excluded.allow, providers = excluded.providers, deny_providers = excluded.deny_providers,
        regions = excluded.regions, dialects = excluded.dialects, owner = excluded.owner, team = excluded.team,
        expires_ms = excluded.expires_ms, record = excluded.record,
        requests_per_minute = excluded.requests_per_minute, tokens_per_minute = excluded.tokens_per_minute,
        concurrent = excluded.concurrent, output_tokens_max = excluded.output_tokens_max,
        budget_pico = excluded.budget_pico, budget_window = excluded.budget_window, unpriced = excluded.unpriced,
        extraction = excluded.extraction
";

impl KeyStore for SqliteState {
    fn made_keys(&self) -> Result<Vec<MadeKey>, StoreError> {
        let mut statement = self.connection.prepare(SELECT)?;
        let mut rows = statement.query([])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get("id")?;
            let damaged = |error: rusqlite::Error| match error {
                rusqlite::Error::FromSqlConversionFailure(_, _, why) => {
                    StoreError::Damaged { table: "made_keys", row: id, why: why.to_string() }
                }
                error => error.into(),
            };
            keys.push(key(row).map_err(damaged)?);
        }
        Ok(keys)
    }

    fn keep_key(&mut self, key: &MadeKey) -> Result<(), StoreError> {
        let MadeKey { id, hash, shown, made_ms, revoked_ms, previous, grant } = key;
        let limits = &grant.limits;
        let budget = limits.budget.as_ref();
        let dialects: Vec<_> = grant.dialects.iter().map(|dialect| dialect.name()).collect();
        self.connection.execute(
            KEEP,
            named_params! {
                ":name": id.as_str(),
                ":hash": hash,
                ":shown": shown,
                ":made_ms": integer(*made_ms),
                ":revoked_ms": revoked_ms.map(integer),
                ":previous_hash": previous.map(|previous| previous.hash),
                ":previous_until_ms": previous.map(|previous| integer(previous.until_ms)),
                ":allow": grant.allow.join("\n"),
                ":providers": lines(&grant.providers),
                ":deny_providers": lines(&grant.deny_providers),
                ":regions": grant.regions.join("\n"),
                ":dialects": dialects.join("\n"),
                ":owner": grant.owner,
                ":team": grant.team.as_ref().map(TeamName::as_str),
                ":expires_ms": grant.expires_ms.map(integer),
                ":record": grant.record.map(Record::name),
                ":requests_per_minute": limits.requests_per_minute.map(integer),
                ":tokens_per_minute": limits.tokens_per_minute.map(integer),
                ":concurrent": limits.concurrent.map(integer),
                ":output_tokens_max": limits.output_tokens_max.map(integer),
                ":budget_pico": budget.map(|budget| budget.amount.0.to_string()),
                ":budget_window": budget.map(|budget| budget.window.name()),
                ":unpriced": budget.map(|budget| budget.unpriced.name()),
                ":extraction": grant.extraction.map(Mode::name),
            },
        )?;
        Ok(())
    }
}

/// A number as SQLite keeps it; one above what it holds is as good as the largest.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn lines(providers: &[ProviderId]) -> String {
    providers.iter().map(ProviderId::as_str).collect::<Vec<_>>().join("\n")
}

/// An error of a column whose text is none that was written.
fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into())
}

fn record(word: Option<String>) -> rusqlite::Result<Option<Record>> {
    let read =
        |word: String| Record::parse(&word).ok_or_else(|| damaged(format!("no way to record \"{word}\"")));
    word.map(read).transpose()
}

fn mode(word: Option<String>) -> rusqlite::Result<Option<Mode>> {
    let read = |word: String| Mode::parse(&word).ok_or_else(|| damaged(format!("no mode \"{word}\"")));
    word.map(read).transpose()
}

fn key(row: &Row<'_>) -> rusqlite::Result<MadeKey> {
    let previous: Option<[u8; 32]> = row.get("previous_hash")?;
    Ok(MadeKey {
        id: KeyId::new(&row.get::<_, String>("name")?).map_err(damaged)?,
        hash: row.get("hash")?,
        shown: row.get("shown")?,
        made_ms: number(row, "made_ms")?.unwrap_or_default(),
        revoked_ms: number(row, "revoked_ms")?,
        previous: match (previous, number(row, "previous_until_ms")?) {
            (Some(hash), Some(until_ms)) => Some(Previous { hash, until_ms }),
            _ => None,
        },
        grant: grant(row)?,
    })
}

fn grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let team: Option<String> = row.get("team")?;
    let dialect = |name: &String| name.parse::<Dialect>().map_err(damaged);
    let provider = |name: &String| ProviderId::new(name).map_err(damaged);
    Ok(Grant {
        allow: list(row, "allow")?,
        providers: list(row, "providers")?.iter().map(provider).collect::<Result<_, _>>()?,
        deny_providers: list(row, "deny_providers")?.iter().map(provider).collect::<Result<_, _>>()?,
        regions: list(row, "regions")?,
        dialects: list(row, "dialects")?.iter().map(dialect).collect::<Result<_, _>>()?,
        owner: row.get("owner")?,
        team: team.map(|team| TeamName::new(&team)).transpose().map_err(damaged)?,
        expires_ms: number(row, "expires_ms")?,
        record: record(row.get("record")?)?,
        extraction: mode(row.get("extraction")?)?,
        limits: Limits {
            requests_per_minute: number(row, "requests_per_minute")?,
            tokens_per_minute: number(row, "tokens_per_minute")?,
            concurrent: number(row, "concurrent")?,
            output_tokens_max: number(row, "output_tokens_max")?,
            budget: budget(row)?,
        },
    })
}

fn budget(row: &Row<'_>) -> rusqlite::Result<Option<Budget>> {
    let Some(amount) = row.get::<_, Option<String>>("budget_pico")? else { return Ok(None) };
    let (window, unpriced): (String, String) = (row.get("budget_window")?, row.get("unpriced")?);
    Ok(Some(Budget {
        amount: PicoUsd(amount.parse().map_err(|_| damaged(format!("\"{amount}\" is no amount")))?),
        window: BudgetWindow::parse(&window).ok_or_else(|| damaged(format!("no window \"{window}\"")))?,
        unpriced: Unpriced::parse(&unpriced).ok_or_else(|| damaged(format!("no verdict \"{unpriced}\"")))?,
    }))
}

fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let number: Option<i64> = row.get(column)?;
    number.map(|number| u64::try_from(number).map_err(|why| damaged(format!("{column}: {why}")))).transpose()
}

fn list(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use shim_ir::{Dialect, KeyId, PicoUsd, ProviderId, TeamName};
    use shim_policy::access::{Grant, MadeKey, Previous};
    use shim_policy::extraction::Mode;
    use shim_policy::limits::{Budget, BudgetWindow, Limits, Unpriced};
    use shim_policy::record::Record;

    use crate::{KeyStore as _, SqliteState, StoreError};

    fn bare(name: &str) -> MadeKey {
        MadeKey {
            id: KeyId::new(name).unwrap(),
            hash: [7; 32],
            shown: "shim-12".into(),
            made_ms: 1,
            revoked_ms: None,
            previous: None,
            grant: Grant::default(),
        }
    }

    fn full(name: &str) -> MadeKey {
        let budget =
            Budget { amount: PicoUsd(u64::MAX), window: BudgetWindow::Day, unpriced: Unpriced::Allow };
        MadeKey {
            hash: [8; 32],
            revoked_ms: Some(5),
            previous: Some(Previous { hash: [9; 32], until_ms: 6 }),
            grant: Grant {
                allow: vec!["chat".into(), "lab/*".into()],
                providers: vec![ProviderId::new("lab").unwrap()],
                deny_providers: vec![ProviderId::new("openai").unwrap()],
                regions: vec!["eu".into(), "ch".into()],
                dialects: vec![Dialect::Anthropic, Dialect::OpenaiChat],
                owner: Some("Ada Lovelace".into()),
                team: Some(TeamName::new("web").unwrap()),
                expires_ms: Some(9),
                record: Some(Record::Usage),
                extraction: Some(Mode::Throttle),
                limits: Limits {
                    requests_per_minute: Some(1),
                    tokens_per_minute: Some(2),
                    concurrent: Some(3),
                    output_tokens_max: Some(4),
                    budget: Some(budget),
                },
            },
            ..bare(name)
        }
    }

    #[test]
    fn what_was_kept_is_there_after_reopening_and_the_last_word_holds() {
        let folder = tempfile::tempdir().unwrap();
        {
            let mut store = SqliteState::open(folder.path()).unwrap();
            for key in [bare("b"), full("a"), full("b"), bare("a")] {
                store.keep_key(&key).unwrap();
            }
        }
        let store = SqliteState::open(folder.path()).unwrap();
        assert_eq!(store.made_keys().unwrap(), [bare("a"), full("b")]);
    }

    #[test]
    fn a_store_of_an_older_program_gets_the_table_and_keeps_its_swaps() {
        let folder = tempfile::tempdir().unwrap();
        let old = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
        old.execute_batch(crate::sqlite::SWAPS).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let step = "INSERT INTO swap_steps (at_ms, alias, kind, from_target, to_target) VALUES (1, 'a', 'committed', 'p/m', 'p/n')";
        old.execute(step, []).unwrap();
        drop(old);
        let mut store = SqliteState::open(folder.path()).unwrap();
        store.keep_key(&bare("a")).unwrap();
        assert_eq!(
            (store.made_keys().unwrap().len(), crate::StateStore::steps(&store).unwrap().len()),
            (1, 1)
        );
    }

    #[test]
    fn a_damaged_row_is_told_of() {
        for (column, bad) in [
            ("name", "''"),
            ("dialects", "'x'"),
            ("budget_window", "'week'"),
            ("made_ms", "-1"),
            ("team", "'a b'"),
            ("extraction", "'maybe'"),
        ] {
            let mut store = SqliteState::in_memory().unwrap();
            store.keep_key(&full("a")).unwrap();
            store.connection.execute(&format!("UPDATE made_keys SET {column} = {bad}"), []).unwrap();
            let told = store.made_keys();
            assert!(matches!(told, Err(StoreError::Damaged { row: 1, .. })), "{column}: {told:?}");
        }
    }
}
