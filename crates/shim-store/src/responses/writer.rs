//! The thread that writes kept answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, params};

use super::{KeptResponse, ResponseLimits};
use crate::StoreError;

/// Most exchanges in one transaction.
const BATCH_MAX: usize = 256;

/// Most exchanges that give way at once.
const GIVE_WAY_MAX: usize = 64;

/// What the writer is told to do.
pub(super) enum Order {
    Put(Arc<KeptResponse>),
    Delete { owner: Box<str>, id: Box<str>, done: SyncSender<Result<bool, StoreError>> },
}

/// Exchanges by owner and id.
type ByName = HashMap<(Box<str>, Box<str>), Arc<KeptResponse>>;

/// What waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    kept: Mutex<ByName>,
    pub(super) bytes: AtomicUsize,
    pub(super) dropped: AtomicU64,
    /// What is in the file counts.
    pub(super) stored: AtomicU64,
}

impl Waiting {
    pub(super) fn kept(&self) -> MutexGuard<'_, ByName> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written, or could not be, waits no longer.
    pub(super) fn done(&self, kept: &Arc<KeptResponse>) {
        let mut waiting = self.kept();
        let key = (kept.owner.clone(), kept.id.clone());
        if waiting.get(&key).is_some_and(|now| Arc::ptr_eq(now, kept)) {
            waiting.remove(&key);
        }
        self.bytes.fetch_sub(kept.bytes(), Ordering::Relaxed);
    }
}

/// The one that writes.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Waiting>,
    limits: ResponseLimits,
    /// What each owner's exchanges count, in bytes.
    owners: HashMap<Box<str>, u64>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Waiting>,
        limits: ResponseLimits,
    ) -> Result<Self, StoreError> {
        let mut writer = Self { connection, shared, limits, owners: HashMap::new() };
        writer.count()?;
        Ok(writer)
    }

    pub(super) fn run(&mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut batch = vec![first];
            batch.extend(orders.try_iter().take(BATCH_MAX - 1));
            self.take(batch);
        }
    }

    /// Does what it is told, in order: what is put, in transactions; what is deleted, each by itself, since its client waits.
    fn take(&mut self, batch: Vec<Order>) {
        let mut puts = Vec::new();
        for order in batch {
            match order {
                Order::Put(kept) => puts.push(kept),
                Order::Delete { owner, id, done } => {
                    self.put(&std::mem::take(&mut puts));
                    // Whoever asked may have left.
                    let _ = done.send(self.delete(&owner, &id));
                }
            }
        }
        self.put(&puts);
    }

    fn put(&mut self, puts: &[Arc<KeptResponse>]) {
        if puts.is_empty() {
            return;
        }
        if let Err(error) = self.insert(puts) {
            tracing::error!(%error, lost = puts.len(), "kept answers could not be written");
            self.shared.dropped.fetch_add(puts.len() as u64, Ordering::Relaxed);
            // What the transaction took back was counted.
            if let Err(error) = self.count() {
                tracing::error!(%error, "kept answers cannot be counted");
            }
        }
        puts.iter().for_each(|kept| self.shared.done(kept));
    }

    fn insert(&mut self, puts: &[Arc<KeptResponse>]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let mut now_ms = 0;
        for kept in puts {
            now_ms = now_ms.max(kept.at_ms);
            forget(&transaction, &mut self.owners, &kept.owner, &kept.id)?;
            insert(&transaction, kept)?;
            *self.owners.entry(kept.owner.clone()).or_default() += kept.bytes() as u64;
        }
        expire(&transaction, &mut self.owners, &self.limits, now_ms)?;
        make_room(&transaction, &mut self.owners, self.limits.responses_bytes_max as u64)?;
        transaction.commit()?;
        self.owners.retain(|_, bytes| *bytes > 0);
        self.shared.stored.store(self.owners.values().sum(), Ordering::Relaxed);
        Ok(())
    }

    fn delete(&mut self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction()?;
        let there = forget(&transaction, &mut self.owners, owner, id)?;
        transaction.commit()?;
        self.shared.stored.store(self.owners.values().sum(), Ordering::Relaxed);
        Ok(there)
    }

    /// Counts what is there.
    fn count(&mut self) -> Result<(), StoreError> {
        let mut statement =
            self.connection.prepare("SELECT owner, SUM(bytes) FROM responses GROUP BY owner")?;
        let counted = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        self.owners.clear();
        for row in counted {
            let (owner, bytes) = row?;
            self.owners.insert(owner, u64::try_from(bytes).unwrap_or_default());
        }
        self.shared.stored.store(self.owners.values().sum(), Ordering::Relaxed);
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, kept: &KeptResponse) -> Result<(), StoreError> {
    let sql = "INSERT INTO responses (owner, id, at_ms, keeper, previous, complete, bytes, input, answer)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let at_ms = i64::try_from(kept.at_ms).unwrap_or(i64::MAX);
    let bytes = i64::try_from(kept.bytes()).unwrap_or(i64::MAX);
    let KeptResponse { owner, id, keeper, previous, complete, input, answer, .. } = kept;
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![owner, id, at_ms, keeper, previous, complete, bytes, input, answer])?;
    let number = transaction.last_insert_rowid();
    let sql = "INSERT OR REPLACE INTO items (owner, item, number) VALUES (?1, ?2, ?3)";
    let mut statement = transaction.prepare_cached(sql)?;
    for item in &kept.items {
        statement.execute(params![owner, item, number])?;
    }
    Ok(())
}

type Owners = HashMap<Box<str>, u64>;

fn forget(tx: &Transaction<'_>, owners: &mut Owners, owner: &str, id: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM responses WHERE owner = ?1 AND id = ?2 RETURNING number, owner, bytes";
    Ok(gone(tx, owners, sql, params![owner, id])? > 0)
}

/// Lets go of what is too old.
fn expire(
    tx: &Transaction<'_>,
    owners: &mut Owners,
    limits: &ResponseLimits,
    now_ms: u64,
) -> Result<(), StoreError> {
    let age_ms = u64::try_from(limits.responses_age_max.as_millis()).unwrap_or(u64::MAX);
    let oldest = i64::try_from(now_ms.saturating_sub(age_ms)).unwrap_or(i64::MAX);
    gone(
        tx,
        owners,
        "DELETE FROM responses WHERE at_ms < ?1 RETURNING number, owner, bytes",
        params![oldest],
    )?;
    Ok(())
}

/// Lets go of the oldest of whoever holds most, until all fits.
fn make_room(tx: &Transaction<'_>, owners: &mut Owners, bytes_max: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM responses WHERE number IN
        (SELECT number FROM responses WHERE owner = ?1 ORDER BY number LIMIT ?2) RETURNING number, owner, bytes";
    loop {
        let total: u64 = owners.values().sum();
        let most = owners.iter().max_by_key(|(_, bytes)| **bytes);
        let Some((owner, held)) =
            most.map(|(owner, held)| (owner.clone(), *held)).filter(|_| total > bytes_max)
        else {
            return Ok(());
        };
        // As many as it takes by their size so far, so that nobody loses more than that.
        let count: i64 =
            tx.query_row("SELECT COUNT(*) FROM responses WHERE owner = ?1", [&owner], |row| row.get(0))?;
        let each = (held / u64::try_from(count).unwrap_or(1).max(1)).max(1);
        let limit = ((total - bytes_max) / each).clamp(1, GIVE_WAY_MAX as u64);
        let limit = i64::try_from(limit).unwrap_or(1);
        if gone(tx, owners, sql, params![owner, limit])? == 0 {
            // The count was wrong: what is not there holds nothing.
            owners.remove(&owner);
        }
    }
}

/// Runs a statement that deletes and tells what; lets go of the items too. Gives the number of exchanges.
fn gone(
    tx: &Transaction<'_>,
    owners: &mut Owners,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Box<str>>(1)?, row.get::<_, i64>(2)?))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut items = tx.prepare_cached("DELETE FROM items WHERE number = ?1")?;
    for (number, owner, bytes) in &rows {
        items.execute([number])?;
        if let Some(held) = owners.get_mut(owner) {
            *held = held.saturating_sub(u64::try_from(*bytes).unwrap_or_default());
        }
    }
    Ok(rows.len())
}
