//! What the configuration says of the ledger.

use std::time::Duration;

/// How the ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Whether the end of an answer, and the first attempt, wait for the disk.
    pub strict: bool,
    /// How long entries wait to be committed together.
    pub commit_every: Duration,
    /// Most bytes that wait to be written.
    pub queue_bytes_max: usize,
    /// Most bytes of its files.
    pub bytes_max: usize,
    /// Most days kept.
    pub days_max: u32,
    /// Most bytes recorded of one body.
    pub record_bytes_max: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            strict: false,
            commit_every: Duration::from_millis(20),
            queue_bytes_max: 64 << 20,
            bytes_max: 1 << 30,
            days_max: 30,
            record_bytes_max: 1 << 20,
        }
    }
}
