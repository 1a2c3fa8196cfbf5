//! The thread that indexes: it works a share of the time while exchanges come, and all of it while none do.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::day::{Day, days};
use super::super::health::Health;
use super::super::read::end;
use super::super::schema;
use super::super::thread::now_ms;
use super::super::writer::told;
use super::index::{Most, Worked, chunk, done, merge, read};
use crate::StoreError;

/// While exchanges come, the thread rests so many times as long as it worked: it takes no more than a twenty-fifth of one core,
/// which indexes some 800 exchanges a second.
const REST: u32 = 24;

/// The same where there is no other core: then exchanges wait for it, and no more than one in a hundred shall.
const REST_ALONE: u32 = 99;

/// How much nicer than the others the thread is to them: where there is one core, it has a tenth of it when exchanges come. No
/// more than that, as files are not looked after while it has one in hand.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// How often it looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long it waits when a file could not be read or written.
const TROUBLED: Duration = Duration::from_secs(30);

/// What is not indexed yet waits until it is so many rows, or so many bytes of bodies, or its day is over: the search looks
/// at twice as much without an index.
const WAITING_ROWS: i64 = 512;
const WAITING_BYTES: i64 = 512 << 10;

/// Held while words are indexed, and by who replaces or removes files: an index is never that of another file.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Gate(Arc<Mutex<()>>);

impl Gate {
    pub(in super::super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same where nobody holds it just now.
    pub(in super::super) fn try_lock(&self) -> Option<MutexGuard<'_, ()>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// The thread.
#[derive(Debug)]
pub(in super::super) struct Indexer {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signal {
    stop: Mutex<bool>,
    wake: Condvar,
}

impl Signal {
    /// Waits so long; whether it is to stop.
    fn wait(&self, wait: Duration) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(stop, wait, |stop| !*stop);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn is_stopped(&self) -> bool {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }
}

impl Indexer {
    /// Starts it for the ledger in `folder`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(in super::super) fn start(folder: PathBuf, gate: Gate, health: Arc<Health>) -> std::io::Result<Self> {
        let signal = Arc::new(Signal::default());
        let run = {
            let signal = signal.clone();
            move || run(&Work { folder, gate, health }, &signal)
        };
        let thread = std::thread::Builder::new().name("ledger-words".into()).spawn(run)?;
        Ok(Self { signal, thread: Mutex::new(Some(thread)) })
    }

    /// Ends it: when this returns, it writes nothing any more.
    pub(in super::super) fn stop(&self) {
        self.signal.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It has nothing to say but that it is over.
        drop(thread.map(JoinHandle::join));
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.signal.stop();
    }
}

struct Work {
    folder: PathBuf,
    gate: Gate,
    health: Arc<Health>,
}

fn run(work: &Work, signal: &Signal) {
    // On Linux this is of the thread that asks, <https://man7.org/linux/man-pages/man2/setpriority.2.html>. Where it is refused,
    // the rests have to do.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICER);
    let alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let rest = if alone { REST_ALONE } else { REST };
    let (mut over, mut idle_at) = (HashSet::new(), None);
    let (mut wait, mut seen) = (Duration::ZERO, work.rows());
    while !signal.wait(wait) {
        let (rows, today, since) = (work.rows(), Day::of_ms(now_ms()), Instant::now());
        let comes = std::mem::replace(&mut seen, rows) != rows;
        if idle_at == Some((rows, today)) {
            wait = LOOK_EVERY;
            continue;
        }
        // While exchanges come, a little at a time; else much of it, until one comes.
        let still = || work.rows() == rows && !signal.is_stopped();
        let most = if comes { Most::little() } else { Most::much(&still) };
        let worked = match work.step(today, &mut over, most) {
            Ok(Worked::Nothing) if !comes => work.merge(today, &still),
            worked => worked,
        };
        wait = match worked {
            Ok(Worked::Some | Worked::All) if still() && !comes => Duration::ZERO,
            Ok(Worked::Some) => since.elapsed() * rest,
            // There will be more to do at once.
            Ok(Worked::All) => LOOK_EVERY.max(since.elapsed() * rest),
            Ok(Worked::Nothing) => {
                idle_at = (!comes).then_some((rows, today));
                LOOK_EVERY
            }
            Err(error) => {
                // Whoever searches is told; recording does not depend on it.
                tracing::info!(error = %told(&error), "the ledger's words were not indexed");
                TROUBLED
            }
        };
    }
}

impl Work {
    fn rows(&self) -> u64 {
        self.health.metrics.rows.get()
    }

    /// Indexes some rows of the youngest day that has enough of them. Days in `over` have none.
    fn step(&self, today: Day, over: &mut HashSet<Day>, most: Most<'_>) -> Result<Worked, StoreError> {
        for day in self.days()?.into_iter().rev() {
            if over.contains(&day) {
                continue;
            }
            match self.some_of(day, day < today, most) {
                Ok(Worked::Nothing) => {}
                Ok(worked) => return Ok(worked),
                Err(error) => {
                    // A file that cannot be read keeps nobody from those before it.
                    if schema::trouble(&error) == schema::Trouble::Damaged {
                        over.insert(day);
                    }
                    return Err(error);
                }
            }
            // What was admitted on the day before may still be settled.
            if day.next() < today {
                over.insert(day);
            }
        }
        Ok(Worked::Nothing)
    }

    /// Indexes some rows of a day, where there are enough.
    fn some_of(&self, day: Day, is_over: bool, most: Most<'_>) -> Result<Worked, StoreError> {
        let _gate = self.gate.lock();
        if waits(&self.folder, day, is_over)? { chunk(&self.folder, day, most) } else { Ok(Worked::Nothing) }
    }

    /// Merges some of what was indexed a little at a time, today or on the day before, while `on` says so.
    fn merge(&self, today: Day, on: &dyn Fn() -> bool) -> Result<Worked, StoreError> {
        for day in self.days()?.into_iter().rev().take_while(|day| day.next() >= today) {
            let _gate = self.gate.lock();
            if merge(&self.folder, day, on)? == Worked::Some {
                return Ok(Worked::Some);
            }
        }
        Ok(Worked::Nothing)
    }

    fn days(&self) -> Result<Vec<Day>, StoreError> {
        days(&self.folder).map_err(|source| StoreError::Folder { path: self.folder.clone(), source })
    }
}

/// Whether there is enough to index of a day.
fn waits(folder: &Path, day: Day, is_over: bool) -> Result<bool, StoreError> {
    let Some(source) = schema::read(&day.file(folder))? else { return Ok(false) };
    let indexed = read(folder, day)?.map_or(Ok(0), |words| done(&words))?;
    let rows = end(&source)? - indexed;
    Ok(rows >= WAITING_ROWS || rows > 0 && (is_over || bytes(&source, indexed)? >= WAITING_BYTES))
}

/// Bytes of the bodies of rows behind one.
fn bytes(source: &Connection, row: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(sum(coalesce(request_kept, 0) + coalesce(answer_kept, 0)), 0) FROM exchanges WHERE row > ?1";
    source.query_row(sql, [row], |row| row.get(0))
}
