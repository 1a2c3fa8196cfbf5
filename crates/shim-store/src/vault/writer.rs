//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, params};

use super::{Entry, VaultLimits, weight};
use crate::StoreError;

/// Most entries that wait to be written.
const WAITING_MAX: usize = 4096;

/// Most bytes of entries that wait to be written.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Most entries written in one transaction.
const BATCH_MAX: usize = 256;

/// How many of the oldest entries go at a time.
const TRIM: u64 = 64;

/// A message to the thread.
pub(super) enum Message {
    Keep(Entry),
    /// Tell when everything before it is written.
    Flush(Sender<()>),
}

/// The handle of the thread. Dropping it waits until all is written.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that wait.
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Writer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(connection: Connection, limits: VaultLimits) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let held =
            connection.query_row("SELECT coalesce(sum(bytes), 0) FROM entries", [], |row| row.get(0))?;
        let mut scribe = Scribe { connection, limits, held, counts: counts.clone() };
        let run = move || scribe.run(&receiver);
        let thread =
            std::thread::Builder::new().name("vault".into()).spawn(run).map_err(StoreError::Thread)?;
        Ok(Self { sender: Some(sender), thread: Some(thread), counts })
    }

    pub(super) fn keep(&self, entry: Entry) -> bool {
        let bytes = entry.value.len();
        let waiting = self.counts.waiting.fetch_add(bytes, Ordering::Relaxed);
        let room = waiting + bytes <= WAITING_BYTES_MAX;
        let sent = self.sender.as_ref().filter(|_| room).map(|sender| sender.try_send(Message::Keep(entry)));
        let taken = matches!(sent, Some(Ok(())));
        if !taken {
            self.counts.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    pub(super) fn flush(&self) {
        let (done, told) = std::sync::mpsc::channel();
        let mut message = Message::Flush(done);
        while let Some(sender) = &self.sender {
            match sender.try_send(message) {
                Ok(()) => {
                    // An error says that the thread ended, so nothing more is written.
                    let _ = told.recv();
                    return;
                }
                Err(TrySendError::Full(back)) => {
                    message = back;
                    std::thread::yield_now();
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    pub(super) fn queue_bytes(&self) -> usize {
        self.counts.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A thread that ended by a bug has nothing more to write.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Scribe {
    connection: Connection,
    limits: VaultLimits,
    /// Bytes of all entries.
    held: i64,
    counts: Arc<Counts>,
}

impl Scribe {
    fn run(&mut self, receiver: &Receiver<Message>) {
        while let Ok(first) = receiver.recv() {
            let mut flushes = Vec::new();
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Keep(entry) => batch.push(entry),
                    Message::Flush(done) => flushes.push(done),
                }
                let weighed: i64 = batch.iter().map(bytes_of).sum();
                let room = batch.len() < BATCH_MAX && weighed.unsigned_abs() < self.limits.bytes_max / 8;
                next = room.then(|| receiver.try_recv().ok()).flatten();
            }
            let bytes: usize = batch.iter().map(|entry| entry.value.len()).sum();
            if self.write(&batch).is_err() {
                // A full or broken disk: what is kept in memory goes on; the count tells of the rest.
                self.counts.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
            self.counts.waiting.fetch_sub(bytes, Ordering::Relaxed);
            for done in flushes {
                // Whoever waited may have left.
                let _ = done.send(());
            }
        }
    }

    /// Writes a batch in one transaction, within the bounds.
    fn write(&mut self, batch: &[Entry]) -> Result<(), rusqlite::Error> {
        let Some(newest) = batch.iter().map(|entry| entry.at_ms).max() else { return Ok(()) };
        let most = i64::try_from(self.limits.bytes_max).unwrap_or(i64::MAX);
        let fits = |entry: &&Entry| bytes_of(entry) <= most / 2;
        let coming: i64 = batch.iter().filter(fits).map(bytes_of).sum();
        let transaction = self.connection.transaction()?;
        let since = newest.saturating_sub(self.limits.age_ms_max);
        let mut held = self.held - trim(&transaction, "at_ms < ?1", since)?;
        // Room is made first: pages that are free are written again, and the file does not grow.
        while held.saturating_add(coming) > most && held > 0 {
            let gone = trim(&transaction, "?1 > 0", TRIM)?;
            held = if gone == 0 { 0 } else { held - gone };
        }
        for entry in batch.iter().filter(fits) {
            insert(&transaction, entry)?;
        }
        held = held.saturating_add(coming);
        let missed = batch.iter().filter(|entry| !fits(entry)).count();
        self.counts.lost.fetch_add(missed as u64, Ordering::Relaxed);
        transaction.commit()?;
        self.held = held;
        Ok(())
    }
}

fn bytes_of(entry: &Entry) -> i64 {
    i64::try_from(weight(entry.names.len(), entry.value.len())).unwrap_or(i64::MAX)
}

/// Writes an entry.
fn insert(connection: &Connection, entry: &Entry) -> Result<(), rusqlite::Error> {
    let bytes = bytes_of(entry);
    let at_ms = i64::try_from(entry.at_ms).unwrap_or(i64::MAX);
    let sql = "INSERT INTO entries (at_ms, bytes, value) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![at_ms, bytes, &*entry.value])?;
    let id = connection.last_insert_rowid();
    let mut name = connection.prepare_cached("INSERT OR REPLACE INTO names (name, entry) VALUES (?1, ?2)")?;
    for own in &entry.names {
        name.execute(params![&own.0[..], id])?;
    }
    Ok(())
}

/// Lets the oldest entries go, as far as `which` fits; gives their bytes.
fn trim(connection: &Connection, which: &str, value: u64) -> Result<i64, rusqlite::Error> {
    let oldest = format!("SELECT id FROM entries WHERE {which} ORDER BY id LIMIT {TRIM}");
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    let names = format!("DELETE FROM names WHERE entry IN ({oldest})");
    connection.prepare_cached(&names)?.execute(params![value])?;
    let entries = format!("DELETE FROM entries WHERE id IN ({oldest}) RETURNING bytes");
    let mut statement = connection.prepare_cached(&entries)?;
    let mut rows = statement.query(params![value])?;
    let mut gone = 0_i64;
    while let Some(row) = rows.next()? {
        gone = gone.saturating_add(row.get(0)?);
    }
    Ok(gone)
}
