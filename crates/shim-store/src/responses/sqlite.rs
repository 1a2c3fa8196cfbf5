//! Kept answers in `responses.db`.
//!
//! One thread writes, many exchanges in one transaction; what waits for it is found in memory, so that an answer can be
//! gone on from at once. After a crash of the process what was committed is there; after a crash of the machine the last
//! moments may be missing (`synchronous = NORMAL`).

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::writer::{Order, Waiting, Writer};
use super::{KeptResponse, RESPONSE_BYTES_MAX, ResponseLimits, ResponseStore};
use crate::{StoreError, private};

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

/// Keeps answers in a SQLite file.
#[derive(Debug)]
pub struct SqliteResponses {
    limits: ResponseLimits,
    shared: Arc<Waiting>,
    reader: Mutex<Connection>,
    orders: Mutex<Option<Sender<Order>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteResponses {
    /// Opens `responses.db` in `folder`, and starts its writer.
    ///
    /// # Errors
    /// When the file is no such database, of a newer schema, or no thread can be started.
    pub fn open(folder: &Path, limits: ResponseLimits) -> Result<Self, StoreError> {
        let file = folder.join("responses.db");
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        private(folder).map_err(unusable)?;
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
