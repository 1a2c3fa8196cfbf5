//! The real binary on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod client;
mod command;
mod exposition;
mod keys;
mod kills;
mod ledger;
mod process;
mod serving;
mod upstream;
