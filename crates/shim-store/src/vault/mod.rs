//! Where the vault's records lie: bytes under names, bounded in size and age, the oldest going first.
//!
//! What the records say is not known here: `shim_policy::vault` writes and reads them.

mod sqlite;
mod writer;

use std::sync::Arc;

use shim_policy::vault::Name;

use crate::StoreError;

pub use sqlite::SqliteVault;

/// A record, and the names it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its names. One that another entry had is this one's from now on.
    pub names: Vec<Name>,
    /// The record.
    pub value: Arc<[u8]>,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Bounds on what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultLimits {
    /// Most bytes of records, with their names; what is oldest goes first.
    pub bytes_max: u64,
    /// Longest life of a record, in milliseconds.
    pub age_ms_max: u64,
}

impl Default for VaultLimits {
    /// 256 MiB, 30 days.
    fn default() -> Self {
        Self { bytes_max: 256 << 20, age_ms_max: 30 * 24 * 3_600_000 }
    }
}

/// Keeps records under names.
pub trait VaultStore: Send + Sync + std::fmt::Debug {
    /// The record of each name, of those not older than the bound at `now_ms`. It may wait for the disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn find(&self, names: &[Name], now_ms: u64) -> Result<Vec<Option<Arc<[u8]>>>, StoreError>;

    /// Hands an entry over to be kept; it never waits. False when it was not taken, because too much waits already.
    fn keep(&self, entry: Entry) -> bool;

    /// Waits until all that was handed over is kept or lost.
    fn flush(&self);

    /// How many entries were lost so far, because too much waited or the disk took them not.
    fn lost(&self) -> u64;

    /// Bytes of records that were handed over, and are neither kept nor lost yet.
    fn queue_bytes(&self) -> usize;
}

/// What an entry counts in bytes: its record, its names in both indexes, and what a row costs.
fn weight(names: usize, value: usize) -> u64 {
    (value + names * NAME_BYTES + ROW_BYTES) as u64
}

const NAME_BYTES: usize = 56;
const ROW_BYTES: usize = 64;
