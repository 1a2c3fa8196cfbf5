//! The data plane in a simulated network and virtual time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod clients;
mod conversation;
mod conversation_kept;
mod conversation_recorded;
mod counts;
mod drain;
mod embed;
mod extraction;
mod faults;
mod feedback;
mod keys;
mod lab;
mod lane;
mod ledger;
mod limits;
mod prices;
mod recorded_counts;
mod responses_state;
mod responses_state_kept;
mod sentinel;
mod square;
mod swaps;
mod talk;
mod timeouts;
mod tls;
mod together;
mod tongues;
mod upstreams;
