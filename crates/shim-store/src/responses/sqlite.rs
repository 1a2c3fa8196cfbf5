//! Kept answers in `responses.db`.
//!
//! One thread writes, many exchanges in one transaction; what waits for it is found in memory, so that an answer can be
//! gone on from at once. After a crash of the process what was committed is there; after a crash of the machine the last
//! moments may be missing (`synchronous = NORMAL`).

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{KeptResponse, RESPONSE_BYTES_MAX, ResponseLimits, ResponseStore};
use crate::StoreError;

/// Newest schema known here; a migration for each step up to it.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE responses (
        number INTEGER PRIMARY KEY,
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        keeper TEXT,
        previous TEXT,
        complete INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        input TEXT NOT NULL,
        answer TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX responses_by_id ON responses (owner, id);
    CREATE INDEX responses_by_age ON responses (at_ms);
    CREATE TABLE items (
        owner TEXT NOT NULL,
        item TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (owner, item)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX items_by_number ON items (number);
"];

/// Most bytes that wait for the writer; what comes beyond is dropped, and counted.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Most exchanges in one transaction.
const BATCH_MAX: usize = 256;

/// Most exchanges that give way at once.
const GIVE_WAY_MAX: usize = 64;

/// Keeps answers in a SQLite file.
#[derive(Debug)]
pub struct SqliteResponses {
    limits: ResponseLimits,
    shared: Arc<Waiting>,
    reader: Mutex<Connection>,
    orders: Mutex<Option<Sender<Order>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer is told to do.
enum Order {
    Put(Arc<KeptResponse>),
    Delete { owner: Box<str>, id: Box<str>, done: SyncSender<Result<bool, StoreError>> },
}

/// Exchanges by owner and id.
type ByName = HashMap<(Box<str>, Box<str>), Arc<KeptResponse>>;

/// What waits for the writer.
#[derive(Debug, Default)]
struct Waiting {
    kept: Mutex<ByName>,
    bytes: AtomicUsize,
    dropped: AtomicU64,
    /// What is in the file counts.
    stored: AtomicU64,
}

impl Waiting {
    fn kept(&self) -> MutexGuard<'_, ByName> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written, or could not be, waits no longer.
    fn done(&self, kept: &Arc<KeptResponse>) {
        let mut waiting = self.kept();
        let key = (kept.owner.clone(), kept.id.clone());
        if waiting.get(&key).is_some_and(|now| Arc::ptr_eq(now, kept)) {
            waiting.remove(&key);
        }
        self.bytes.fetch_sub(kept.bytes(), Ordering::Relaxed);
    }
}

impl SqliteResponses {
    /// Opens `responses.db` in `folder`, and starts its writer.
    ///
    /// # Errors
    /// When the file is no such database, of a newer schema, or no thread can be started.
    pub fn open(folder: &Path, limits: ResponseLimits) -> Result<Self, StoreError> {
        let file = folder.join("responses.db");
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let mut writing = connection(&file)?;
        migrate(&mut writing)?;
        let reader = connection(&file)?;
        let shared = Arc::new(Waiting::default());
        let mut writer = Writer::new(writing, shared.clone(), limits)?;
        let (orders, taken) = channel();
        let run = move || writer.run(&taken);
        let thread = std::thread::Builder::new().name("responses".into()).spawn(run).map_err(unusable)?;
        Ok(Self {
            limits,
            shared,
            reader: Mutex::new(reader),
            orders: Mutex::new(Some(orders)),
            writer: Mutex::new(Some(thread)),
        })
    }

    fn order(&self, order: Order) -> bool {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    fn waiting(&self, owner: &str, id: &str) -> Option<Arc<KeptResponse>> {
        self.shared.kept().get(&(Box::from(owner), Box::from(id))).cloned()
    }

    fn read(&self, sql: &str, owner: &str, name: &str) -> Result<Option<KeptResponse>, StoreError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = reader.prepare_cached(sql)?;
        let found = statement.query_row(params![owner, name], row).optional()?;
        let Some((number, mut kept)) = found else { return Ok(None) };
        let mut statement = reader.prepare_cached("SELECT item FROM items WHERE number = ?1")?;
        kept.items = statement.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Some(kept))
    }

    fn fresh(&self, kept: Option<Arc<KeptResponse>>, now_ms: u64) -> Option<Arc<KeptResponse>> {
        kept.filter(|kept| !self.limits.aged(kept.at_ms, now_ms))
    }
}

const BY_ID: &str =
    "SELECT number, owner, id, at_ms, keeper, previous, complete, input, answer FROM responses
    WHERE owner = ?1 AND id = ?2";
const BY_ITEM: &str =
    "SELECT number, owner, id, at_ms, keeper, previous, complete, input, answer FROM responses
    WHERE number = (SELECT number FROM items WHERE owner = ?1 AND item = ?2)";

fn row(row: &Row<'_>) -> rusqlite::Result<(i64, KeptResponse)> {
    let at_ms: i64 = row.get(3)?;
    let kept = KeptResponse {
        owner: row.get(1)?,
        id: row.get(2)?,
        at_ms: u64::try_from(at_ms).unwrap_or_default(),
        keeper: row.get(4)?,
        previous: row.get(5)?,
        complete: row.get(6)?,
        input: row.get(7)?,
        answer: row.get(8)?,
        items: Vec::new(),
    };
    Ok((row.get(0)?, kept))
}

impl ResponseStore for SqliteResponses {
    fn put(&self, kept: KeptResponse) {
        let bytes = kept.bytes();
        let fits = bytes <= self.limits.responses_bytes_max.min(RESPONSE_BYTES_MAX);
        if !fits || self.shared.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            if fits {
                self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let kept = Arc::new(kept);
        self.shared.kept().insert((kept.owner.clone(), kept.id.clone()), kept.clone());
        if !self.order(Order::Put(kept.clone())) {
            self.shared.done(&kept);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn get(&self, owner: &str, id: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError> {
        let kept = match self.waiting(owner, id) {
            Some(kept) => Some(kept),
            None => self.read(BY_ID, owner, id)?.map(Arc::new),
        };
        Ok(self.fresh(kept, now_ms))
    }

    fn holder(&self, owner: &str, item: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError> {
        let holds = |kept: &&Arc<KeptResponse>| {
            &*kept.owner == owner && kept.items.iter().any(|known| &**known == item)
        };
        let waiting = self.shared.kept().values().find(holds).cloned();
        let kept = match waiting {
            Some(kept) => Some(kept),
            None => self.read(BY_ITEM, owner, item)?.map(Arc::new),
        };
        Ok(self.fresh(kept, now_ms))
    }

    fn delete(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let (done, told) = sync_channel(1);
        let order = Order::Delete { owner: owner.into(), id: id.into(), done };
        if !self.order(order) {
            return Err(StoreError::Closed);
        }
        told.recv().map_err(|_| StoreError::Closed)?
    }

    fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.shared.stored.load(Ordering::Relaxed) + self.shared.bytes.load(Ordering::Relaxed) as u64
    }

    fn close(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.join();
        }
    }
}

impl Drop for SqliteResponses {
    fn drop(&mut self) {
        self.close();
    }
}

fn connection(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
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
    Ok(())
}

/// The one that writes.
struct Writer {
    connection: Connection,
    shared: Arc<Waiting>,
    limits: ResponseLimits,
    /// What each owner's exchanges count, in bytes.
    owners: HashMap<Box<str>, u64>,
}

impl Writer {
    fn new(connection: Connection, shared: Arc<Waiting>, limits: ResponseLimits) -> Result<Self, StoreError> {
        let mut writer = Self { connection, shared, limits, owners: HashMap::new() };
        writer.count()?;
        Ok(writer)
    }

    fn run(&mut self, orders: &Receiver<Order>) {
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
