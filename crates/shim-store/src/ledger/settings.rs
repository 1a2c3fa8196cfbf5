//! How a ledger is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a ledger is kept.
#[derive(Clone)]
pub struct Settings {
    /// The store's folder; the ledger's files are in `ledger/` there.
    pub folder: PathBuf,
    /// When what was settled is on the disk.
    pub durability: Durability,
    /// How long entries wait to be committed together: what a killed process loses, at most, in `window`.
    pub commit_every: Duration,
    /// Most bytes of entries that wait or are being written.
    pub queue_bytes_max: usize,
    /// Most bytes of the ledger's files, indexes of words included. Whole days go first, the oldest first; when one day
    /// alone is larger, its bodies.
    pub bytes_max: u64,
    /// Most days kept.
    pub days_max: u32,
    /// How long to wait after the disk refused.
    pub retry_every: Duration,
    /// What makes steps fail, in tests.
    pub faults: Option<Arc<dyn Faults>>,
}

/// When what was settled is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Soon: within the commit interval it survives the end of the process, however that comes; within the next
    /// checkpoint the end of the machine.
    #[default]
    Window,
    /// Before the last byte of its answer was sent; and before an upstream was asked, that it was admitted. It survives
    /// the end of the machine.
    Strict,
}

/// A step of the writer that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A day's file is opened.
    Open,
    /// A batch is written.
    Write,
    /// It is committed.
    Commit,
}

/// Makes steps of the writer fail. For tests: what a disk does cannot be asked of a real one.
pub trait Faults: Send + Sync {
    /// Called before a step.
    ///
    /// # Errors
    /// With what the step is to fail with.
    fn at(&self, step: Step) -> rusqlite::Result<()>;
}

impl Settings {
    /// The settings a configuration has that says nothing of them.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            durability: Durability::Window,
            commit_every: Duration::from_millis(20),
            queue_bytes_max: 64 << 20,
            bytes_max: 1 << 30,
            days_max: 30,
            retry_every: Duration::from_secs(1),
            faults: None,
        }
    }

    /// The folder of the ledger's files.
    pub(super) fn ledger(&self) -> PathBuf {
        folder(&self.folder)
    }

    pub(super) fn fails(&self, step: Step) -> rusqlite::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.at(step))
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The ledger's folder in a store's.
pub(super) fn folder(store: &Path) -> PathBuf {
    store.join("ledger")
}
