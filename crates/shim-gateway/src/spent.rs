//! What limits rest on after a start: what was spent before it.

use std::fmt::Debug;

use shim_ir::{ExchangeId, KeyId, PicoUsd};
use shim_store::ledger::{self, Day, Ledger};
use thiserror::Error;

/// Who knows what was spent: the ledger.
pub trait Spent: Debug + Send + Sync {
    /// What was settled by exchanges admitted at `from_ms` (milliseconds since 1970, the first moment of a day in UTC) or
    /// later.
    ///
    /// # Errors
    /// When it cannot be read.
    fn spend(&self, from_ms: u64) -> Result<Vec<SpendRow>, SpentError>;

    /// Exchanges that were admitted and never settled, because the process died.
    ///
    /// # Errors
    /// When they cannot be read.
    fn crashed(&self) -> Result<Vec<Crashed>, SpentError>;
}

/// Why it cannot be said what was spent.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("what was spent before cannot be read: {0}")]
pub struct SpentError(pub String);

/// What the exchanges of a key with a model came to on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRow {
    /// The key, where one was presented.
    pub key: Option<KeyId>,
    /// The model as clients name it: an alias, or another.
    pub alias: String,
    /// The first moment of the day, in milliseconds since 1970.
    pub day_ms: u64,
    /// What is known to have been spent.
    pub settled: PicoUsd,
    /// Exchanges whose cost is not known.
    pub unknown: u64,
    /// Exchanges.
    pub requests: u64,
    /// Tokens of input.
    pub tokens_in: u64,
    /// Tokens of output.
    pub tokens_out: u64,
}

/// An exchange that was admitted and never settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crashed {
    /// Its id.
    pub id: ExchangeId,
    /// The key, where one was presented.
    pub key: Option<KeyId>,
    /// The model as the client named it.
    pub alias: String,
    /// What was reserved for it.
    pub reserved: PicoUsd,
    /// When it was admitted, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What was spent, in memory.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// By key, model and day.
    pub spend: Vec<SpendRow>,
    /// What a crash left behind.
    pub crashed: Vec<Crashed>,
}

impl Spent for Ledger {
    fn spend(&self, from_ms: u64) -> Result<Vec<SpendRow>, SpentError> {
        let rows = Ledger::spend(self, Day::of_ms(from_ms)).map_err(|why| SpentError(why.to_string()))?;
        let row = |row: ledger::SpendRow| SpendRow {
            key: row.key,
            alias: row.alias,
            day_ms: row.day.start_ms(),
            settled: row.settled,
            unknown: row.unknown,
            requests: row.requests,
            tokens_in: row.tokens_in,
            tokens_out: row.tokens_out,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn crashed(&self) -> Result<Vec<Crashed>, SpentError> {
        let crashed = |crashed: &ledger::Crashed| Crashed {
            id: crashed.id,
            key: crashed.key.clone(),
            alias: crashed.alias.clone(),
            reserved: crashed.reserved,
            at_ms: crashed.at_ms,
        };
        Ok(Ledger::crashed(self).iter().map(crashed).collect())
    }
}

impl Spent for Rows {
    fn spend(&self, from_ms: u64) -> Result<Vec<SpendRow>, SpentError> {
        Ok(self.spend.iter().filter(|row| row.day_ms >= from_ms).cloned().collect())
    }

    fn crashed(&self) -> Result<Vec<Crashed>, SpentError> {
        Ok(self.crashed.clone())
    }
}
