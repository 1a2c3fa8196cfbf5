//! Answers of the Responses API that are kept, with what was asked, so that a later request can go on from them.
//!
//! What is kept is the client's own JSON, byte for byte. It belongs to the key that asked: to any other it is not there.
//! It is bounded in bytes and in age; the oldest of whoever holds most gives way first, so that a flood of one key does
//! not take from another.

mod memory;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use crate::StoreError;

pub use memory::MemoryResponses;
pub use sqlite::SqliteResponses;

/// Largest exchange that is kept: input and answer together, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;

/// An exchange that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptResponse {
    /// The id of its answer.
    pub id: Box<str>,
    /// The key that asked; empty where no keys are configured.
    pub owner: Box<str>,
    /// When it was answered, in milliseconds since 1970.
    pub at_ms: u64,
    /// The provider that keeps it as well, under the same id.
    pub keeper: Option<Box<str>>,
    /// The answer it goes on from.
    pub previous: Option<Box<str>>,
    /// Whether the answer is complete.
    pub complete: bool,
    /// The input as it was sent, JSON; empty where there was none.
    pub input: Box<str>,
    /// The answer as it was told, JSON.
    pub answer: Box<str>,
    /// The ids its items can be referred to by.
    pub items: Vec<Box<str>>,
}

/// What an exchange counts beside its texts, in bytes: its rows and their indexes, roughly.
const OVERHEAD: usize = 256;

impl KeptResponse {
    /// What it counts against the bound, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let items: usize = self.items.iter().map(|item| item.len() + self.owner.len() + 32).sum();
        self.input.len() + self.answer.len() + items + OVERHEAD
    }
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Most bytes kept, over all keys.
    pub responses_bytes_max: usize,
    /// How long each is kept.
    pub responses_age_max: Duration,
}

impl Default for ResponseLimits {
    /// 256 MiB, 30 days: as long as OpenAI keeps them.
    fn default() -> Self {
        Self { responses_bytes_max: 256 << 20, responses_age_max: Duration::from_secs(30 * 24 * 3600) }
    }
}

impl ResponseLimits {
    /// Whether what was answered at `at_ms` is too old at `now_ms`.
    fn aged(&self, at_ms: u64, now_ms: u64) -> bool {
        let age_ms = u64::try_from(self.responses_age_max.as_millis()).unwrap_or(u64::MAX);
        now_ms.saturating_sub(at_ms) > age_ms
    }
}

/// Keeps answers. All but [`ResponseStore::put`] may wait for a disk.
pub trait ResponseStore: Send + Sync + std::fmt::Debug {
    /// Keeps an exchange, in the place of one of the same owner and id. It never waits: what cannot be taken is counted.
    fn put(&self, kept: KeptResponse);

    /// The exchange of this id, if it is `owner`'s and still kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, owner: &str, id: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError>;

    /// The exchange that the item of this id belongs to, if it is `owner`'s and still kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn holder(&self, owner: &str, item: &str, now_ms: u64) -> Result<Option<Arc<KeptResponse>>, StoreError>;

    /// Keeps it no longer; whether it was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn delete(&self, owner: &str, id: &str) -> Result<bool, StoreError>;

    /// Number of exchanges that could not be kept, since the start.
    fn dropped(&self) -> u64;

    /// What all that is kept counts, in bytes.
    fn bytes(&self) -> u64;

    /// Waits until what was put is kept, and takes no more.
    fn close(&self);
}
