//! The ledger: every admitted exchange is accounted exactly once, crash or no crash.
//!
//! `ledger/` in the store's folder holds a SQLite file a UTC day. One thread writes, in group commits, what a bounded
//! queue hands it ([`Ledger`]), another indexes words; whoever reads has connections of their own, in this process or another ([`Reader`]).
//! `docs/ledger.md` describes the files, what survives what, and what is kept for how long.
//!
//! An exchange that is admitted is told at once; it gets an `open` row only if it is not settled within the same commit.
//! What is open when the ledger is opened was under way when the process ended: it is settled as abandoned, by a crash.

mod body;
mod day;
mod entry;
mod export;
mod facets;
mod feedback;
mod file;
mod health;
mod insert;
mod mend;
mod money;
mod pace;
mod parquet;
mod queue;
mod read;
mod receipt;
mod reprice;
mod retain;
mod row;
mod schema;
mod search;
mod settings;
mod spend;
mod sums;
mod text;
mod thread;
mod totals;
mod verify;
mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use shim_ir::ExchangeId;
use shim_telemetry::LedgerMetrics;

use crate::StoreError;
use health::Health;
use pace::Pace;
use queue::{Entry, Queue};
use words::Indexer;
use writer::Writer;

pub use day::{Day, NoDay, NoTime, time};
pub use entry::{Admission, Exchange, Kept};
pub use export::{csv_columns, csv_line};
pub use facets::{Facet, Facets};
pub use feedback::{FEEDBACK_EACH_MAX, Feedback, FeedbackError, Subject};
pub use file::Crashed;
pub use parquet::ParquetWriter;
pub use read::{Cursor, Filter, Reader, Shown};
pub use receipt::Receipt;
pub use reprice::{Apply, Change, Money, Price, Priced, RepriceReport, Repriced, Resting};
pub use row::Row;
pub use search::{Found, Search, Searched};
pub use settings::{Durability, Faults, Settings, Step};
pub use spend::SpendRow;
pub use verify::{FileVerified, Verified};

/// The ledger of a running gateway. It is cheap to clone, and telling it something never waits for the disk.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    health: Arc<Health>,
    settings: Settings,
    crashed: Vec<Crashed>,
    indexer: Indexer,
}

impl Ledger {
    /// Opens the ledger, settles what a crash left open, and starts the writer and what indexes words beside it.
    ///
    /// # Errors
    /// When the folder cannot be used, a newer program wrote a file, or no thread can be started.
    pub fn open(settings: Settings, metrics: LedgerMetrics) -> Result<Self, StoreError> {
        let health = Arc::new(Health::new(metrics));
        let queue = Arc::new(Queue::new(settings.queue_bytes_max));
        let pace = Pace::new(queue.clone());
        let (writer, crashed) = Writer::open(settings.clone(), health.clone(), pace, thread::now_ms())?;
        let folder = settings.ledger();
        let indexer =
            Indexer::start(folder.clone(), writer.gate(), health.clone()).map_err(StoreError::Thread)?;
        let run = {
            let (queue, health, settings) = (queue.clone(), health.clone(), settings.clone());
            move || thread::run(writer, &queue, &health, &settings)
        };
        let started = std::thread::Builder::new().name("ledger".into()).spawn(run);
        started.map_err(StoreError::Thread)?;
        Ok(Self(Arc::new(Inner { queue, health, settings, crashed, indexer })))
    }

    /// Tells that an exchange was admitted. The receipt is ready once that is on the disk, where `strict` asks for it. Where
    /// the queue has no room for it, the exchange is accounted when it is settled.
    #[must_use]
    pub fn admitted(&self, admission: Admission) -> Receipt {
        let (receipt, promise) = self.receipt();
        let shed = self.0.queue.add(Entry::Admitted(admission, promise));
        self.0.health.metrics.admissions_shed.inc_by(u64::from(shed.entry));
        receipt
    }

    /// Tells what became of an exchange. The receipt is ready once that is on the disk, where `strict` asks for it.
    #[must_use]
    pub fn settled(&self, exchange: Box<Exchange>) -> Receipt {
        let (receipt, promise) = self.receipt();
        let shed = self.0.queue.add(Entry::Settled(exchange, promise));
        self.0.health.metrics.bodies_shed.inc_by(u64::from(shed.bodies));
        self.0.health.metrics.rows_shed.inc_by(u64::from(shed.entry));
        receipt
    }

    /// Whether the end of an answer waits for the disk.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.0.settings.durability == Durability::Strict
    }

    fn receipt(&self) -> (Receipt, Option<receipt::Promise>) {
        if !self.is_strict() {
            return (Receipt::ready(), None);
        }
        let (receipt, promise) = Receipt::waiting();
        (receipt, Some(promise))
    }

    /// Keeps what an application says of an exchange, and returns which that is. It waits for the writer: not for a thread
    /// that serves.
    ///
    /// # Errors
    /// When there is no such exchange of that key, or the ledger cannot take it.
    pub fn add_feedback(&self, feedback: Feedback) -> Result<ExchangeId, FeedbackError> {
        let (reply, told) = std::sync::mpsc::sync_channel(1);
        if self.0.queue.add(Entry::Feedback(Box::new(feedback), reply)).entry {
            return Err(FeedbackError::Unavailable("its queue is full".to_owned()));
        }
        let unavailable = |_| FeedbackError::Unavailable("the disk is too slow".to_owned());
        told.recv_timeout(FEEDBACK).map_err(unavailable)?
    }

    /// Changes the costs of exchanges of a day, and gives those that were changed. It waits for the writer, which does it
    /// between what else it writes.
    ///
    /// # Errors
    /// When the disk refuses, or the writer has too much to do.
    pub fn reprice(&self, day: Day, changes: Vec<Change>) -> Result<Vec<Change>, StoreError> {
        let (reply, told) = std::sync::mpsc::sync_channel(1);
        if self.0.queue.add(Entry::Reprice(day, changes, reply)).entry {
            return Err(StoreError::Busy);
        }
        told.recv_timeout(REPRICE).map_err(|_| StoreError::Busy)?
    }

    /// What was spent by day, key and alias, from `from` on.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn spend(&self, from: Day) -> Result<Vec<SpendRow>, StoreError> {
        spend::since(&self.0.settings.ledger(), from)
    }

    /// The exchanges that were found open when the ledger was opened.
    #[must_use]
    pub fn crashed(&self) -> &[Crashed] {
        &self.0.crashed
    }

    /// What reads it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.0.settings.folder)
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn alarms(&self) -> Vec<String> {
        self.0.health.alarms()
    }

    /// Writes what waits and closes the files, within a few seconds. `orderly` says that no exchange is under way any more.
    /// Whether all was written.
    pub fn close(&self, orderly: bool) -> bool {
        self.0.queue.close(orderly);
        self.0.indexer.stop();
        self.0.queue.ended(CLOSE)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close(false);
    }
}

/// How long feedback may wait for the writer.
const FEEDBACK: Duration = Duration::from_secs(10);

/// How long a piece of costs that were reckoned anew may wait for the writer.
const REPRICE: Duration = Duration::from_secs(30);

/// How long closing may take.
const CLOSE: Duration = Duration::from_secs(10);
