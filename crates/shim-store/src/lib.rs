//! What outlives the process: swap steps, generation numbers, keys, the ledger, kept answers and the vault's records. It
//! records; it decides nothing.
//!
//! The store is a folder. `state.db` in it is a SQLite file in WAL mode with full synchronisation: a step that was
//! appended is there after a crash. `ledger/` holds the [`ledger`], a file a day. `responses.db` and `vault.db` are
//! others, each written by a thread of its own in group commits.

pub mod ledger;
mod responses;
mod sqlite;
mod vault;

use std::path::{Path, PathBuf};

use shim_ir::Generation;
use shim_policy::access::MadeKey;
use shim_policy::swap::Step;
use thiserror::Error;

pub use responses::{
    KeptResponse, MemoryResponses, RESPONSE_BYTES_MAX, ResponseLimits, ResponseStore, SqliteResponses,
};
pub use sqlite::SqliteState;
pub use vault::{Entry, SqliteVault, VaultLimits, VaultStore};

/// Makes a folder, where there is none, that is its owner's alone: what users said will be in it.
pub(crate) fn private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What of the gateway's state outlives it.
pub trait StateStore: KeyStore + Send {
    /// All swap steps, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read or holds a row it cannot have written.
    fn steps(&self) -> Result<Vec<Step>, StoreError>;

    /// Appends a step; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    fn append(&mut self, step: &Step) -> Result<(), StoreError>;

    /// Takes the next generation number for a snapshot with this content hash, caused by `cause`.
    ///
    /// # Errors
    /// When it cannot be written.
    fn next_generation(&mut self, hash: &str, cause: &str, at_ms: u64) -> Result<Generation, StoreError>;
}

/// The keys that the gateway made.
pub trait KeyStore {
    /// All of them, revoked ones too, by name.
    ///
    /// # Errors
    /// When the store cannot be read or holds a row it cannot have written.
    fn made_keys(&self) -> Result<Vec<MadeKey>, StoreError>;

    /// Keeps a key, in the place of the one of this name where there is one; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_key(&mut self, key: &MadeKey) -> Result<(), StoreError>;
}

/// Why the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder cannot be made, or not written to.
    #[error("cannot use the store's folder {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the store {0} is in use by another shim; stop it, or give this one a store of its own")]
    InUse(PathBuf),
    /// SQLite refused.
    #[error("the store's database failed")]
    Database(#[from] rusqlite::Error),
    /// The writer has too much to do.
    #[error("the disk is too slow for it just now")]
    Busy,
    /// It was closed: the gateway is ending.
    #[error("the store is closed")]
    Closed,
    /// The system gives no thread to write with.
    #[error("the store cannot start its writer")]
    Thread(#[source] std::io::Error),
    /// A newer program wrote the file.
    #[error("the store was written by a newer version of shim (schema {found}, this one knows {known})")]
    Newer {
        /// Schema of the file.
        found: i64,
        /// Newest schema known here.
        known: i64,
    },
    /// A row that cannot be read.
    #[error("row {row} of {table} is damaged: {why}")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: i64,
        /// What is wrong with it.
        why: String,
    },
}
