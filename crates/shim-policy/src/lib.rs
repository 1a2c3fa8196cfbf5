//! Decisions as state machines. Nothing here sleeps, locks or spawns: time and randomness are arguments.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::wildcard_enum_match_arm))]

pub mod access;
pub mod calendar;
pub mod extraction;
pub mod failover;
pub mod fidelity;
pub mod limits;
pub mod record;
pub mod sentinel;
pub mod swap;
pub mod tokens;
pub mod vault;
