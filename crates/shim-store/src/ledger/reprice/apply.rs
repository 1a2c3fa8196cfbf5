//! What changes, written: rows and their sums in one transaction.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{Change, Money};
use crate::ledger::day::{Day, hour};
use crate::ledger::mend::resum;
use crate::ledger::sums::{OTHER, Of, column};
use crate::ledger::{schema, settings};
use crate::{SqliteState, StoreError};

/// Changes rows of a file and its sums with them: all of them, or none. Those that have changed since they were read, or
/// are not there any more, stay as they are. It gives what it changed.
pub(in crate::ledger) fn apply(
    connection: &Connection,
    changes: Vec<Change>,
) -> Result<Vec<Change>, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let full: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM sums WHERE cost = ?1 OR charged = ?1)",
        [i64::MAX],
        |row| row.get(0),
    )?;
    let mut done = Vec::with_capacity(changes.len());
    for change in changes {
        if update(&transaction, &change)? {
            done.push(change);
        }
    }
    let mut shifts: BTreeMap<Of<'_>, [i64; 3]> = BTreeMap::new();
    for change in &done {
        let shift = shifts.entry(change.of()).or_default();
        for (sum, by) in shift.iter_mut().zip(change.shift()) {
            *sum = sum.saturating_add(by);
        }
    }
    let mut whole = !full;
    for (of, shift) in &shifts {
        whole = whole && shifted(&transaction, of, *shift)?;
    }
    if !whole {
        // A sum that stopped at the most a column holds does not say what it is the sum of.
        resum(&transaction)?;
    }
    transaction.commit()?;
    Ok(done)
}

impl Change {
    /// What it takes of the room.
    pub(in crate::ledger) fn bytes(&self) -> usize {
        size_of::<Self>() + self.model.len() + self.names.iter().map(String::len).sum::<usize>()
    }

    fn of(&self) -> Of<'_> {
        let [key, team, target, outcome] = &self.names;
        Of { hour: hour(self.at_ms), key, team, model: &self.model, target, outcome }
    }

    /// What is added to the sums of unknown costs, of costs and of what budgets were charged with.
    fn shift(&self) -> [i64; 3] {
        let signed = |value: Option<u64>| column(value.unwrap_or(0));
        let of = |money: Money| [i64::from(money.unknown), signed(money.cost), signed(money.charged)];
        let (before, after) = (of(self.before), of(self.after));
        std::array::from_fn(|n| after.get(n).unwrap_or(&0).saturating_sub(*before.get(n).unwrap_or(&0)))
    }
}

fn update(connection: &Connection, change: &Change) -> rusqlite::Result<bool> {
    let sql = "UPDATE exchanges SET cost = ?1, unknown = ?2, basis = ?3, charged = ?4 \
               WHERE row = ?5 AND id = ?6 AND cost IS ?7 AND charged IS ?8 AND unknown = ?9";
    let (before, after) = (change.before, change.after);
    let changed = connection.prepare_cached(sql)?.execute(params![
        after.cost.map(column),
        after.unknown,
        after.basis.name(),
        after.charged.map(column),
        change.row,
        change.id.0.to_be_bytes(),
        before.cost.map(column),
        before.charged.map(column),
        before.unknown,
    ])?;
    Ok(changed > 0)
}

/// Adds to sums; whether they are there.
fn shifted(
    connection: &Connection,
    of: &Of<'_>,
    [unknown, cost, charged]: [i64; 3],
) -> rusqlite::Result<bool> {
    // A number too large for a column is a real one, and the smaller is the most a column holds.
    let sql = "UPDATE sums SET unknown = unknown + ?7, cost = min(cost + ?8, ?10), charged = min(charged + ?9, ?10) \
               WHERE hour = ?1 AND key = ?2 AND team = ?3 AND model = ?4 AND target = ?5 AND outcome = ?6";
    let hour = column(of.hour);
    for (model, target) in [(of.model, of.target), (OTHER, OTHER)] {
        let values =
            params![hour, of.key, of.team, model, target, of.outcome, unknown, cost, charged, i64::MAX];
        if connection.prepare_cached(sql)?.execute(values)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The ledger of a store that no gateway has open: whoever has it holds the store's lock.
#[derive(Clone, Debug)]
pub struct Resting {
    folder: PathBuf,
}

impl Resting {
    /// The ledger of the store in `store`.
    ///
    /// `_lock` is the store's state, open: nobody else has it open then.
    #[must_use]
    pub fn new(store: &Path, _lock: &SqliteState) -> Self {
        Self { folder: settings::folder(store) }
    }

    /// Changes rows of a day, and its sums with them, all or none; how many.
    ///
    /// # Errors
    /// When the disk refuses, or the file is damaged.
    pub fn apply(&self, day: Day, changes: Vec<Change>) -> Result<u64, StoreError> {
        let connection = schema::open(&day.file(&self.folder), true)?;
        Ok(apply(&connection, changes)?.len() as u64)
    }
}
